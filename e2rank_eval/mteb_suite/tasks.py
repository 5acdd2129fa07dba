"""Resolution of benchmarks and task names (mteb's, local or a user's), and their registration in mteb.

mteb has no function to register a task or a model: its registries are dictionaries, to which users add.
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
"""The name of the benchmark with all local tasks."""


def register(results: Path | str | None = None) -> None:
    """Register the local tasks, and the benchmark of all of them, in mteb.

    With ``results``, a profile's folder ``results/<profile>/mteb``, the models and rerankers with results
    there are registered too, since mteb's tables skip unknown models. Call this before mteb makes its first
    table, because it caches the models.

    Where mteb has a model, task or benchmark of the same name, mteb's takes precedence.
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
    """Return the types of the requested tasks, by name, in order; no data are loaded.

    With ``benchmark`` and no names, these are all of its tasks. With both, they are the named tasks, each of
    which belongs to the benchmark, is local, or is a user's task class, ``package.module:Class``.

    Raises
    ------
    InputError
        For an unknown benchmark or task (with similar names), or a class that is not a task.
    """
    if benchmark is None and not names:
        raise InputError(
            "neither a benchmark nor a task is given", hint='name one: --benchmark "MTEB(eng, v2)"'
        )
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
    """Return a new task object, freshly seeded, with the splits and subsets that ``benchmark`` gives it.

    Raises
    ------
    UnavailableError, InputError
        As :func:`~e2rank_eval.mteb_suite.local_tasks.local_task` does; data on a hub are not fetched yet.
    """
    if name in local_tasks():
        return local_task(name, cache)
    for task in () if benchmark is None else _benchmark(benchmark).tasks:
        if task.metadata.name == name:
            return deepcopy(task)  # mteb shares these objects, which keep their data and their random state
    return mteb.get_task(name)


def _own_class(place: str) -> type[AbsTask]:
    """Import the class ``package.module:Class`` and register it in mteb under its task's name."""
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
        raise InputError(f"{place!r}: another task is named {known_as!r}", hint="rename yours")
    return found


def _benchmark(name: str) -> Benchmark:
    try:
        return mteb.get_benchmark(name)
    except KeyError as error:
        near = get_close_matches(name, [one.name for one in mteb.get_benchmarks()] + [LOCAL], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "mteb.get_benchmarks() lists them"
        raise InputError(f"no benchmark {name!r}", hint=hint) from error
