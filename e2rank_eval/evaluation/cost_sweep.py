"""The growth of latency with the number of candidates, prompt documents and queries ranked together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle, islice
from typing import Literal

from e2rank_eval.config.measurements import CostSweepSettings
from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.samples import System, Work, take_turns
from e2rank_eval.records import CandidateList
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.store.results import CostPoint

Axis = Literal["candidates", "prompt_documents", "batch"]
Build = Callable[[RerankerSettings], Reranker]
Calls = list[list[Work]]
"""Calls, each with one or more queries ranked together."""


def measure_sweep(
    build: Build,
    systems: Sequence[System],
    work: Sequence[Work],
    sweep: CostSweepSettings,
    *,
    deadline: float,
) -> tuple[list[CostPoint], list[str]]:
    """Time every point of ``sweep`` on ``work``, whose queries have candidates; the systems take turns.

    ``build`` makes a reranker with another number of prompt documents, on models that stay loaded.
    Only E2Rank with a listwise prompt has the axis ``prompt_documents``. No point begins after
    ``deadline``; the second value names the points skipped.

    Raises
    ------
    InputError
        When no query has as many candidates, or there are not as many queries, as a point needs.
    QueryError
        When a query cannot be ranked.
    """
    found: list[CostPoint] = []
    skipped: list[str] = []
    systems = [one for one in systems if one.mode in sweep.document_vectors or not one.stores]
    for axis, value, calls in _points(work, sweep):
        if time.monotonic() >= deadline:
            skipped.append(f"{axis.replace('_', ' ')} {value}")
            continue
        chosen = [one for one in systems if axis != "prompt_documents" or _is_listwise(one.settings)]
        if axis == "prompt_documents":
            chosen = [_with_prompt_documents(build, one, value) for one in chosen]
        for one in chosen:
            one.prepare(calls)
        turns = [partial(one.turn, calls) for one in chosen]
        take_turns(turns, sweep.warm_up, deadline=deadline, description=f"warm up {axis} {value}")
        columns = take_turns(turns, sweep.samples, deadline=deadline, description=f"time {axis} {value}")
        for one, samples in zip(chosen, columns, strict=True):
            wall, cpu = (tuple(getattr(s, clock)["total"] for s in samples) for clock in ("wall", "cpu"))
            found.append(
                CostPoint(axis=axis, value=value, reranker=one.reranker, mode=one.mode, wall=wall, cpu=cpu)
            )
    return found, skipped


def _points(work: Sequence[Work], sweep: CostSweepSettings) -> Iterator[tuple[Axis, int, Calls]]:
    """Yield the axis, value and calls of every point."""
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
        yield "candidates", depth, [[pair] for pair in deep[: sweep.samples]]
    for count in sweep.prompt_documents:
        yield "prompt_documents", count, [[pair] for pair in work[: sweep.samples]]
    for size in sweep.batch:
        if size > len(work):  # equal queries of one call share their work
            raise InputError(
                f"sweep.batch asks for {size} queries at once, and only {len(work)} have candidates",
                hint=f"lower it to {len(work)}",
            )
        queries = cycle(work)
        yield "batch", size, [list(islice(queries, size)) for _ in range(sweep.samples)]


def _is_listwise(reranker: RerankerSettings) -> bool:
    return isinstance(reranker, E2RankSettings) and reranker.prompt != "query-only"


def _with_prompt_documents(build: Build, system: System, count: int) -> System:
    """Return the system with ``count`` prompt documents, and a sliding step of at most ``count``."""
    reranker = system.settings
    assert isinstance(reranker, E2RankSettings)
    step = None if reranker.step is None or count < 2 else min(reranker.step, count)
    settings = reranker.model_copy(update={"prompt_documents": count, "step": step})
    if not count:
        settings = E2RankSettings(
            family="e2rank",
            model=reranker.model,
            prompt="query-only",
            document_tokens=reranker.document_tokens,
        )
    return replace(system, settings=settings, model=build(settings))
