"""Runs of a model or reranker on the tasks of an mteb entry, and the record of its scores."""

from __future__ import annotations

import json
import math
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import mteb
from datasets import disable_progress_bars
from mteb.abstasks import AbsTask
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.cache import ResultCache
from mteb.models.model_meta import ModelMeta
from mteb.results import TaskResult
from pydantic import ValidationError

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import MtebSettings
from e2rank_eval.config.references import file_name
from e2rank_eval.errors import InputError, SuiteError, UnavailableError
from e2rank_eval.models.loading import Models
from e2rank_eval.mteb_suite.encoder import MtebEncoder, Usage, load_mteb_encoder
from e2rank_eval.mteb_suite.instructions import read_instructions
from e2rank_eval.mteb_suite.rerankers import MtebReranker, reranker_meta
from e2rank_eval.mteb_suite.summary import summarise
from e2rank_eval.mteb_suite.tasks import load_task, wanted_tasks
from e2rank_eval.progress import say
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, sha256_json, write_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.locks import exclusive
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import MtebRecord, MtebTask, write_record

MtebModel = MtebEncoder | MtebReranker


def run_mteb(configuration: Configuration, settings: MtebSettings, system: str, layout: Layout) -> MtebRecord:
    """Run ``system``, one of ``settings.systems``, and return its record.

    mteb's result files are stored in ``mteb/results/<org>__<name>/<revision>/``; existing ones are kept.
    The record has the score, seconds and tokens of every task, the means, and the reason of each failure.

    Raises
    ------
    InputError
        For an unknown benchmark, task or model, or one that is not an encoder.
    UnavailableError
        When the model's files are not available, or another process runs the same system.
    """
    disable_progress_bars()
    wanted = wanted_tasks(settings.benchmark, settings.tasks)
    model = _adapter(configuration, settings, system)
    lock = configuration.cache / "locks" / f"{configuration.profile}+mteb+{file_name(system)}.lock"
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
        When tasks failed; the record is written nevertheless.
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
    refuse_missing(record.tasks)
    return record


def refuse_missing(tasks: Sequence[MtebTask]) -> None:
    """Raise UnavailableError with the first reason if a task has no score."""
    failed = [task for task in tasks if task.failure is not None]
    if failed:
        others = f" (and {len(failed) - 1} others)" if len(failed) > 1 else ""
        raise UnavailableError(
            f"{len(failed)} of {len(tasks)} tasks have no score: {failed[0].task}{others}: "
            f"{failed[0].failure}; fix that and run again, what is done is kept"
        )


def _adapter(configuration: Configuration, settings: MtebSettings, system: str) -> MtebModel:
    models = Models.of(configuration, vector_cache=settings.keep_vectors)
    if system not in settings.rerankers:
        path = settings.instructions
        return load_mteb_encoder(system, models, None if path is None else read_instructions(path))
    context = RerankContext(models=models, seed=configuration.seed)
    reranker = configuration.rerankers[system].build(context)
    first_stage = None if settings.first_stage is None else models.encoder(settings.first_stage)
    meta = reranker_meta(system, reranker.fingerprint)
    return MtebReranker(reranker, meta, first_stage=first_stage, depth=settings.depth)


class ResultFiles(ResultCache):
    """``<root>/results/<org>__<name>/<revision>/<task>.json``, as mteb writes them.

    mteb does not write atomically; a file truncated by a killed process is detected on reading.
    """

    def load_task_result(self, task_name: str, model_name: str | ModelMeta, *args: Any, **kwargs: Any) -> Any:
        """Return a stored result, or None; a truncated file is logged, removed and counts as missing."""
        try:
            return super().load_task_result(task_name, model_name, *args, **kwargs)
        except (json.JSONDecodeError, UnicodeDecodeError, ValidationError, KeyError) as error:
            path = self.get_task_result_path(task_name, model_name, *args)
            say(f"{path}: not a complete result ({type(error).__name__}); the task is run again")
            path.unlink()
            return None

    def usage_path(self, task_name: str, meta: ModelMeta) -> Path:
        """Return the path of a task's costs, outside mteb's folder, where any file counts as a result."""
        result = self.get_task_result_path(task_name, meta)
        return self.cache_path / "usage" / result.relative_to(self.cache_path / "results")


def run_tasks(
    model: MtebModel, wanted: Mapping[str, str], load: Callable[[str], AbsTask], files: ResultFiles
) -> list[MtebTask]:
    """Evaluate ``model`` on each task (name -> type) whose result is not stored.

    A stored result is replaced if the model's inputs or parameters, its instruction for the task, or the
    revision of the data have changed. A task of several subsets resumes at the first missing subset.
    A task that fails is recorded with the reason, and the next one runs.
    """
    records = []
    for number, (name, kind) in enumerate(wanted.items(), start=1):
        try:
            record = _run(model, load(name), files)
            cost = "found" if record.seconds is None else f"{record.seconds:.1f} s"
            say(f"mteb {number}/{len(wanted)} {name}: {record.score:.2f}, {cost}")
        except Exception as error:  # noqa: BLE001 - named in the record; other tasks do not need this one
            reason = str(error) if isinstance(error, SuiteError) else f"{type(error).__name__}: {error}"
            failure = " ".join(reason.removeprefix(f"{name}: ").split())
            record = MtebTask(task=name, type=kind, failure=failure)
            say(f"mteb {number}/{len(wanted)} {name}: failed ({failure})")
        records.append(record)
    return records


def _run(model: MtebModel, task: AbsTask, files: ResultFiles) -> MtebTask:
    meta, name = model.mteb_model_meta, task.metadata.name
    parts = task.metadata.tasks if isinstance(task, AbsTaskAggregate) else [task]
    key = sha256_json([[model.key(part), part.metadata.revision] for part in parts])
    path = files.usage_path(name, meta)
    spent = read_json(path) if path.exists() else None
    if spent is not None and spent["key"] != key:
        say(f"{name}: its stored result has other inputs or parameters; the task is run again")
        for one in {name, *(part.metadata.name for part in parts)}:
            files.get_task_result_path(one, meta).unlink(missing_ok=True)
        spent = None
    result = _complete(files, task, meta)
    if result is None:
        spent = spent or {"key": key, "seconds": 0.0, **asdict(Usage())}
        write_json(path, spent)
        started = time.monotonic()
        try:
            result = mteb.evaluate(
                cast("Any", model), task, cache=files, overwrite_strategy="only-missing",
                co2_tracker=False, encode_kwargs={"show_progress_bar": False}, show_progress_bar=False,
            ).task_results[0]  # fmt: skip
        finally:
            for count, more in asdict(model.take_usage()).items():
                spent[count] += more
            spent["seconds"] = round(spent["seconds"] + time.monotonic() - started, 3)
            write_json(path, spent)
    score = 100 * float(result.validate_and_filter_scores(task).get_score())
    if not math.isfinite(score):
        raise InputError(f"{name}: its score is {score}", hint="check the model's vectors")
    costs = {count: value for count, value in (spent or {}).items() if count != "key"}
    return MtebTask(task=name, type=task.metadata.type, score=round(score, 4), **costs)


def _complete(files: ResultFiles, task: AbsTask, meta: ModelMeta) -> TaskResult | None:
    """Return the stored result if it covers every split and subset on the same revision of the data."""
    found: TaskResult | None = files.load_task_result(task.metadata.name, meta)
    if found is None or found.get_missing_evaluations(task) or not found.is_mergeable(task):
        return None
    return found
