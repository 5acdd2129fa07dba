"""The lists of each step: a pure function of the data, the settings and the step's number."""

from __future__ import annotations

import random
from functools import lru_cache

from e2rank_eval.config.training import RunBase
from e2rank_eval.errors import InputError
from e2rank_eval.training.lists import TrainingList, read_lists, sample_sources

Parts = list[list[TrainingList]]
"""The lists of one step, divided into what one device sees together."""


class Schedule:
    """The steps of a run, by number; nothing depends on where training was interrupted.

    Where the data have no shares, all lists of a step are of one source, and what does not fill a step at
    a source's end is skipped in that epoch (``skipped`` counts it), as in the official code. With
    shares, every device's part has so many lists of each file; a file that ends begins anew.

    Raises
    ------
    InputError
        When no source, or no file with a share, fills a step.
    """

    def __init__(self, settings: RunBase) -> None:
        self._settings = settings
        self._files = [self._read(position) for position in range(len(settings.data))]
        self.lists = [item for file in self._files for item in file]
        """Every list that may be seen, in the order of the files."""
        self._mixed = settings.data[0].share is not None
        self._sources: dict[str, list[TrainingList]] = {}
        for item in self.lists:
            self._sources.setdefault(item.source, []).append(item)
        sizes = [len(own) for own in self._sources.values()]
        self.skipped = 0 if self._mixed else sum(size % settings.batch for size in sizes)
        self._per_epoch = sum(size // settings.batch for size in sizes)
        if not self._mixed and self._per_epoch == 0:
            raise InputError(
                f"no source has the {settings.batch} training lists of one step",
                path=settings.data[0].path, hint="lower batch, or add data",
            )  # fmt: skip
        self.steps = settings.steps or self._per_epoch * settings.epochs
        self._epoch = lru_cache(maxsize=2)(self._steps_of_epoch)
        self._shuffled = lru_cache(maxsize=2 * len(self._files))(self._shuffle)

    def step(self, number: int) -> Parts:
        """Return the lists of step ``number``, counted from 0."""
        if not self._mixed:
            return self._epoch(number // self._per_epoch)[number % self._per_epoch]
        parts = self._settings.batch // self._settings.together
        return [self._mixed_part(number * parts + part) for part in range(parts)]

    def _read(self, position: int) -> list[TrainingList]:
        file, settings = self._settings.data[position], self._settings
        lists = sample_sources(read_lists(file.path), file.per_source, settings.seed)
        limit = settings.list_documents
        return lists if limit is None else [item.cut(limit) for item in lists]

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
