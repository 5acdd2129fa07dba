"""Runs a model over tasks, one by one: stored results are kept, failures are named, writes are atomic."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol, cast

import mteb
from mteb.abstasks import AbsTask
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.cache import ResultCache
from mteb.models.model_meta import ModelMeta
from mteb.results import TaskResult
from pydantic import ValidationError

from e2rank_eval.errors import InputError, SuiteError
from e2rank_eval.mteb_suite.encoder import Usage
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_json, sha256_json, write_json
from e2rank_eval.store.results import MtebTask


class MtebModel(Protocol):
    """What a run needs of an adapter besides mteb's own protocol."""

    mteb_model_meta: ModelMeta

    def key(self, task: AbsTask) -> str: ...

    def take_usage(self) -> Usage: ...


class ResultFiles(ResultCache):
    """``<root>/results/<org>__<name>/<revision>/<task>.json``, as mteb writes them.

    mteb does not write atomically: what a killed process left truncated is recognised when it is read.
    """

    def load_task_result(self, task_name: str, model_name: str | ModelMeta, *args: Any, **kwargs: Any) -> Any:
        """Return a stored result, or None; a truncated one is reported, removed and counts as missing."""
        try:
            return super().load_task_result(task_name, model_name, *args, **kwargs)
        except (json.JSONDecodeError, UnicodeDecodeError, ValidationError, KeyError) as error:
            path = self.get_task_result_path(task_name, model_name, *args)
            say(f"{path}: not a complete result ({type(error).__name__}); the task is run again")
            path.unlink()
            return None

    def usage_path(self, task_name: str, meta: ModelMeta) -> Path:
        """Return where the costs of a task are stored: a file of ours among mteb's would count as a task."""
        result = self.get_task_result_path(task_name, meta)
        return self.cache_path / "usage" / result.relative_to(self.cache_path / "results")


def run_tasks(
    model: MtebModel, wanted: Mapping[str, str], load: Callable[[str], AbsTask], files: ResultFiles
) -> list[MtebTask]:
    """Evaluate ``model`` on each task (name -> type) whose result is not stored.

    A result is made again where the model's inputs or parameters, its instruction for the task, or the
    data's revision have changed since. A task of several subsets resumes at the first that is missing.
    A task that fails is named with its reason, and the others are run.
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
        say(f"{name}: its result was made by other inputs or parameters; it is made again")
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
    """Return the stored result, if it has every split and subset, on the same revision of the data."""
    found: TaskResult | None = files.load_task_result(task.metadata.name, meta)
    if found is None or found.get_missing_evaluations(task) or not found.is_mergeable(task):
        return None
    return found
