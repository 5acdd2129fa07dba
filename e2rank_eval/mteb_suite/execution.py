"""The mteb command: one model or reranker over the tasks of an entry, and the record of it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence

from datasets import disable_progress_bars

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import MtebSettings
from e2rank_eval.config.references import file_name
from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.loading import Models
from e2rank_eval.models.references import Catalogue
from e2rank_eval.mteb_suite.encoder import load_mteb_encoder
from e2rank_eval.mteb_suite.instructions import read_instructions
from e2rank_eval.mteb_suite.registration import reranker_meta
from e2rank_eval.mteb_suite.rerankers import MtebReranker
from e2rank_eval.mteb_suite.running import MtebModel, ResultFiles, run_tasks
from e2rank_eval.mteb_suite.summary import summarise
from e2rank_eval.mteb_suite.tasks import load_task, wanted_tasks
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.store import layout as places
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.locks import exclusive
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import MtebRecord, MtebTask, write_record


def run_mteb(configuration: Configuration, settings: MtebSettings, system: str, layout: Layout) -> MtebRecord:
    """Run ``system``, one of ``settings.systems``, and return its record.

    mteb's result files are stored in ``mteb/results/<org>__<name>/<revision>/``; those that exist are kept.
    The record has every task with score, seconds and tokens, the means, and what is missing and why.

    Raises
    ------
    InputError
        For an unknown benchmark, task or model, or one that is not an encoder.
    UnavailableError
        When the model's files cannot be had, or another process runs the same system.
    """
    disable_progress_bars()
    wanted = wanted_tasks(settings.benchmark, settings.tasks)
    model = _adapter(configuration, settings, system)
    lock = configuration.cache / "locks" / f"{configuration.profile}-mteb-{file_name(system)}.lock"
    with exclusive(lock, what=f"mteb of {system}"):
        records = run_tasks(
            model,
            wanted,
            lambda name: load_task(name, settings.benchmark, configuration.cache),
            ResultFiles(layout.root / places.MTEB),
        )
    return MtebRecord(
        system=system,
        name=str(model.mteb_model_meta.name),
        revision=str(model.mteb_model_meta.revision),
        benchmark=settings.benchmark,
        tasks=tuple(records),
        means=summarise(wanted, {one.task: one.score for one in records if one.score is not None}),
    )


def write_mteb_record(configuration: Configuration, entry: str, system: str, layout: Layout) -> MtebRecord:
    """Run ``system`` as :func:`run_mteb` does and write ``mteb/records/<entry>/<system>.json``.

    Raises
    ------
    UnavailableError
        When tasks failed and the entry does not allow that: the record is written nevertheless.
    """
    started = time.time()
    settings = configuration.mteb[entry]
    record = run_mteb(configuration, settings, system, layout)
    path = layout.path(places.MTEB_RECORD, entry=entry, system=file_name(system))
    write_record(path, record)
    command = ["e2rank-eval", "mteb", system, "--entry", entry, "--config", str(layout.path(places.CONFIG))]
    write_manifest(
        path,
        command=shlex.join(command),
        settings=settings.model_dump(mode="json"),
        inputs=[settings.instructions] if settings.instructions is not None else [],
        started=started,
    )
    if not settings.allow_missing:
        refuse_missing(record.tasks)
    return record


def refuse_missing(tasks: Sequence[MtebTask]) -> None:
    """Raise UnavailableError, naming the first reason, when a task has no score."""
    failed = [task for task in tasks if task.failure is not None]
    if failed:
        others = f" (and {len(failed) - 1} others)" if len(failed) > 1 else ""
        raise UnavailableError(
            f"{len(failed)} of {len(tasks)} tasks have no score: {failed[0].task}{others}: "
            f"{failed[0].failure}; fix that and run again, what is done is kept"
        )


def _adapter(configuration: Configuration, settings: MtebSettings, system: str) -> MtebModel:
    cache, threads, keep_vectors = configuration.cache, configuration.threads, settings.keep_vectors
    if system not in settings.rerankers:
        path = settings.instructions
        instructions = None if path is None else read_instructions(path)
        return load_mteb_encoder(
            system,
            cache,
            threads=threads,
            instructions=instructions,
            keep_vectors=keep_vectors,
            catalogue=Catalogue.of(configuration),
        )
    models = Models.of(configuration, vector_cache=keep_vectors)
    context = RerankContext(models=models, seed=configuration.seed)
    reranker = configuration.rerankers[system].build(context)
    first_stage = None if settings.first_stage is None else models.encoder(settings.first_stage)
    meta = reranker_meta(system, reranker.fingerprint)
    return MtebReranker(reranker, meta, first_stage=first_stage, depth=settings.depth)
