"""Training jobs, one per run of a training file: training lists, initial models and registry entries."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.training import RunBase, TrainingFile
from e2rank_eval.config.training_lists import development_path
from e2rank_eval.errors import InputError
from e2rank_eval.graph.files import Files


class Trainings:
    """The training jobs; ``runs`` maps (training file, run) to the file's content and the run's settings.

    ``lists`` maps a file of training lists to its source, where a training file gives one.

    Raises
    ------
    InputError
        When a training file is missing or malformed, two files have a run of the same name, or a file of
        lists has two sources.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self.runs = {
            (str(path), name): (file, run)
            for path in files.configuration.training
            for file in [read_settings(TrainingFile, path)]
            for name, run in file.runs.items()
        }
        owners: dict[str, str] = {}
        for path, name in self.runs:
            if (owner := owners.setdefault(name, path)) != path:
                hint = "rename one, since a run's name is the name of its job and its log"
                raise InputError(f"run {name!r} has the same name as one of {owner}", path=path, hint=hint)
        self.lists = _made_lists(run for _, run in self.runs.values())

    def entry(self, path: str, run: str) -> str:
        """Return the path of a run's registry entry, which is stored with its weights."""
        return str(self.runs[path, run][0].output / run / "entry.yaml")

    def inputs(self, path: str, run: str) -> list[str]:
        """Return a run's training lists, and the record or registry entry of its initial model."""
        _, settings = self.runs[path, run]
        lists = list(dict.fromkeys(str(one.path) for one in settings.data))
        if settings.development is not None and settings.development.path is not None:
            lists.append(str(settings.development.path))
        if settings.follows is not None:
            return [*lists, self.entry(path, settings.follows)]
        return [*lists, *self._files.records_of([str(settings.model)])]

    def made(self, lists: str) -> list[str]:
        """Return the outputs of one job: training lists, and development lists where a run uses them."""
        beside = development_path(Path(lists))
        watched = {run.development.path for _, run in self.runs.values() if run.development is not None}
        return [lists, *([str(beside)] if beside in watched else [])]

    def files(self) -> list[str]:
        return [self.entry(path, run) for path, run in self.runs]


def _made_lists(runs: Iterable[RunBase]) -> dict[str, str]:
    found: dict[str, str] = {}
    paths: dict[str, Path] = {}
    for one in (one for run in runs for one in run.data if one.made_from is not None):
        made_from = found.setdefault(str(one.path), str(one.made_from))
        same_name = paths.setdefault(one.path.stem, one.path)
        if made_from != str(one.made_from):
            problem, hint = (
                f"training lists made from {made_from} and from {one.made_from}",
                "give each its own path",
            )
            raise InputError(problem, path=one.path, hint=hint)
        if same_name != one.path:
            hint = "rename one, since the file name is the name of the rule and its log"
            raise InputError(f"training lists have the same name as {same_name}", path=one.path, hint=hint)
    return found
