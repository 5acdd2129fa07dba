"""The latency protocol: the systems of an entry take turns on the same queries, without caches."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import LatencySettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.cost_sweep import Build, measure_sweep
from e2rank_eval.evaluation.flops import Engine, engine_of, matmul_rate, query_flops
from e2rank_eval.evaluation.samples import Sample, System, Work, columns, mean_tokens, take_turns
from e2rank_eval.models.loading import Models
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, read_queries_with_candidates
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import Clock, Latency, Timing, write_record

WARM_UP_SHARE, ROUNDS_SHARE = 0.25, 0.67
"""Shares of the budget after which no further warm-up, and no further round before a sweep, begins."""


def systems_of(settings: LatencySettings, configuration: Configuration, build: Build) -> list[System]:
    """Build every system of an entry; one that stores document vectors also in mode ``stored``."""
    found = []
    for name in settings.rerankers:
        chosen = configuration.rerankers[name]
        found.append(System(name, "online", chosen, build(chosen)))
        if found[-1].stores:
            found.append(System(name, "stored", chosen, build(chosen)))
    return found


def builder(configuration: Configuration, models: Models) -> Build:
    """Return the function that builds a reranker from its settings, on these models."""
    context = RerankContext(models=models, seed=configuration.seed)
    return lambda settings: settings.build(context)


def clock_of(configuration: Configuration, settings: LatencySettings, models: Models) -> Clock:
    """Return the clock of the ratios: CPU time where the threads of this process do all the work.

    CPU time misses the work of a GPU or a server, and would count threads that spin while they wait, as
    those of other engines do.
    """
    names = {getattr(configuration.rerankers[name], "model", None) for name in settings.rerankers}
    entries = [models.catalogue.entry(name) for name in names if name is not None]
    other = any(one.server or one.engine != "transformers" for one in entries)
    return "wall" if other or machine.cuda() or not machine.wait_passively() else "cpu"


def measure(
    systems: Sequence[System],
    work: Sequence[Work],
    settings: LatencySettings,
    *,
    build: Build,
    clock: Clock,
    threads: int,
    load_seconds: float,
    engines: Mapping[str, Engine | None],
) -> Latency:
    """Time ``systems`` round by round, one query of ``work`` in each, then the sweep, within the budget.

    Every query must have a candidate; the queries are taken in order, cyclically. ``engines`` (by reranker)
    are for estimating the floating-point operations of a query, and the share of the device's rate that they
    reach, by the same clock.

    Raises
    ------
    QueryError
        When a query cannot be ranked.
    """
    memory, meter, start = machine.PeakMemory(), machine.LoadMeter(), time.monotonic()
    calls = [[pair] for pair in work]
    for system in systems:
        system.prepare(calls[: settings.samples])

    turns = [partial(one.turn, calls) for one in systems]
    warmed = start + WARM_UP_SHARE * settings.budget
    take_turns(turns, settings.warm_up, deadline=warmed, description="warm up")
    timed = start + (ROUNDS_SHARE if settings.sweep else 1) * settings.budget
    found = take_turns(turns, settings.samples, deadline=timed, description="time")
    sweep, skipped = (
        measure_sweep(build, systems, work, settings.sweep, deadline=start + settings.budget)
        if settings.sweep
        else ([], [])
    )
    return Latency(
        dataset=settings.dataset,
        first_stage=settings.first_stage,
        clock=clock,
        queries=min(len(work), len(found[0])),
        rounds=len(found[0]),
        wanted=settings.samples,
        budget=settings.budget,
        timings=tuple(
            _timing(one, samples, engines.get(one.reranker), clock)
            for one, samples in zip(systems, found, strict=True)
        ),
        sweep=tuple(sweep),
        skipped=tuple(skipped),
        load_seconds=load_seconds,
        peak_memory_bytes=memory.bytes(),
        device=machine.device_name(),
        threads=threads,
        passive_waits=machine.wait_passively(),
        busy=meter.label(),
    )


def _timing(system: System, samples: Sequence[Sample], engine: Engine | None, clock: Clock) -> Timing:
    found: dict[str, Any] = columns(samples) | mean_tokens(samples)
    if engine is not None:
        rankings = [ranking for sample in samples for ranking in sample.rankings]
        operations = sum(query_flops(engine.shape, one.stats, len(one.candidates)) for one in rankings)
        found["flops"] = operations / len(rankings)
        found["peak_share"] = operations / sum(found[clock]["total"]) / engine.matmul_rate
    tokenising = sum(sample.tokenising for sample in samples) / sum(found["wall"]["total"])
    return Timing(reranker=system.reranker, mode=system.mode, tokenising=tokenising, **found)


def read_work(settings: LatencySettings, layout: Layout) -> list[Work]:
    """Return the queries of an entry's data set that have candidates, with their candidates.

    Raises
    ------
    InputError
        When no query has a candidate.
    """
    path = layout.path(places.CANDIDATES, dataset=settings.dataset, first_stage=settings.first_stage)
    dataset = read_dataset(layout.path(places.CORPUS, dataset=settings.dataset).parent, settings.dataset)
    both = zip(*read_queries_with_candidates(path, dataset), strict=True)
    work = [(query, candidates) for query, candidates in both if len(candidates)]
    if not work:
        raise InputError("no query has a candidate to time", path=path, hint="retrieve candidates first")
    return work


def write_latency(configuration: Configuration, entry: str, layout: Layout) -> Path:
    """Time latency ``entry`` of the configuration in this process; write the result with its manifest.

    Models are loaded once and keep no document vectors. Raises as :func:`measure` and :func:`read_work` do.
    """
    started = time.time()
    settings = configuration.latency[entry]
    machine.wait_passively()
    work = read_work(settings, layout)
    models = Models.of(configuration, vector_cache=False)
    build = builder(configuration, models)
    systems = systems_of(settings, configuration, build)
    clock = clock_of(configuration, settings, models)  # a GPU is visible only after a model is loaded

    @cache
    def rate(dtype: str) -> float:
        return matmul_rate(dtype, time.process_time if clock == "cpu" else time.perf_counter)

    result = measure(
        systems,
        work,
        settings,
        build=build,
        clock=clock,
        threads=configuration.threads,
        load_seconds=models.load_seconds,
        engines={one.reranker: engine_of(one.settings, models, rate) for one in systems},
    )
    output = layout.path(places.LATENCY, latency=entry)
    write_record(output, result)
    chosen = {name: configuration.rerankers[name].model_dump(mode="json") for name in settings.rerankers}
    config = str(layout.path(places.CONFIG))
    names = {"dataset": settings.dataset, "first_stage": settings.first_stage}
    write_manifest(
        output,
        command=shlex.join(["e2rank-eval", "latency", entry, "--config", config]),
        settings=settings.model_dump(mode="json") | {"rerankers": chosen, "seed": configuration.seed},
        inputs=[layout.path(p, **names) for p in (places.CANDIDATES, places.CORPUS, places.QUERIES)],
        started=started,
    )
    return output
