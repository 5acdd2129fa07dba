"""Where a gain in nDCG@10 comes from: by position, by difficulty, by relevant documents, by system."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration, PaperFigure
from e2rank_eval.errors import InputError
from e2rank_eval.report.drawing import MARKERS, MUTED, PALETTE, Drawing, new_figure, panel_title
from e2rank_eval.report.figures import FIGURES, of_kind
from e2rank_eval.report.names import HEADLINE, full_name, label
from e2rank_eval.report.outputs import RunKey, first_stage_files, run_files
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.rerankers.families.feedback import FeedbackSettings
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from e2rank_eval.report.collect import Results

_CUT = 10
"""The rank at which nDCG@10 cuts."""

_RELEVANT = (("none", 0, 0), ("1", 1, 1), ("2 to 4", 2, 4), ("5 to 9", 5, 9), ("10 or more", 10, 10**9))


@dataclass(frozen=True, slots=True)
class QueryGain:
    """One query of one run.

    ``grades`` are those of the candidates in first-stage order; ``ranks[i]`` is the rank of candidate i,
    from 1; ``ideal`` the DCG@10 of the best ranking of all judged documents; ``quality`` nDCG@10 x 100.
    """

    grades: tuple[int, ...]
    ranks: tuple[int, ...]
    ideal: float
    quality: float

    def share(self, first: int, last: int) -> float:
        """Return how much of ``quality`` candidates ``first`` to ``last`` (from 1, both included) make up.

        nDCG@10 is a sum over documents, so shares of a partition add up to it.
        """
        pairs = zip(self.grades[first - 1 : last], self.ranks[first - 1 : last], strict=True)
        gains = (grade / math.log2(rank + 1) for grade, rank in pairs if rank <= _CUT and grade > 0)
        return 100 * sum(gains) / self.ideal if self.ideal else 0.0


def query_gains(results: Results, key: RunKey) -> dict[str, QueryGain]:
    """Return every judged query of a run, by id; one without candidates has no grades.

    Raises
    ------
    InputError
        When a file is missing, or the run ranks a document that is not a candidate.
    """
    orders, rankings = results.candidates(key[0], key[1]), results.rankings(key)
    quality = results.metrics(key).per_query[HEADLINE]
    found = {}
    for query, judged in results.qrels(key[0]).items():
        candidates = orders[query].document_ids if query in orders else []
        ranks = {document: rank for rank, document in enumerate(rankings.get(query, []), start=1)}
        if ranks.keys() - set(candidates):
            raise InputError(
                f"query {query!r} ranks a document that is not a candidate of {key[1]}",
                path=results.path(places.RUN, key), hint="rerank again",
            )  # fmt: skip
        best = sorted((grade for grade in judged.values() if grade > 0), reverse=True)[:_CUT]
        found[query] = QueryGain(
            tuple(judged.get(document, 0) for document in candidates),
            tuple(ranks.get(document, len(candidates) + 1) for document in candidates),
            sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, start=1)),
            100 * quality[query],
        )
    return found


PerQuery = Mapping[str, QueryGain]
Groups = Iterator[tuple[str, Sequence[float]]]
"""Changes of nDCG@10 x 100 by group of queries."""


def by_position(ours: PerQuery, theirs: PerQuery, size: int) -> Groups:
    """Split the change by the first-stage position of the documents that make it: both parts add up to it."""
    depth = max((len(one.grades) for one in ours.values()), default=0)
    for group, first, last in ((f"first {size}", 1, size), ("below", size + 1, max(depth, size + 1))):
        yield group, [ours[q].share(first, last) - theirs[q].share(first, last) for q in sorted(ours)]


def by_difficulty(ours: PerQuery, theirs: PerQuery, size: int) -> Groups:  # noqa: ARG001 - one signature
    """Yield thirds of the queries by the nDCG@10 of what they are compared with, then by id."""
    ordered = sorted(theirs, key=lambda query: (theirs[query].quality, query))
    short, larger = divmod(len(ordered), 3)
    start = 0
    for third, group in enumerate(("hardest third", "middle third", "easiest third")):
        end = start + short + (third < larger)
        yield group, _changes(ours, theirs, ordered[start:end])
        start = end


def by_relevant(ours: PerQuery, theirs: PerQuery, size: int) -> Groups:
    """Yield queries by how many candidates of the prompt are judged relevant (grade 1 or more)."""
    counts = {query: sum(grade > 0 for grade in one.grades[:size]) for query, one in ours.items()}
    for group, least, most in _RELEVANT:
        yield group, _changes(ours, theirs, sorted(q for q in ours if least <= counts[q] <= most))


def all_queries(ours: PerQuery, theirs: PerQuery, size: int) -> Groups:  # noqa: ARG001 - one signature
    """Yield one group of all queries."""
    yield "all queries", _changes(ours, theirs, sorted(ours))


def _changes(ours: PerQuery, theirs: PerQuery, queries: Sequence[str]) -> list[float]:
    return [ours[query].quality - theirs[query].quality for query in queries]


@dataclass(frozen=True, slots=True)
class Gain:
    """The mean change in nDCG@10 x 100 of some queries, with its bootstrap 95 % interval over them."""

    dataset: str
    reranker: str
    group: str
    queries: int
    change: float
    low: float
    high: float


def _gains(results: Results, figure: PaperFigure, split: Callable[..., Groups], size: int) -> Iterator[Gain]:
    from e2rank_eval.evaluation.significance import bootstrap_interval, mean

    stage = str(figure.first_stage)
    for dataset in figure.datasets:
        reference = query_gains(results, (dataset, stage, str(figure.against)))
        for reranker in figure.rerankers:
            ours = query_gains(results, (dataset, stage, reranker))
            for group, changes in split(ours, reference, size):
                if len(changes):
                    interval = bootstrap_interval([changes], seed=results.configuration.seed)
                    yield Gain(dataset, reranker, group, len(changes), mean([changes]), *interval)


def prompt_size(configuration: Configuration, figure: PaperFigure) -> int:
    """Return the most documents that a system of the figure reads with the query; 20 where none does."""
    sizes = []
    for reranker in figure.systems:
        settings = configuration.rerankers[reranker]
        if isinstance(settings, E2RankSettings) and settings.prompt != "query-only":
            sizes.append(settings.prompt_documents)
        elif isinstance(settings, FeedbackSettings):
            sizes.append(settings.documents)
    return max(sizes, default=20)


def _inputs(configuration: Configuration, name: str) -> Iterator[str]:
    one = configuration.figures[name]
    yield from first_stage_files(one.datasets, str(one.first_stage))
    for pattern in (places.RUN, places.METRICS):
        yield from run_files(pattern, one.datasets, str(one.first_stage), one.systems)


def draw_gains(results: Results, name: str, split: Callable[..., Groups], remark: str) -> Drawing:
    """Mean change of nDCG@10 × 100 with its 95 % interval. An analysis beyond the paper."""
    one = results.configuration.figures[name]
    size = prompt_size(results.configuration, one)
    found = list(_gains(results, one, split, size))
    groups = list(dict.fromkeys(gain.group for gain in found))
    figure = new_figure(8.6, 1.5 + 2.7 * len(one.datasets), one.title)
    grid = figure.subplots(len(one.datasets), 1, squeeze=False)
    against = label(results.configuration, str(one.against))
    for axes, dataset in zip(grid[:, 0], one.datasets, strict=True):
        own = [gain for gain in found if gain.dataset == dataset]
        names = {reranker: full_name(results.configuration, reranker) for reranker in one.rerankers}
        _draw(axes, own, names, groups)
        panel_title(axes, dataset, f"against {against}; {remark.format(size=size)}")
        axes.set_ylabel(f"change of {HEADLINE} × 100")
    if len(groups) > 1:
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False, fontsize=8)
    rows = tuple(
        (g.dataset, g.reranker, str(one.against), g.group, g.queries, g.change, g.low, g.high) for g in found
    )
    columns = ("dataset", "reranker", "against", "group", "queries", "change", "low", "high")
    return Drawing(name, one.title, figure, columns, rows)


def _draw(axes: Axes, found: Sequence[Gain], names: Mapping[str, str], groups: Sequence[str]) -> None:
    """Draw groups along the axis, systems side by side; with one group the systems are the axis."""
    alone = len(groups) == 1
    for index, reranker in enumerate(names):
        own = [gain for gain in found if gain.reranker == reranker]
        offset = 0.6 * ((index + 0.5) / len(names) - 0.5)
        where = [index if alone else groups.index(gain.group) + offset for gain in own]
        ends = [[gain.change - gain.low for gain in own], [gain.high - gain.change for gain in own]]
        axes.errorbar(where, [gain.change for gain in own], yerr=ends, fmt=MARKERS[index % len(MARKERS)],
                      color=PALETTE[index % len(PALETTE)], ms=5, lw=1.3, label=names[reranker])  # fmt: skip
    axes.axhline(0, color=MUTED, lw=0.8)
    if alone:
        axes.set_xticks(range(len(names)), list(names.values()), rotation=15, ha="right")
    else:
        counts = {gain.group: gain.queries for gain in found}
        axes.set_xticks(range(len(groups)), [f"{group}\nn = {counts.get(group, 0)}" for group in groups])


for _kind, _split, _remark in (
    ("position", by_position, "documents by first-stage position: first {size} and the rest, which add up"),
    ("difficulty", by_difficulty,
     "thirds by it; hard queries gain by chance alone too (regression to the mean)"),
    ("relevant", by_relevant, "queries by relevant documents (grade 1 or more) among the first {size}"),
    ("sensitivity", all_queries, "all queries"),
):  # fmt: skip
    FIGURES.register(_kind, "figures", "{}", _inputs, among=of_kind(_kind))(
        partial(draw_gains, split=_split, remark=_remark)
    )
