"""Which tasks of MTEB a published column averages, and which entry of a configuration runs them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.paper.structure import structure

_PATH = Path(__file__).with_name("mteb_tasks.yaml")
_V2 = "MTEB(eng, v2)"


def tasks_of(benchmark: str, column: str) -> tuple[str, ...]:
    """The tasks behind ``column``: a task's own name, a category, or ``avg`` for all of them.

    Raises
    ------
    InputError
        When the benchmark, or the column in it, is unknown.
    """
    categories = benchmarks().get(benchmark)
    if categories is None:
        raise InputError(f"unknown benchmark {benchmark!r}", hint=f"known: {', '.join(benchmarks())}")
    if column == "avg":
        return tuple(task for tasks in categories.values() for task in tasks)
    if column not in categories:
        raise InputError(f"{benchmark} has no column {column!r}", hint=f"known: {', '.join(categories)}")
    return categories[column]


@cache
def benchmarks() -> dict[str, dict[str, tuple[str, ...]]]:
    """Benchmark -> published column -> its tasks."""
    read = yaml.safe_load(_PATH.read_text(encoding="utf-8"))
    found = {
        name: {column: tuple(tasks) for column, tasks in columns.items()} for name, columns in read.items()
    }
    return found | {_V2: {task: (task,) for task in structure().parts["mteb-v2"]}}


def on_the_hub(task: str) -> bool:
    """Whether a task is one of the paper's benchmarks, whose data lie on the model hub."""
    return task in _paper_tasks()


@cache
def _paper_tasks() -> frozenset[str]:
    return frozenset(
        task for columns in benchmarks().values() for tasks in columns.values() for task in tasks
    )


def entry_of(configuration: Configuration, model: str, task: str, benchmark: str) -> str | None:
    """The mteb entry whose job for ``model`` scores ``task``: one of ``benchmark`` before any other."""
    own = {name: one for name, one in configuration.mteb.items() if model in one.models}
    whole = [name for name, one in own.items() if one.benchmark == benchmark and not one.tasks]
    return next(iter([*whole, *(name for name, one in own.items() if task in one.tasks)]), None)
