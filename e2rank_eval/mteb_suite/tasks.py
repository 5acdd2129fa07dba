"""Which tasks a benchmark or a list of names stands for: mteb's own, and the suite's local ones."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from difflib import get_close_matches
from pathlib import Path

import mteb
from mteb.abstasks import AbsTask
from mteb.benchmarks.benchmark import Benchmark
from mteb.get_tasks import TASK_LIST

from e2rank_eval.errors import InputError
from e2rank_eval.mteb_suite.local_tasks import local_task, local_tasks

LOCAL = "local"
"""The benchmark of all of the suite's own tasks."""


def wanted_tasks(benchmark: str | None, names: Sequence[str]) -> dict[str, str]:
    """The types of the tasks asked for, by name, in order; no data is loaded.

    With ``benchmark`` and no names these are all of its tasks; with both, those named, which must
    belong to it or be local.

    Raises
    ------
    InputError
        For an unknown benchmark or task; says which are near.
    """
    if benchmark is None and not names:
        raise InputError("neither a benchmark nor a task", mend='name one: --benchmark "MTEB(eng, v2)"')
    local = {name: str(entry.type) for name, entry in local_tasks().items()}
    known = local | _types_of(benchmark)
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            meant = f"did you mean {' or '.join(near)}?" if near else "mteb.get_tasks() lists mteb's"
            where = f"benchmark {benchmark!r} has" if benchmark is not None else "there is"
            raise InputError(f"{where} no task {name!r}", mend=meant)
    return {name: known[name] for name in names or _types_of(benchmark)}


def load_task(name: str, benchmark: str | None, cache: Path) -> AbsTask:
    """One task, with the splits and subsets that ``benchmark`` gives it; a new object with its seed.

    Raises
    ------
    UnavailableError, InputError
        As :func:`~e2rank_eval.mteb_suite.local_tasks.local_task` does; data on a hub is not asked for yet.
    """
    if name in local_tasks():
        return local_task(name, cache)
    if benchmark is None:
        return mteb.get_task(name)
    # mteb shares its benchmarks' task objects, which keep their data and their random state.
    return next(deepcopy(task) for task in _benchmark(benchmark).tasks if task.metadata.name == name)


def _types_of(benchmark: str | None) -> dict[str, str]:
    """Types by name: of the tasks of a benchmark, or of every task of mteb."""
    if benchmark == LOCAL:
        return {name: entry.type for name, entry in local_tasks().items()}
    tasks = TASK_LIST if benchmark is None else _benchmark(benchmark).tasks
    return {task.metadata.name: task.metadata.type for task in tasks}


def _benchmark(name: str) -> Benchmark:
    try:
        return mteb.get_benchmark(name)
    except KeyError as error:
        known = [one.name for one in mteb.get_benchmarks()]
        near = get_close_matches(name, [*known, LOCAL], n=3)
        meant = f"did you mean {' or '.join(near)}?" if near else "mteb.get_benchmarks() lists them"
        raise InputError(f"no benchmark {name!r}", mend=meant) from error
