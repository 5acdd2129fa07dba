"""Analyses beyond the paper: where a gain in nDCG@10 comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from e2rank_eval.config import Configuration, E2RankSettings, FeedbackSettings, FigureArtefact
from e2rank_eval.evaluation.significance import bootstrap_interval, mean
from e2rank_eval.report.collect import Results
from e2rank_eval.report.query_results import QueryResult, query_results
from e2rank_eval.store.results import Interval

_DIFFICULTIES = ("hardest third", "middle third", "easiest third")
_RELEVANT: tuple[tuple[str, int, int], ...] = (
    ("none", 0, 0), ("1", 1, 1), ("2 to 4", 2, 4), ("5 to 9", 5, 9), ("10 or more", 10, 10**9),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gain:
    """The mean change in nDCG@10 x 100 of some queries, with its bootstrap 95 % interval over them."""

    dataset: str
    reranker: str
    group: str
    queries: int
    change: float
    interval: Interval


PerQuery = Mapping[str, QueryResult]
Split = Callable[[PerQuery, PerQuery, int], Iterator[tuple[str, Sequence[float]]]]
"""(the system's queries, those it is compared with, prompt size) -> changes by group of queries."""


def gains(results: Results, artefact: FigureArtefact) -> list[Gain]:
    """The changes that a figure shows, by data set, system and group.

    Raises
    ------
    InputError
        When a run that the figure is of is missing or malformed.
    """
    split = SPLITS[artefact.figure]
    stage, against = str(artefact.first_stage), str(artefact.against)
    size = prompt_size(results.configuration, artefact)
    found = []
    for dataset in artefact.datasets:
        reference = query_results(results, (dataset, stage, against))
        for reranker in artefact.rerankers:
            ours = query_results(results, (dataset, stage, reranker))
            for group, changes in split(ours, reference, size):
                if len(changes):
                    interval = bootstrap_interval([changes], seed=results.configuration.seed)
                    found.append(Gain(dataset, reranker, group, len(changes), mean([changes]), interval))
    return found


def prompt_size(configuration: Configuration, artefact: FigureArtefact) -> int:
    """The most documents that a system of the figure reads with the query; 20 where none does."""
    sizes = []
    for reranker in artefact.systems:
        settings = configuration.rerankers[reranker]
        if isinstance(settings, E2RankSettings) and settings.prompt != "query-only":
            sizes.append(settings.prompt_documents)
        elif isinstance(settings, FeedbackSettings):
            sizes.append(settings.documents)
    return max(sizes, default=20)


def _by_position(ours: PerQuery, theirs: PerQuery, size: int) -> Iterator[tuple[str, Sequence[float]]]:
    """The change split by where the documents that make it stood before: both parts add up to it."""
    depth = max((len(one.grades) for one in ours.values()), default=0)
    for group, first, last in ((f"first {size}", 1, size), ("below", size + 1, max(depth, size + 1))):
        yield group, [ours[q].share(first, last) - theirs[q].share(first, last) for q in sorted(ours)]


def _by_difficulty(ours: PerQuery, theirs: PerQuery, size: int) -> Iterator[tuple[str, Sequence[float]]]:  # noqa: ARG001 - one signature for all splits
    """Thirds of the queries by what they are compared with: its nDCG@10, then the query's id."""
    ordered = sorted(theirs, key=lambda query: (theirs[query].quality, query))
    for group, queries in zip(_DIFFICULTIES, np.array_split(np.array(ordered, dtype=object), 3), strict=True):
        yield group, _changes(ours, theirs, list(queries))


def _by_relevant(ours: PerQuery, theirs: PerQuery, size: int) -> Iterator[tuple[str, Sequence[float]]]:
    """Queries by how many candidates of the prompt are judged relevant (grade 1 or more)."""
    counts = {query: sum(grade > 0 for grade in one.grades[:size]) for query, one in ours.items()}
    for group, least, most in _RELEVANT:
        yield group, _changes(ours, theirs, sorted(q for q in ours if least <= counts[q] <= most))


def _all(ours: PerQuery, theirs: PerQuery, size: int) -> Iterator[tuple[str, Sequence[float]]]:  # noqa: ARG001 - one signature for all splits
    yield "all queries", _changes(ours, theirs, sorted(ours))


def _changes(ours: PerQuery, theirs: PerQuery, queries: Sequence[str]) -> list[float]:
    return [ours[query].quality - theirs[query].quality for query in queries]


SPLITS: dict[str, Split] = {
    "position": _by_position, "difficulty": _by_difficulty, "relevant": _by_relevant, "sensitivity": _all,
}  # fmt: skip
