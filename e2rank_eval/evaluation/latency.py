"""The latency protocol: queries timed one by one, each once, after a warm-up, on work that is really done."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration, LatencySettings
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.cost_sweep import measure_sweep
from e2rank_eval.evaluation.engine import Engine, engine_of
from e2rank_eval.evaluation.flops import query_flops
from e2rank_eval.evaluation.samples import Sample, settled, summarise, time_query
from e2rank_eval.models.loading import Models
from e2rank_eval.progress import track
from e2rank_eval.records import CandidateList, Document, Query
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.rerankers.families import build_reranker
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, read_queries_with_candidates
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import Latency, Mode, ModeName, write_record

CACHED = "document vectors may come from the cache, so that encoding them is not fully counted"

Work = tuple[Query, CandidateList]


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
    seed: int,
    engine: Engine | None = None,
) -> Latency:
    """Time ``settings.samples`` queries (all, where there are fewer) one by one and describe the times.

    ``reranker_factory`` loads the model, which is timed apart; what it builds must hold no cache of
    its own. In mode ``online`` all work is timed. Mode ``stored`` has the documents encoded ahead by
    ``prepare`` and times the rest; it exists where the reranker has a true attribute
    ``stores_documents``. No query is timed twice in a mode. The warm-up query is one that is not
    timed; where there is no other, a label says so. With ``engine``, each mode has an estimate of the
    floating-point operations of a query too, and the share of the device's rate that they reach.

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
            f"no query of {settings.dataset!r} has a candidate to time", hint="retrieve candidates first"
        )
    timed, spare = work[: settings.samples], work[settings.samples :]
    rehearsal = spare[0] if spare else timed[-1]
    start = time.perf_counter()
    model = reranker_factory()
    load_seconds = time.perf_counter() - start
    stores = bool(getattr(model, "stores_documents", False))
    found: dict[ModeName, Mode] = {}
    # Online goes first: what is prepared stays prepared.
    modes: tuple[ModeName, ...] = ("online", "stored")
    for mode in modes:
        if mode in settings.document_vectors if stores else mode == "online":
            prepared = _prepare(model, [*timed, rehearsal]) if mode == "stored" else {}
            machine.reset_peak_memory()
            name = f"{reranker}, {mode}"
            times = _mode(model, timed, rehearsal, settings, name, seed, engine)
            found[mode] = Mode.model_validate(times | prepared)
    return Latency(
        dataset=settings.dataset,
        first_stage=settings.first_stage,
        reranker=reranker,
        modes=found,
        load_seconds=load_seconds,
        device=machine.device_name(),
        threads=threads,
        labels=() if spare else ("warmed up on a query that is timed as well",),
        resumed=False,
    )


def _prepare(model: Reranker, work: Sequence[Work]) -> dict[str, Any]:
    documents: dict[str, Document] = {d.id: d for _, candidates in work for d in candidates.documents}
    start = time.perf_counter()
    model.prepare(list(documents.values()))
    return {"prepare_seconds": time.perf_counter() - start, "prepared_documents": len(documents)}


def _mode(
    model: Reranker,
    timed: Sequence[Work],
    rehearsal: Work,
    settings: LatencySettings,
    name: str,
    seed: int,
    engine: Engine | None,
) -> dict[str, Any]:
    totals = warm_up(model, rehearsal, settings.warm_up)
    samples = [time_query(model, *pair) for pair in track(timed, description=f"time {name}")]
    return (
        summarise(samples, seed=seed)
        | _operations(samples, engine)
        | {
            "warm_up": len(totals),
            "warm_up_agreed": settled(totals),
            "peak_memory_bytes": machine.peak_memory_bytes(),
        }
    )


def _operations(samples: Sequence[Sample], engine: Engine | None) -> dict[str, Any]:
    """Mean estimated operations of a query, and their rate as a share of the device's."""
    if engine is None or engine.shape is None or engine.matmul_rate is None:
        return {"flops": None, "peak_share": None}
    operations = [
        query_flops(engine.shape, sample.ranking.stats, len(sample.ranking.candidates)) for sample in samples
    ]
    seconds = sum(sample.seconds["total"] for sample in samples)
    return {
        "flops": sum(operations) / len(operations),
        "peak_share": sum(operations) / seconds / engine.matmul_rate,
    }


def latency(
    configuration: Configuration,
    entry: str,
    reranker: str,
    layout: Layout,
    *,
    refuse_busy: bool = False,
    allow_cached: bool = False,
    models: Models | None = None,
) -> Path:
    """Time ``reranker`` as the configuration's latency ``entry`` asks, alone on the machine; return the file.

    The models keep no document vectors unless ``allow_cached`` is set, which ``labels`` then says. A
    machine that others keep busy, before or meanwhile, is named there too.

    Raises
    ------
    UnavailableError
        When the machine is busy and ``refuse_busy`` is set, another measurement does not end, or
        ``models`` keep vectors and ``allow_cached`` is not set.
    """
    settings = configuration.latency[entry]
    names = {"dataset": settings.dataset, "first_stage": settings.first_stage}
    candidates_path = layout.path(places.CANDIDATES, **names)
    queries, lists = _work(layout, settings.dataset, candidates_path)
    models = models or Models(configuration.cache, threads=configuration.threads, vector_cache=allow_cached)
    if models.keeps_vectors and not allow_cached:
        raise UnavailableError(f"{CACHED}; pass --allow-cached to have this measured and labelled")
    context = RerankContext(models=models, seed=configuration.seed)
    loaded = models.load_seconds
    chosen = configuration.rerankers[reranker]
    with machine.alone():
        started = time.time()
        before = _refuse_or_label(refuse_busy)
        meter = machine.LoadMeter()
        engine = engine_of(chosen, models)
        result = measure_latency(
            lambda: build_reranker(chosen, context),
            queries,
            lists,
            settings,
            reranker=reranker,
            threads=configuration.threads,
            seed=configuration.seed,
            engine=engine,
        )
        # Building the model again below would count as loading; it is in memory by now.
        loading = models.load_seconds - loaded
        if settings.sweep is not None:
            work = list(zip(queries, lists, strict=True))
            points = measure_sweep(
                lambda one: build_reranker(one, context), chosen, work, settings.sweep, name=reranker
            )
            result = result.model_copy(update={"sweep": tuple(points)})
        meanwhile = machine.busy_label(meter.others(), machine.usable_cores())
    # The factory's time holds fetching and hashing files too; the models know what loading alone took.
    cached = CACHED if models.keeps_vectors else None
    labels = (*result.labels, *(label for label in (meanwhile or before, cached) if label))
    about = {"load_seconds": loading, "resumed": models.keeps_vectors, "labels": labels}
    result = result.model_copy(update=about | engine.record())
    artefact = layout.path(places.LATENCY, **names, reranker=reranker)
    write_record(artefact, result)
    config = str(layout.path(places.CONFIG))
    write_manifest(
        artefact,
        command=shlex.join(["e2rank-eval", "latency", entry, reranker, "--config", config]),
        settings=settings.model_dump(mode="json")
        | {"reranker": chosen.model_dump(mode="json"), "seed": configuration.seed},
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
