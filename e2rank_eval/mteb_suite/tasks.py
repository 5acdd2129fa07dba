"""The tasks that a benchmark or names stand for, mteb's own, local ones, the user's; what mteb's tables know.

mteb has no call that registers a task or a model: its registries are dictionaries, to which users add.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path

import mteb
from mteb.abstasks import AbsTask
from mteb.benchmarks.benchmark import Benchmark
from mteb.benchmarks.get_benchmark import _build_registry as mteb_benchmarks
from mteb.get_tasks import _TASKS_REGISTRY as MTEB_TASKS
from mteb.models.model_implementations import MODEL_REGISTRY

from e2rank_eval.errors import InputError
from e2rank_eval.mteb_suite.local_tasks import local_task, local_task_class, local_tasks

LOCAL = "local"
"""The benchmark of all of the suite's own tasks."""


def register(results: Path | str | None = None) -> None:
    """Make the local tasks, and the benchmark of them all, known to mteb's own functions.

    With ``results``, a profile's folder ``results/<profile>/mteb``, also the models and rerankers that have
    results there: mteb's tables skip those that it does not know. Call it before mteb makes its first
    table, for which it remembers the models.

    A model, task or benchmark that mteb itself has by the same name stays mteb's.
    """
    for name in local_tasks():
        MTEB_TASKS.setdefault(name, local_task_class(name))
    tasks = [mteb.get_task(name) for name in local_tasks()]
    about = "Tasks of e2rank-eval that need no hub"
    mteb_benchmarks().setdefault(LOCAL, Benchmark(name=LOCAL, tasks=tasks, description=about))
    if results is not None:
        for stored in mteb.ResultCache(results).load_results(include_remote=False).model_results:
            if stored.model_meta is not None:
                MODEL_REGISTRY.setdefault(stored.model_name, stored.model_meta)


def wanted_tasks(benchmark: str | None, names: Sequence[str]) -> dict[str, str]:
    """Return the types of the tasks asked for, by name, in order; no data is loaded.

    With ``benchmark`` and no names these are all of its tasks; with both, those named, which must
    belong to it, be local or be the user's: ``package.module:Class``, a class of mteb's kind.

    Raises
    ------
    InputError
        For an unknown benchmark or task, which names the nearest, or a class that is not a task.
    """
    if benchmark is None and not names:
        raise InputError("neither a benchmark nor a task", hint='name one: --benchmark "MTEB(eng, v2)"')
    register()
    own = {place: _own_class(place) for place in names if ":" in place}
    names = [own[name].metadata.name if name in own else name for name in names]
    members = list(MTEB_TASKS.values()) if benchmark is None else _benchmark(benchmark).tasks
    known = {task.metadata.name: task.metadata.type for task in [*members, *own.values()]}
    selectable = known | {name: task.type for name, task in local_tasks().items()}
    for name in names:
        if name not in selectable:
            near = get_close_matches(name, selectable, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "mteb.get_tasks() lists mteb's"
            where = f"benchmark {benchmark!r} has" if benchmark is not None else "there is"
            raise InputError(f"{where} no task {name!r}", hint=hint)
    return {name: selectable[name] for name in names or known}


def load_task(name: str, benchmark: str | None, cache: Path) -> AbsTask:
    """Return one task, with the splits and subsets that ``benchmark`` gives it; a new object with its seed.

    Raises
    ------
    UnavailableError, InputError
        As :func:`~e2rank_eval.mteb_suite.local_tasks.local_task` does; data on a hub is not asked for yet.
    """
    if name in local_tasks():
        return local_task(name, cache)
    for task in () if benchmark is None else _benchmark(benchmark).tasks:
        if task.metadata.name == name:
            return deepcopy(task)  # mteb shares these objects, which keep their data and their random state
    return mteb.get_task(name)


def _own_class(place: str) -> type[AbsTask]:
    """Return the class at ``package.module:Class``, which mteb knows by its task's name from now on."""
    module, _, name = place.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"task {place!r} cannot be imported ({error})",
            hint="fix its spelling, install its package, or put its folder on PYTHONPATH",
        ) from error
    if not (isinstance(found, type) and issubclass(found, AbsTask)):
        raise InputError(
            f"{place!r} is not a task", hint="name a class that inherits from one of mteb.abstasks"
        )
    known_as = found.metadata.name
    if MTEB_TASKS.setdefault(known_as, found) is not found:
        raise InputError(f"{place!r}: there is another task {known_as!r}", hint="rename yours")
    return found


def _benchmark(name: str) -> Benchmark:
    try:
        return mteb.get_benchmark(name)
    except KeyError as error:
        near = get_close_matches(name, [one.name for one in mteb.get_benchmarks()] + [LOCAL], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "mteb.get_benchmarks() lists them"
        raise InputError(f"no benchmark {name!r}", hint=hint) from error
