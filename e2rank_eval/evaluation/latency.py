"""The latency protocol: queries timed one by one, each once, after a warm-up, on work that is really done."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import LatencySettings
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.cost_sweep import measure_sweep
from e2rank_eval.evaluation.flops import Engine, engine_of, query_flops
from e2rank_eval.evaluation.samples import Sample, Work, modes_of, settled, summarise, time_call
from e2rank_eval.models.loading import Models
from e2rank_eval.progress import track
from e2rank_eval.records import Document
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_dataset, read_queries_with_candidates
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import Latency, Mode, ModeName, write_record

REHEARSED = "warmed up on a query that is timed as well"
CACHED = "document vectors may come from the cache, so that encoding them is not fully counted"


def warm_up(model: Reranker, work: Work, most: int) -> list[float]:
    """Return totals of untimed runs of one query until three in a row agree within 10 %, ``most`` at most.

    One and the same query, since only runs of equal work can agree.
    """
    totals: list[float] = []
    while len(totals) < most and not settled(totals):
        totals.append(time_call(model, [work]).seconds["total"])
    return totals


def measure_modes(
    model: Reranker,
    work: Sequence[Work],
    settings: LatencySettings,
    *,
    name: str,
    seed: int,
    engine: Engine | None = None,
) -> dict[ModeName, Mode]:
    """Time ``settings.samples`` queries of ``work`` (all, where there are fewer) one by one in every mode.

    Every query of ``work`` has a candidate; ``model`` must hold no cache of its own. In mode ``online``
    all work is timed. Mode ``stored`` has the documents encoded ahead and times the rest. No query is
    timed twice in a mode. The warm-up query is one that is not timed, where there is one. With ``engine``,
    each mode has an estimate of the floating-point operations of a query too, and the share of the
    device's rate that they reach.

    Raises
    ------
    QueryError
        When a query cannot be ranked.
    """
    timed, spare = work[: settings.samples], work[settings.samples :]
    rehearsal = spare[0] if spare else timed[-1]
    modes: dict[ModeName, Mode] = {}
    for mode in modes_of(model, settings.document_vectors):
        found: dict[str, Any] = _prepare(model, [*timed, rehearsal]) if mode == "stored" else {}
        memory = machine.PeakMemory()
        totals = warm_up(model, rehearsal, settings.warm_up)
        samples = [time_call(model, [one]) for one in track(timed, description=f"time {name}, {mode}")]
        found |= summarise(samples, seed=seed) | _operations(samples, engine)
        found |= {"warm_up": len(totals), "warm_up_agreed": settled(totals)}
        modes[mode] = Mode(**found, peak_memory_bytes=memory.bytes())
    return modes


def _prepare(model: Reranker, work: Sequence[Work]) -> dict[str, Any]:
    documents: dict[str, Document] = {d.id: d for _, candidates in work for d in candidates.documents}
    start = time.perf_counter()
    model.encode_documents(list(documents.values()))
    return {"prepare_seconds": time.perf_counter() - start, "prepared_documents": len(documents)}


def _operations(samples: Sequence[Sample], engine: Engine | None) -> dict[str, Any]:
    """Return the mean estimated operations of a query, and their rate as a share of the device's."""
    if engine is None:
        return {"flops": None, "peak_share": None}
    rankings = [ranking for sample in samples for ranking in sample.rankings]
    operations = sum(query_flops(engine.shape, one.stats, len(one.candidates)) for one in rankings)
    seconds = sum(sample.seconds["total"] for sample in samples)
    return {"flops": operations / len(rankings), "peak_share": operations / seconds / engine.matmul_rate}


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
    InputError
        When no query has a candidate.
    UnavailableError
        When the machine is busy and ``refuse_busy`` is set, another measurement does not end, or
        ``models`` keep vectors and ``allow_cached`` is not set.
    """
    settings = configuration.latency[entry]
    names = {"dataset": settings.dataset, "first_stage": settings.first_stage}
    candidates_path = layout.path(places.CANDIDATES, **names)
    dataset = read_dataset(layout.path(places.CORPUS, dataset=settings.dataset).parent, settings.dataset)
    both = zip(*read_queries_with_candidates(candidates_path, dataset), strict=True)
    work = [(query, candidates) for query, candidates in both if len(candidates)]
    if not work:
        raise InputError(
            "no query has a candidate to time", path=candidates_path, hint="retrieve candidates first"
        )
    models = models or Models.of(configuration, vector_cache=allow_cached)
    if models.keeps_vectors and not allow_cached:
        raise UnavailableError(f"{CACHED}; pass --allow-cached to have this measured and labelled")
    context = RerankContext(models=models, seed=configuration.seed)
    loaded = models.load_seconds
    chosen = configuration.rerankers[reranker]
    with machine.alone():
        started = time.time()
        before = machine.busy_label(machine.load_now(), machine.usable_cores())
        if before is not None and refuse_busy:
            raise UnavailableError(
                f"{before}; wait until it is free, or omit --refuse-busy to have this labelled"
            )
        meter = machine.LoadMeter()
        engine = engine_of(chosen, models)
        model = chosen.build(context)
        # Building takes fetching and hashing files too; the models know what loading alone took.
        loading = models.load_seconds - loaded
        modes = measure_modes(model, work, settings, name=reranker, seed=configuration.seed, engine=engine)
        sweep = settings.sweep and measure_sweep(
            lambda one: one.build(context), chosen, work, settings.sweep, name=reranker
        )
        meanwhile = machine.busy_label(meter.others(), machine.usable_cores())
    labels = (
        REHEARSED if len(work) <= settings.samples else None,
        meanwhile or before,
        CACHED if models.keeps_vectors else None,
    )
    result = Latency(
        **names,
        reranker=reranker,
        modes=modes,
        sweep=tuple(sweep or ()),
        load_seconds=loading,
        device=machine.device_name(),
        threads=configuration.threads,
        labels=tuple(label for label in labels if label),
        matmul_rate=None if engine is None else engine.matmul_rate,
    )
    output = layout.path(places.LATENCY, **names, reranker=reranker)
    write_record(output, result)
    config = str(layout.path(places.CONFIG))
    write_manifest(
        output,
        command=shlex.join(["e2rank-eval", "latency", entry, reranker, "--config", config]),
        settings=settings.model_dump(mode="json")
        | {"reranker": chosen.model_dump(mode="json"), "seed": configuration.seed},
        inputs=[
            candidates_path,
            *(layout.path(p, dataset=settings.dataset) for p in (places.CORPUS, places.QUERIES)),
        ],
        started=started,
    )
    return output
