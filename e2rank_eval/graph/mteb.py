"""MTEB: one job for each system of an entry, the models it draws on, the record it leaves."""

from __future__ import annotations

from typing import Any

from e2rank_eval.config import Configuration, entries
from e2rank_eval.graph.systems import Systems
from e2rank_eval.paper.trained_models import untrained_systems
from e2rank_eval.store import layout as places


class MtebJobs:
    """``jobs`` are the (mteb entry, system) pairs of a configuration, in its order.

    A model that has yet to be trained has none.
    """

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self._configuration = systems.configuration
        self.jobs: list[tuple[str, str]] = []
        for entry, suite in self._configuration.mteb.items():
            untrained = untrained_systems(self._configuration, entry)
            self.jobs += [(entry, system) for system in suite.systems if system not in untrained]

    def files(self, shown: Configuration) -> list[str]:
        """The records of the jobs that ``shown``, a part of the configuration, has as well."""
        return [
            self._systems.path(places.MTEB_RECORD, entry=entry, system=system)
            for entry, system in self.jobs
            if entry in shown.mteb and system in shown.mteb[entry].systems
        ]

    def models(self, entry: str, system: str) -> list[str]:
        """The records of the models that a job of an mteb entry draws on."""
        names = self._configuration.mteb_models(entry, system)
        return [self._systems.path(places.MODEL, model=model) for model in names]

    def settings(self, entry: str, system: str) -> dict[str, Any]:
        """What decides a job's record: the entry but for its title and its other systems, and the models."""
        suite = self._configuration.mteb[entry]
        shown = {"title", "models", "rerankers", "paper_table"}
        reranker = self._systems.settings("rerankers", system) if system in suite.rerankers else None
        models = self._configuration.mteb_models(entry, system)
        return {
            "settings": suite.model_dump(mode="json", exclude=shown),
            "reranker": reranker,
            "entries": {model: entries.model(model).model_dump(mode="json") for model in models},
        }
