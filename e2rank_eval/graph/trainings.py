"""Trainings: one job for each run of a training file, what it starts from, the registry entry it leaves."""

from __future__ import annotations

from e2rank_eval.configuration import read_training
from e2rank_eval.graph.systems import Systems
from e2rank_eval.store import layout as places


class Trainings:
    """``runs`` maps (training file, run) to the file's content and the run's settings."""

    def __init__(self, systems: Systems) -> None:
        self._systems = systems
        self.runs = {
            (str(path), name): (file, run)
            for path in systems.configuration.training
            for file in [read_training(path)]
            for name, run in file.runs.items()
        }

    def entry(self, path: str, run: str) -> str:
        """Where a run leaves its registry entry, beside its weights."""
        return str(self.runs[path, run][0].output / run / "entry.yaml")

    def inputs(self, path: str, run: str) -> list[str]:
        """The slates of a run, and the record of the model, or the entry of the run, that it starts from."""
        _, settings = self.runs[path, run]
        slates = [str(one.path) for one in settings.data]
        if settings.development is not None:
            slates.append(str(settings.development.path))
        if settings.follows is not None:
            return [*slates, self.entry(path, settings.follows)]
        return [*slates, self._systems.path(places.MODEL, model=str(settings.model))]

    def files(self) -> list[str]:
        return [self.entry(path, run) for path, run in self.runs]
