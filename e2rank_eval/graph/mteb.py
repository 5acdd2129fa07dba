"""MTEB: one job for each system of an entry, the models it draws on, the record it leaves."""

from __future__ import annotations

from typing import Any

from e2rank_eval.graph.systems import Systems
from e2rank_eval.paper.trained_models import training_command
from e2rank_eval.registry import entries
from e2rank_eval.store import layout as places


class MtebJobs:
    """``jobs`` are the (mteb entry, system) pairs of a configuration, in its order.

    A model that has yet to be trained has none.
    """

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self._configuration = systems.configuration
        suites = self._configuration.mteb
        self.jobs = [
            (entry, system)
            for entry in suites
            for system in suites[entry].systems
            if not any(self._untrained(model) for model in self.model_names(entry, system))
        ]

    def _untrained(self, model: str) -> bool:
        return training_command(self._configuration, model) is not None

    def files(self) -> list[str]:
        return [
            self._systems.path(places.MTEB_RECORD, entry=entry, system=system) for entry, system in self.jobs
        ]

    def models(self, entry: str, system: str) -> list[str]:
        """The records of the models that a job of an mteb entry draws on."""
        return [self._systems.path(places.MODEL, model=model) for model in self.model_names(entry, system)]

    def settings(self, entry: str, system: str) -> dict[str, Any]:
        """What decides a job's record: the entry but for its title and its other systems, and the models."""
        suite = self._configuration.mteb[entry]
        shown = {"title", "models", "rerankers", "paper_table"}
        reranker = self._systems.settings("rerankers", system) if system in suite.rerankers else None
        models = self.model_names(entry, system)
        return {
            "settings": suite.model_dump(mode="json", exclude=shown),
            "reranker": reranker,
            "entries": {model: entries.model(model).model_dump(mode="json") for model in models},
        }

    def model_names(self, entry: str, system: str) -> list[str]:
        """Registry names of those models."""
        suite = self._configuration.mteb[entry]
        if system in suite.models:
            return [system]
        named = [getattr(self._configuration.rerankers[system], "model", None), suite.first_stage]
        return sorted({model for model in named if model is not None})
