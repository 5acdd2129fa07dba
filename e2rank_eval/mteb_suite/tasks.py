"""Which tasks a benchmark or a list of names stands for: mteb's own, the suite's local ones, the user's."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import mteb
from mteb.abstasks import AbsTask
from mteb.benchmarks.benchmark import Benchmark
from mteb.get_tasks import _TASKS_REGISTRY as MTEB_TASKS

from e2rank_eval.errors import InputError
from e2rank_eval.mteb_suite.local_tasks import local_task, local_tasks

LOCAL = "local"
"""The benchmark of all of the suite's own tasks."""


def wanted_tasks(benchmark: str | None, names: Sequence[str]) -> dict[str, str]:
    """The types of the tasks asked for, by name, in order; no data is loaded.

    With ``benchmark`` and no names these are all of its tasks; with both, those named, which must
    belong to it, be local or be the user's: ``package.module:Class``, a class of mteb's kind.

    Raises
    ------
    InputError
        For an unknown benchmark or task, which says what is near, or a class that is none of a task.
    """
    if benchmark is None and not names:
        raise InputError("neither a benchmark nor a task", hint='name one: --benchmark "MTEB(eng, v2)"')
    local = {name: str(entry.type) for name, entry in local_tasks().items()}
    known = local | _types_of(benchmark)
    own = {place: _own_class(place).metadata for place in names if ":" in place}
    known |= {metadata.name: metadata.type for metadata in own.values()}
    names = [own[name].name if name in own else name for name in names]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3)
            meant = f"did you mean {' or '.join(near)}?" if near else "mteb.get_tasks() lists mteb's"
            where = f"benchmark {benchmark!r} has" if benchmark is not None else "there is"
            raise InputError(f"{where} no task {name!r}", hint=meant)
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
    tasks = () if benchmark is None or benchmark == LOCAL else _benchmark(benchmark).tasks
    for task in tasks:
        if task.metadata.name == name:
            return deepcopy(task)  # mteb shares these objects, which keep their data and their random state
    return mteb.get_task(name)


def _own_class(place: str) -> type[AbsTask]:
    """The class at ``package.module:Class``, which mteb knows by its task's name from now on."""
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"task {place!r} cannot be imported ({error})",
            hint="fix its spelling, install its package, or put its folder on PYTHONPATH",
        ) from error
    if not (isinstance(found, type) and issubclass(found, AbsTask)):
        raise InputError(f"{place!r} is no task", hint="name a class that inherits from one of mteb.abstasks")
    known_as = found.metadata.name
    if known_as in local_tasks() or MTEB_TASKS.setdefault(known_as, found) is not found:
        raise InputError(f"{place!r}: there is another task {known_as!r}", hint="rename yours")
    return found


def _types_of(benchmark: str | None) -> dict[str, str]:
    """Types by name: of the tasks of a benchmark, or of every task of mteb."""
    if benchmark == LOCAL:
        return {name: entry.type for name, entry in local_tasks().items()}
    tasks = MTEB_TASKS.values() if benchmark is None else _benchmark(benchmark).tasks
    return {task.metadata.name: task.metadata.type for task in tasks}


def _benchmark(name: str) -> Benchmark:
    try:
        return mteb.get_benchmark(name)
    except KeyError as error:
        known = [one.name for one in mteb.get_benchmarks()]
        near = get_close_matches(name, [*known, LOCAL], n=3)
        meant = f"did you mean {' or '.join(near)}?" if near else "mteb.get_benchmarks() lists them"
        raise InputError(f"no benchmark {name!r}", hint=meant) from error
