"""Means over tasks and over types of tasks, each saying of how many tasks it is the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from e2rank_eval.store.results import TaskMean


@dataclass(frozen=True, slots=True)
class Summary:
    """``tasks``: the mean over tasks, mteb's "Mean (Task)" and the paper's "Avg."; ``by_type`` over the
    tasks of each type; ``types``: the mean of these means, mteb's "Mean (TaskType)"."""

    tasks: TaskMean
    types: TaskMean
    by_type: Mapping[str, TaskMean]
    missing: tuple[str, ...]


def summarise(wanted: Mapping[str, str], scores: Mapping[str, float]) -> Summary:
    """Means of ``scores`` (by task) over the tasks ``wanted`` (task -> type); other scores are passed over.

    The mean over types is of as many types as are whole: one that lacks a task has no mean of its own.

    >>> summarise({"STS13": "STS", "STS14": "STS", "SciFact": "Retrieval"}, {"STS13": 80.0}).by_type["STS"]
    TaskMean(value=80.0, scored=1, wanted=2)
    """
    types = {kind: [task for task in wanted if wanted[task] == kind] for kind in sorted(set(wanted.values()))}
    by_type = {kind: _mean(tasks, scores) for kind, tasks in types.items()}
    whole = {kind: mean.value for kind, mean in by_type.items() if mean.complete and mean.value is not None}
    return Summary(
        tasks=_mean(list(wanted), scores),
        types=_mean(list(types), whole),
        by_type=by_type,
        missing=tuple(task for task in wanted if task not in scores),
    )


def _mean(names: Sequence[str], scores: Mapping[str, float]) -> TaskMean:
    found = [scores[name] for name in names if name in scores]
    value = sum(found) / len(found) if found else None
    return TaskMean(value=value, scored=len(found), wanted=len(names))
