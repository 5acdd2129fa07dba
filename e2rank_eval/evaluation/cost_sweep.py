"""How a reranker's cost grows with candidates, prompt documents and queries ranked together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Literal

import numpy as np

from e2rank_eval.config import CostSweepSettings, E2RankSettings, RerankerSettings
from e2rank_eval.errors import InputError, QueryError
from e2rank_eval.evaluation import machine
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.progress import track
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.store.results import CostPoint, ModeName

Axis = Literal["candidates", "prompt_documents", "batch"]
Work = tuple[Query, CandidateList]
Build = Callable[[RerankerSettings], Reranker]


def measure_sweep(
    build: Build, reranker: RerankerSettings, work: Sequence[Work], sweep: CostSweepSettings, *, name: str
) -> list[CostPoint]:
    """Time every point of ``sweep``.

    ``seconds`` are those of one call: one query, or as many as the batch has; tokens are means per
    query. ``build`` makes the reranker anew for every mode, as what is prepared stays prepared; models
    must stay loaded in between. Axis ``prompt_documents`` exists for E2Rank with a listwise prompt
    only, mode ``stored`` for rerankers that store documents.

    Raises
    ------
    InputError
        When no query has as many candidates as a point asks for, or a point has no query at all.
    QueryError
        When a query cannot be ranked.
    """
    found = []
    stores = bool(getattr(build(reranker), "stores_documents", False))
    modes: tuple[ModeName, ...] = ("online", "stored")
    for mode in modes:
        if not (mode in sweep.document_vectors if stores else mode == "online"):
            continue
        points = list(_points(reranker, work, sweep))
        for axis, value, settings, calls in track(points, description=f"sweep {name}, {mode}"):
            model = build(settings)
            if mode == "stored":
                model.prepare([document for call in calls for _, one in call for document in one.documents])
            found.append(_timed(model, calls, sweep.warm_up, (axis, value, mode)))
    return found


def _points(
    reranker: RerankerSettings, work: Sequence[Work], sweep: CostSweepSettings
) -> Iterator[tuple[Axis, int, RerankerSettings, list[list[Work]]]]:
    """(axis, value, the reranker's settings there, calls of one query or more) of every point."""
    filled = [pair for pair in work if len(pair[1])]
    for depth in sweep.candidates:
        deep = [
            (query, CandidateList(one.query_id, one.candidates[:depth]))
            for query, one in filled
            if len(one) >= depth
        ]
        if not deep:
            raise InputError(
                f"no query has {depth} candidates, as sweep.candidates asks for",
                hint=f"lower it to {max((len(one) for _, one in filled), default=0)}",
            )
        yield "candidates", depth, reranker, [[pair] for pair in deep[: sweep.samples]]
    if isinstance(reranker, E2RankSettings) and reranker.prompt != "query-only":
        for count in sweep.prompt_documents:
            calls = [[pair] for pair in filled[: sweep.samples]]
            yield "prompt_documents", count, _with_prompt_documents(reranker, count), calls
    for size in sweep.batch:
        queries = cycle(filled)
        yield "batch", size, reranker, [list(islice(queries, size)) for _ in range(sweep.samples)]


def _with_prompt_documents(reranker: E2RankSettings, count: int) -> E2RankSettings:
    """The settings with so many prompt documents, a sliding step being no longer than they are."""
    if not count:
        return E2RankSettings(
            family="e2rank",
            model=reranker.model,
            prompt="query-only",
            document_tokens=reranker.document_tokens,
        )
    step = None if reranker.step is None or count < 2 else min(reranker.step, count)
    return reranker.model_copy(update={"prompt_documents": count, "step": step})


def _timed(
    model: Reranker, calls: Sequence[Sequence[Work]], warm_up: int, point: tuple[Axis, int, ModeName]
) -> CostPoint:
    axis, value, mode = point
    if not calls or not calls[0]:
        raise InputError("no query has a candidate to time", hint="retrieve candidates first")
    for _ in range(warm_up):
        _call(model, calls[0])
    machine.reset_peak_memory()
    seconds, rankings = [], list[Ranking]()
    for call in calls:
        spent, ranked = _call(model, call)
        seconds.append(spent)
        rankings += ranked
    statistics = [ranking.stats for ranking in rankings]
    return CostPoint(
        axis=axis,
        value=value,
        mode=mode,
        seconds=tuple(seconds),
        queries_per_second=len(rankings) / sum(seconds),
        prompt_tokens=float(np.mean([stats.prompt_tokens for stats in statistics])),
        document_tokens=float(np.mean([stats.document_tokens for stats in statistics])),
        output_tokens=float(np.mean([stats.output_tokens for stats in statistics])),
        peak_memory_bytes=machine.peak_memory_bytes(),
    )


def _call(model: Reranker, call: Sequence[Work]) -> tuple[float, list[Ranking]]:
    clock = PhaseClock(machine.synchroniser())
    queries, lists = [query for query, _ in call], [one for _, one in call]
    try:
        with clock.phase("total"):
            rankings = (
                [model.rank(queries[0], lists[0])] if len(call) == 1 else model.rank_many(queries, lists)
            )
    except Exception as error:
        raise QueryError(queries[0].id, error) from error
    return clock.seconds["total"], rankings
