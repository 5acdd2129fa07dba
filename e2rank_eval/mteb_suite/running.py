"""Runs a model over tasks, one by one: what is there is kept, what fails is named, files are whole."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import mteb
from mteb.abstasks import AbsTask
from mteb.abstasks.aggregated_task import AbsTaskAggregate
from mteb.models.model_meta import ModelMeta
from mteb.results import TaskResult

from e2rank_eval.errors import InputError, SuiteError
from e2rank_eval.mteb_suite.metering import Usage
from e2rank_eval.mteb_suite.result_files import ResultFiles
from e2rank_eval.progress import say
from e2rank_eval.store.files import sha256_json
from e2rank_eval.store.results import MtebTask


class MtebModel(Protocol):
    """What a run needs of an adapter besides mteb's own protocol."""

    mteb_model_meta: ModelMeta

    def key(self, task: AbsTask) -> str: ...

    def take_usage(self) -> Usage: ...


def run_tasks(
    model: MtebModel, wanted: Mapping[str, str], load: Callable[[str], AbsTask], files: ResultFiles
) -> list[MtebTask]:
    """Evaluate ``model`` on each task (name -> type) whose result is not there.

    A result is made anew where the model's inputs or parameters, its instruction for the task, or the
    data's revision have changed since. A task of several subsets goes on at the first that is missing.
    A task that fails is named with its reason, and the others are run.
    """
    records = []
    for number, (name, kind) in enumerate(wanted.items(), start=1):
        try:
            records.append(_run(model, load(name), files))
        except Exception as error:  # noqa: BLE001 - named in the record; other tasks do not need this one
            reason = str(error) if isinstance(error, SuiteError) else f"{type(error).__name__}: {error}"
            failure = " ".join(reason.removeprefix(f"{name}: ").split())
            records.append(MtebTask(task=name, type=kind, failure=failure))
        say(f"mteb {number}/{len(wanted)} {_told(records[-1])}")
    return records


def _run(model: MtebModel, task: AbsTask, files: ResultFiles) -> MtebTask:
    meta, name = model.mteb_model_meta, task.metadata.name
    parts = task.metadata.tasks if isinstance(task, AbsTaskAggregate) else [task]
    key = sha256_json([[model.key(part), part.metadata.revision] for part in parts])
    before = files.read_usage(name, meta)
    if before is not None and before["key"] != key:
        say(f"{name}: its result was made by other inputs or parameters; it is made again")
        for one in {name, *(part.metadata.name for part in parts)}:
            files.drop(one, meta)
        before = None
    done = _complete(files, task, meta)
    if done is not None:
        return _record(task, done, before)
    spent = {"key": key, "seconds": 0.0, **Usage().row()} if before is None else before
    files.write_usage(name, meta, spent)
    started = time.monotonic()
    try:
        result = mteb.evaluate(
            cast("Any", model), task, cache=files, overwrite_strategy="only-missing", co2_tracker=False,
            encode_kwargs={"show_progress_bar": False}, show_progress_bar=False,
        ).task_results[0]  # fmt: skip
    finally:
        spent = _plus(spent, time.monotonic() - started, model.take_usage())
        files.write_usage(name, meta, spent)
    return _record(task, result, spent)


def _complete(files: ResultFiles, task: AbsTask, meta: ModelMeta) -> TaskResult | None:
    """The stored result, if it has every split and subset of the task, on the same revision of its data."""
    found: TaskResult | None = files.load_task_result(task.metadata.name, meta)
    if found is None or found.get_missing_evaluations(task) or not found.is_mergeable(task):
        return None
    return found


def _plus(spent: dict[str, Any], seconds: float, usage: Usage) -> dict[str, Any]:
    counts = {name: spent[name] + count for name, count in usage.row().items()}
    return spent | counts | {"seconds": round(spent["seconds"] + seconds, 3)}


def _record(task: AbsTask, result: TaskResult, spent: dict[str, Any] | None) -> MtebTask:
    score = 100 * float(result.validate_and_filter_scores(task).get_score())
    if not math.isfinite(score):
        raise InputError(f"{task.metadata.name}: its score is {score}", hint="check the model's vectors")
    costs = {} if spent is None else {name: value for name, value in spent.items() if name != "key"}
    return MtebTask(task=task.metadata.name, type=task.metadata.type, score=round(score, 4), **costs)


def _told(record: MtebTask) -> str:
    if record.failure is not None:
        return f"{record.task}: failed ({record.failure})"
    if record.seconds is None:
        return f"{record.task}: {record.score:.2f}, found"
    return (
        f"{record.task}: {record.score:.2f}, {record.seconds:.1f} s, {record.forward_tokens} tokens computed"
    )
