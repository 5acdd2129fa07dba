"""The latency protocol: queries timed one by one, each once, after a warm-up, on work that is really done."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from e2rank_eval.configuration import Configuration, LatencySettings
from e2rank_eval.errors import InputError, QueryError, UnavailableError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.model_loading import Models
from e2rank_eval.progress import track
from e2rank_eval.records import CandidateList, Document, Query, Ranking
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.rerankers.families import build_reranker
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, read_queries_with_candidates
from e2rank_eval.store.files import write_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.timing import PhaseClock

FEWEST_SAMPLES = {"p50": 1, "p90": 20, "p99": 100}
"""A percentile is given only where at least so many samples stand behind it."""

Work = tuple[Query, CandidateList]


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed query: its ranking, and wall-clock seconds by phase with ``total`` around all of it."""

    ranking: Ranking
    seconds: Mapping[str, float]


def settled(totals: Sequence[float], runs: int = 3, tolerance: float = 0.1) -> bool:
    """Whether the last ``runs`` totals agree: the longest within ``tolerance`` of the shortest.

    >>> settled([9.0, 1.0, 1.05, 1.1]), settled([1.0, 1.0]), settled([1.0, 1.2, 1.0])
    (True, False, False)
    """
    last = totals[-runs:]
    return len(last) == runs and max(last) <= (1 + tolerance) * min(last)


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """p50, p90 and p99 by linear interpolation, None where the samples are too few to tell."""
    return {
        name: float(np.percentile(seconds, int(name[1:]))) if len(seconds) >= fewest else None
        for name, fewest in FEWEST_SAMPLES.items()
    }


def time_query(reranker: Reranker, query: Query, candidates: CandidateList) -> Sample:
    """Rank one query with the device waited for before and after.

    Raises
    ------
    QueryError
        Naming the query.
    """
    clock = PhaseClock(machine.synchroniser())
    try:
        with clock.phase("total"):
            ranking = reranker.rank(query, candidates)
    except Exception as error:
        raise QueryError(query.id, error) from error
    return Sample(ranking, dict(ranking.seconds) | clock.seconds)


def warm_up(reranker: Reranker, work: Work, most: int) -> list[float]:
    """Totals of untimed runs of one query until three in a row agree within 10 %, ``most`` at most.

    One and the same query, since only runs of equal work can be told to agree.
    """
    totals: list[float] = []
    while len(totals) < most and not settled(totals):
        totals.append(time_query(reranker, *work).seconds["total"])
    return totals


def measure_latency(
    reranker_factory: Callable[[], Reranker],
    queries: Sequence[Query],
    candidate_lists: Sequence[CandidateList],
    settings: LatencySettings,
    *,
    reranker: str,
    threads: int,
    seed: int = 13,
) -> dict[str, Any]:
    """Time ``settings.samples`` queries (all, where there are fewer) one by one and describe the times.

    ``reranker_factory`` loads the model, which is timed apart; what it builds must hold no cache of
    its own. In mode ``online`` all work is timed. Mode ``stored`` has the documents encoded ahead by
    ``prepare`` and times the rest; it exists where the reranker has a true attribute
    ``stores_documents``. No query is timed twice in a mode. The warm-up query is one that is not
    timed; where there is no other, a label says so.

    Raises
    ------
    InputError
        When no query has a candidate.
    QueryError
        When a query cannot be ranked.
    """
    work = [pair for pair in zip(queries, candidate_lists, strict=True) if len(pair[1])]
    if not work:
        raise InputError(
            f"no query of {settings.dataset!r} has a candidate to time", mend="retrieve candidates first"
        )
    timed, spare = work[: settings.samples], work[settings.samples :]
    rehearsal = spare[0] if spare else timed[-1]
    start = time.perf_counter()
    model = reranker_factory()
    load_seconds = time.perf_counter() - start
    stores = bool(getattr(model, "stores_documents", False))
    modes: dict[str, dict[str, Any]] = {}
    # Online goes first: what is prepared stays prepared.
    for mode in ("online", "stored"):
        if mode in settings.document_vectors if stores else mode == "online":
            prepared = _prepare(model, [*timed, rehearsal]) if mode == "stored" else {}
            machine.reset_peak_memory()
            modes[mode] = _mode(model, timed, rehearsal, settings, f"{reranker}, {mode}", seed) | prepared
    return {
        "dataset": settings.dataset,
        "first_stage": settings.first_stage,
        "reranker": reranker,
        "modes": modes,
        "load_seconds": load_seconds,
        "device": machine.device_name(),
        "threads": threads,
        "labels": [] if spare else ["warmed up on a query that is timed as well"],
        "resumed": False,
    }


