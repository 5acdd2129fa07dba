"""Throughput and percentiles of rerankers while several queries are ranked at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError, QueryError
from e2rank_eval.evaluation.latency import builder, read_work, systems_of
from e2rank_eval.evaluation.samples import System, Work, percentile, time_call
from e2rank_eval.models.loading import Models
from e2rank_eval.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Throughput:
    """Throughput of one system under ``concurrent`` queries; seconds are wall-clock time of a query."""

    reranker: str
    mode: str
    concurrent: int
    queries: int
    queries_per_second: float
    cpu_seconds_per_query: float
    p50_seconds: float | None
    p90_seconds: float | None
    p99_seconds: float | None


def concurrent_latency(
    configuration: Configuration, entry: str, layout: Layout, concurrent: int
) -> list[Throughput]:
    """Measure every system of latency ``entry``, one after the other, each for an equal share of the budget.

    Raises
    ------
    InputError
        When no query has a candidate, or the budget is too small for one.
    QueryError
        When a query cannot be ranked.
    """
    settings = configuration.latency[entry]
    work = read_work(settings, layout)
    build = builder(configuration, Models.of(configuration, vector_cache=False))
    systems = systems_of(settings, configuration, build)
    share = settings.budget / len(systems)
    return [throughput(one, work, concurrent, samples=settings.samples, budget=share) for one in systems]


def throughput(
    system: System, work: Sequence[Work], concurrent: int, *, samples: int, budget: float
) -> Throughput:
    """Rank ``samples`` queries of ``work``, at least one for each of ``concurrent`` threads.

    A served model receives as many requests at once; a local model gains only as far as the work of its
    threads overlaps. No query begins after ``budget`` seconds.

    Raises
    ------
    InputError
        When the budget is so small that none begins.
    QueryError
        When a query cannot be ranked.
    """
    system.prepare([work])
    time_call(system.model, [work[-1]])
    wall, cpu = time.perf_counter(), time.process_time()

    def rank(one: Work) -> float | None:
        began = time.perf_counter()
        if began - wall >= budget:
            return None
        query, candidates = one
        try:
            system.model.rank_candidates([query], [candidates])
        except Exception as error:
            raise QueryError(query.id, error) from error
        return time.perf_counter() - began

    with ThreadPoolExecutor(concurrent) as pool:
        asked = islice(cycle(work), max(samples, concurrent))
        seconds = [one for one in pool.map(rank, asked) if one is not None]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if not seconds:
        raise InputError(f"no query began within {budget:g} s, one system's share", hint="raise budget")
    return Throughput(
        reranker=system.reranker,
        mode=system.mode,
        concurrent=concurrent,
        queries=len(seconds),
        queries_per_second=len(seconds) / wall,
        cpu_seconds_per_query=cpu / len(seconds),
        p50_seconds=percentile(seconds, 50),
        p90_seconds=percentile(seconds, 90),
        p99_seconds=percentile(seconds, 99),
    )
