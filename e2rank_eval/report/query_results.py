"""What happened to each query of a run: its candidates, their grades, and where they came to stand."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.store import layout as places

CUT = 10
"""Of nDCG@10."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """One query of one run.

    ``grades`` are those of the candidates in first-stage order; ``ranks[i]`` is where candidate i came
    to stand, from 1; ``ideal`` the DCG@10 of the best ranking of all judged documents; ``quality``
    nDCG@10 x 100.
    """

    query_id: str
    grades: tuple[int, ...]
    ranks: tuple[int, ...]
    ideal: float
    quality: float

    def share(self, first: int, last: int) -> float:
        """How much of ``quality`` candidates ``first`` to ``last`` (from 1, both included) make up.

        nDCG@10 is a sum over documents, so shares of a partition add up to it.
        """
        if self.ideal == 0:
            return 0.0
        gains = (
            grade / math.log2(rank + 1)
            for grade, rank in zip(self.grades[first - 1 : last], self.ranks[first - 1 : last], strict=True)
            if rank <= CUT and grade > 0
        )
        return 100 * sum(gains) / self.ideal


def query_results(results: Results, key: RunKey) -> dict[str, QueryResult]:
    """Every judged query of a run, by id; one without candidates has none of the grades.

    Raises
    ------
    InputError
        When a file is missing, or the run ranks what is no candidate.
    """
    dataset, first_stage, _ = key
    qrels = results.qrels(dataset)
    orders = results.candidates(dataset, first_stage)
    rankings = results.rankings(key)
    quality = results.metrics(key).per_query[HEADLINE]
    found = {}
    for query, judged in qrels.items():
        candidates = orders[query].document_ids if query in orders else ()
        ranks = {document: rank for rank, document in enumerate(rankings.get(query, []), start=1)}
        if ranks.keys() - set(candidates):
            raise InputError(
                f"query {query!r} ranks what is no candidate of {first_stage}",
                path=results.path(places.RUN, key), hint="rerank again",
            )  # fmt: skip
        found[query] = QueryResult(
            query,
            tuple(judged.get(document, 0) for document in candidates),
            tuple(ranks.get(document, len(candidates) + 1) for document in candidates),
            _ideal(judged.values()),
            100 * quality[query],
        )
    return found


def _ideal(grades: Iterable[int]) -> float:
    best = sorted((grade for grade in grades if grade > 0), reverse=True)[:CUT]
    return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(best, start=1))