def _prepare(model: Reranker, work: Sequence[Work]) -> dict[str, Any]:
    documents: dict[str, Document] = {d.id: d for _, candidates in work for d in candidates.documents}
    start = time.perf_counter()
    model.prepare(list(documents.values()))
    return {"prepare_seconds": time.perf_counter() - start, "prepared_documents": len(documents)}


def _mode(
    model: Reranker, timed: Sequence[Work], rehearsal: Work, settings: LatencySettings, name: str, seed: int
) -> dict[str, Any]:
    totals = warm_up(model, rehearsal, settings.warm_up)
    samples = [time_query(model, *pair) for pair in track(timed, description=f"time {name}")]
    return summarise(samples, seed=seed) | {
        "warm_up": len(totals),
        "warm_up_agreed": settled(totals),
        "peak_memory_bytes": machine.peak_memory_bytes(),
    }


def summarise(samples: Sequence[Sample], *, seed: int) -> dict[str, Any]:
    """Describe samples: seconds and percentiles by phase, mean total with its bootstrap 95 % interval,
    queries per second one at a time, and mean tokens and candidates of a query."""
    phases = sorted({phase for sample in samples for phase in sample.seconds})
    seconds = {phase: [sample.seconds.get(phase, 0.0) for sample in samples] for phase in phases}
    traces = [sample.ranking.trace for sample in samples]
    return {
        "samples": len(samples),
        "seconds": seconds,
        "percentiles": {phase: percentiles(values) for phase, values in seconds.items()},
        "mean": float(np.mean(seconds["total"])),
        "interval": list(bootstrap_interval([seconds["total"]], seed=seed)),
        "queries_per_second": len(samples) / sum(seconds["total"]),
        "prompt_tokens": float(np.mean([trace.prompt_tokens for trace in traces])),
        "document_tokens": float(np.mean([trace.document_tokens for trace in traces])),
        "output_tokens": float(np.mean([trace.output_tokens for trace in traces])),
        "candidates": float(np.mean([len(sample.ranking.candidates) for sample in samples])),
    }


def latency(
    configuration: Configuration,
    entry: str,
    reranker: str,
    layout: Layout,
    *,
    refuse_busy: bool = False,
    models: Models | None = None,
) -> Path:
    """Time ``reranker`` as the configuration's latency ``entry`` asks, alone on the machine; return the file.

    ``models`` must keep no document vectors (``vector_cache=False``), as those made here do not. A
    machine that others keep busy, before or meanwhile, is named in ``labels``.

    Raises
    ------
    UnavailableError
        When the machine is busy and ``refuse_busy`` is set, or another measurement does not end.
    """
    settings = configuration.latency[entry]
    names = {"dataset": settings.dataset, "first_stage": settings.first_stage}
    candidates_path = layout.path(places.CANDIDATES, **names)
    queries, lists = _work(layout, settings.dataset, candidates_path)
    models = models or Models(configuration.cache, threads=configuration.threads, vector_cache=False)
    context = RerankContext(models=models, seed=configuration.seed)
    loaded = models.load_seconds
    with machine.alone():
        started = time.time()
        before = _refuse_or_label(refuse_busy)
        meter = machine.LoadMeter()
        result = measure_latency(
            lambda: build_reranker(configuration.rerankers[reranker], context),
            queries,
            lists,
            settings,
            reranker=reranker,
            threads=configuration.threads,
            seed=configuration.seed,
        )
        meanwhile = machine.busy_label(meter.others(), machine.usable_cores())
    # The factory's time holds fetching and hashing files too; the models know what loading alone took.
    result["load_seconds"] = models.load_seconds - loaded
    result["labels"] += [label for label in (meanwhile or before,) if label]
    artefact = layout.path(places.LATENCY, **names, reranker=reranker)
    write_json(artefact, result)
    config = str(layout.path(places.CONFIG))
    write_manifest(
        artefact,
        command=shlex.join(["e2rank-eval", "latency", entry, reranker, "--config", config]),
        settings=settings.model_dump(mode="json")
        | {"reranker": configuration.rerankers[reranker].model_dump(mode="json"), "seed": configuration.seed},
        inputs=[
            candidates_path,
            *(layout.path(p, dataset=settings.dataset) for p in (places.CORPUS, places.QUERIES)),
        ],
        started=started,
    )
    return artefact


def _work(layout: Layout, name: str, candidates_path: Path) -> tuple[list[Query], list[CandidateList]]:
    dataset = read_dataset(layout.root / "datasets" / name, name)
    return read_queries_with_candidates(candidates_path, dataset)


def _refuse_or_label(refuse_busy: bool) -> str | None:
    label = machine.busy_label(machine.load_now(), machine.usable_cores())
    if label is not None and refuse_busy:
        raise UnavailableError(
            f"{label}; wait until it is idle, or leave --refuse-busy out to have this labelled"
        )
    return label
