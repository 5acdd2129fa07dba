"""How a reranker's cost grows with candidates, prompt documents and queries ranked together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from typing import Literal

from e2rank_eval.config.measurements import CostSweepSettings
from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.samples import Work, mean_tokens, modes_of, time_call
from e2rank_eval.progress import track
from e2rank_eval.records import CandidateList
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.store.results import CostPoint

Axis = Literal["candidates", "prompt_documents", "batch"]
Build = Callable[[RerankerSettings], Reranker]


def measure_sweep(
    build: Build, reranker: RerankerSettings, work: Sequence[Work], sweep: CostSweepSettings, *, name: str
) -> list[CostPoint]:
    """Time every point of ``sweep`` on ``work``, whose queries all have candidates.

    ``build`` makes the reranker anew for every point, as documents encoded ahead stay encoded; models
    must stay loaded in between. Axis ``prompt_documents`` exists for E2Rank with a listwise prompt only.

    Raises
    ------
    InputError
        When no query has as many candidates as a point asks for.
    QueryError
        When a query cannot be ranked.
    """
    found = []
    for mode in modes_of(build(reranker), sweep.document_vectors):
        points = list(_points(reranker, work, sweep))
        for axis, value, settings, calls in track(points, description=f"sweep {name}, {mode}"):
            model = build(settings)
            if mode == "stored":
                model.encode_documents(
                    [document for call in calls for _, one in call for document in one.documents]
                )
            for _ in range(sweep.warm_up):
                time_call(model, calls[0])
            memory = machine.PeakMemory()
            samples = [time_call(model, call) for call in calls]
            seconds = tuple(sample.seconds["total"] for sample in samples)
            found.append(
                CostPoint(
                    axis=axis,
                    value=value,
                    mode=mode,
                    seconds=seconds,
                    queries_per_second=sum(map(len, calls)) / sum(seconds),
                    peak_memory_bytes=memory.bytes(),
                    **mean_tokens(samples),
                )
            )
    return found


def _points(
    reranker: RerankerSettings, work: Sequence[Work], sweep: CostSweepSettings
) -> Iterator[tuple[Axis, int, RerankerSettings, list[list[Work]]]]:
    """Yield axis, value, the reranker's settings there and calls of one query or more, for every point."""
    for depth in sweep.candidates:
        deep = [
            (query, CandidateList(one.query_id, one.candidates[:depth]))
            for query, one in work
            if len(one) >= depth
        ]
        if not deep:
            raise InputError(
                f"no query has {depth} candidates, as sweep.candidates asks for",
                hint=f"lower it to {max(len(one) for _, one in work)}",
            )
        yield "candidates", depth, reranker, [[pair] for pair in deep[: sweep.samples]]
    if isinstance(reranker, E2RankSettings) and reranker.prompt != "query-only":
        for count in sweep.prompt_documents:
            calls = [[pair] for pair in work[: sweep.samples]]
            yield "prompt_documents", count, _with_prompt_documents(reranker, count), calls
    for size in sweep.batch:
        queries = cycle(work)
        yield "batch", size, reranker, [list(islice(queries, size)) for _ in range(sweep.samples)]


def _with_prompt_documents(reranker: E2RankSettings, count: int) -> E2RankSettings:
    """Return the settings with so many prompt documents, and a sliding step no longer than they are."""
    if not count:
        return E2RankSettings(
            family="e2rank",
            model=reranker.model,
            prompt="query-only",
            document_tokens=reranker.document_tokens,
        )
    step = None if reranker.step is None or count < 2 else min(reranker.step, count)
    return reranker.model_copy(update={"prompt_documents": count, "step": step})
