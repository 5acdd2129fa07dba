"""The lists of each step: a pure function of the data, the settings and the step's number."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from e2rank_eval.config.training import RunBase
from e2rank_eval.errors import InputError
from e2rank_eval.training.lists import TrainingList

Parts = list[list[TrainingList]]
"""The lists of one step, divided into what one device sees together."""


class Schedule:
    """The steps of a run, by number; nothing depends on where training was interrupted.

    ``files`` are the lists of each data file, as :func:`e2rank_eval.training.data.read_data` returns them.
    Where the data have no shares, all lists of a step are of one source, and what does not fill a step at
    a source's end is skipped in that epoch, as in the official code. With
    shares, every device's part has so many lists of each file; a file that ends begins anew.

    Raises
    ------
    InputError
        When no source, or no file with a share, fills a step.
    """

    def __init__(self, settings: RunBase, files: Sequence[Sequence[TrainingList]]) -> None:
        self._settings = settings
        self._files = files
        self.lists = [item for file in self._files for item in file]
        """Every list that may be seen, in the order of the files."""
        self._mixed = any(one.share is not None for one in settings.data)
        self._sources: dict[str, list[TrainingList]] = {}
        for item in self.lists:
            self._sources.setdefault(item.source, []).append(item)
        sizes = [len(own) for own in self._sources.values()]
        self._per_epoch = sum(size // settings.batch for size in sizes)
        if not self._mixed and self._per_epoch == 0:
            raise InputError(
                f"no source has the {settings.batch} training lists of one step",
                hint="lower batch, or add data",
            )
        self.steps = settings.steps or self._per_epoch * settings.epochs
        self._epoch = lru_cache(maxsize=2)(self._steps_of_epoch)
        self._shuffled = lru_cache(maxsize=2 * len(self._files))(self._shuffle)

    def step(self, number: int) -> Parts:
        """Return the lists of step ``number``, counted from 0."""
        if not self._mixed:
            return self._epoch(number // self._per_epoch)[number % self._per_epoch]
        parts = self._settings.batch // self._settings.together
        return [self._mixed_part(number * parts + part) for part in range(parts)]

    def _steps_of_epoch(self, epoch: int) -> list[Parts]:
        draw = random.Random(f"{self._settings.seed} epoch {epoch}")
        size, together = self._settings.batch, self._settings.together
        steps = []
        for group in self._sources.values():
            order = draw.sample(group, len(group))
            for start in range(0, len(order) - size + 1, size):
                parts = range(start, start + size, together)
                steps.append([order[part : part + together] for part in parts])
        draw.shuffle(steps)
        return steps

    def _mixed_part(self, part: int) -> list[TrainingList]:
        """Return part ``part`` of all steps: of each file its share, from an endless shuffle of it."""
        found = []
        for number, file in enumerate(self._settings.data):
            share, size = file.share or 0, len(self._files[number])
            places = range(part * share, (part + 1) * share)
            found += [self._shuffled(number, place // size)[place % size] for place in places]
        return found

    def _shuffle(self, file: int, epoch: int) -> list[TrainingList]:
        lists = self._files[file]
        return random.Random(f"{self._settings.seed} file {file} epoch {epoch}").sample(lists, len(lists))
