"""Means over tasks and over types of tasks, each saying of how many tasks it is the mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mean:
    """``value`` over ``scored`` of ``wanted`` tasks; None where none is scored."""

    value: float | None
    scored: int
    wanted: int

    @property
    def whole(self) -> bool:
        return self.scored == self.wanted

    def told(self) -> str:
        """As it may be printed: a mean over a part of the tasks never without saying so.

        >>> Mean(81.0, 2, 2).told(), Mean(81.0, 2, 3).told(), Mean(None, 0, 3).told()
        ('81.00 (2 of 2)', '81.00 (only 2 of 3)', '– (0 of 3)')
        """
        if self.value is None:
            return f"– (0 of {self.wanted})"
        return f"{self.value:.2f} ({'' if self.whole else 'only '}{self.scored} of {self.wanted})"


@dataclass(frozen=True, slots=True)
class Summary:
    """``tasks``: the mean over tasks, mteb's "Mean (Task)" and the paper's "Avg."; ``by_type`` over the
    tasks of each type; ``types``: the mean of these means, mteb's "Mean (TaskType)"."""

    tasks: Mean
    types: Mean
    by_type: Mapping[str, Mean]
    missing: tuple[str, ...]

    def row(self) -> dict[str, Any]:
        return {
            "mean_task": asdict(self.tasks),
            "mean_task_type": asdict(self.types),
            "by_type": {kind: asdict(mean) for kind, mean in self.by_type.items()},
            "missing": list(self.missing),
        }


def summarise(wanted: Mapping[str, str], scores: Mapping[str, float]) -> Summary:
    """Means of ``scores`` (by task) over the tasks ``wanted`` (task -> type); other scores are passed over.

    The mean over types is of as many types as are whole: one that lacks a task has no mean of its own.

    >>> summarise({"STS13": "STS", "STS14": "STS", "SciFact": "Retrieval"}, {"STS13": 80.0}).by_type["STS"]
    Mean(value=80.0, scored=1, wanted=2)
    """
    types = {kind: [task for task in wanted if wanted[task] == kind] for kind in sorted(set(wanted.values()))}
    by_type = {kind: _mean(tasks, scores) for kind, tasks in types.items()}
    whole = {kind: mean.value for kind, mean in by_type.items() if mean.whole and mean.value is not None}
    return Summary(
        tasks=_mean(list(wanted), scores),
        types=_mean(list(types), whole),
        by_type=by_type,
        missing=tuple(task for task in wanted if task not in scores),
    )


def _mean(names: Sequence[str], scores: Mapping[str, float]) -> Mean:
    found = [scores[name] for name in names if name in scores]
    return Mean(sum(found) / len(found) if found else None, len(found), len(names))
