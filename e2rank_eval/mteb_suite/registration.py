"""Makes the suite's models, tasks and benchmark known to mteb, so that its own functions find them by name.

mteb has no call for that: its registries are dictionaries, and user code adds to them.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import mteb
from mteb.benchmarks.benchmark import Benchmark
from mteb.benchmarks.get_benchmark import _build_registry as mteb_benchmarks
from mteb.get_tasks import _TASKS_REGISTRY as MTEB_TASKS
from mteb.models.model_implementations import MODEL_REGISTRY

from e2rank_eval.models.registry import registered_models
from e2rank_eval.mteb_suite.encoder import MtebEncoder
from e2rank_eval.mteb_suite.loading import load_mteb_encoder
from e2rank_eval.mteb_suite.local_tasks import local_task_class, local_tasks
from e2rank_eval.mteb_suite.model_meta import model_meta, mteb_name
from e2rank_eval.mteb_suite.tasks import LOCAL


def register(results: Path | str | None = None) -> None:
    """Register E2Rank's checkpoints, the local tasks and their benchmark ``local``.

    With ``results``, a profile's folder ``results/<profile>/mteb``, also the models and rerankers that have
    results there: mteb's tables leave out those that it does not know. Call it before mteb makes its first
    table, for which it remembers the models.

    A model, task or benchmark that mteb itself has by the same name stays mteb's.
    """
    register_models()
    register_tasks()
    if results is not None:
        for stored in mteb.ResultCache(results).load_results(include_remote=False).model_results:
            if stored.model_meta is not None:
                MODEL_REGISTRY.setdefault(stored.model_name, stored.model_meta)


def register_models() -> list[str]:
    """E2Rank's checkpoints, for ``mteb.get_model`` and ``mteb.get_model_meta``; returns their names."""
    registered = []
    for name, entry in registered_models().items():
        known_as = mteb_name(name, entry)
        if entry.kind == "decoder" and known_as.startswith("Alibaba-NLP/E2Rank"):
            loader = partial(_load_for_mteb, registry_name=name)
            MODEL_REGISTRY.setdefault(known_as, model_meta(name, entry, revision=None, loader=loader))
            registered.append(known_as)
    return registered


def register_tasks() -> list[str]:
    """The local tasks, for ``mteb.get_task``, and the benchmark of them all; returns the tasks' names."""
    names = list(local_tasks())
    for name in names:
        MTEB_TASKS.setdefault(name, local_task_class(name))
    benchmark = Benchmark(
        name=LOCAL,
        tasks=[mteb.get_task(name) for name in names],
        description="Tasks of e2rank-eval that need no hub",
    )
    mteb_benchmarks().setdefault(LOCAL, benchmark)
    return names


def _load_for_mteb(
    model_name: str,  # noqa: ARG001 - mteb's own call
    revision: str | None,  # noqa: ARG001 - the registry's sources decide
    *,
    registry_name: str,
    cache: str = "cache",
    threads: int = 2,
    **kwargs: Any,  # noqa: ARG001
) -> MtebEncoder:
    return load_mteb_encoder(registry_name, Path(cache), threads=threads)
