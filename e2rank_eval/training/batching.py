"""Which lists each update sees: a pure function of the data, the settings and the update's number."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

from e2rank_eval.config import RunBase
from e2rank_eval.errors import InputError
from e2rank_eval.training.lists import TrainingList, read_lists, sample_sources

Update = tuple[tuple[TrainingList, ...], ...]
"""The lists of one update, divided into what one device sees together."""


class Schedule:
    """The updates of a run, by number; nothing of it depends on where training was interrupted.

    Where the data have no shares, all lists of an update are of one source, and what does not fill an
    update at a source's end is left out of that epoch (``left_out`` counts it), as in the official code.
    With shares, every device's part has so many lists of each file; a file that ends begins anew.

    Raises
    ------
    InputError
        When no source, or no file with a share, fills an update.
    """

    def __init__(self, settings: RunBase) -> None:
        self._settings = settings
        self._files = [self._read(position) for position in range(len(settings.data))]
        self._mixed = settings.data[0].share is not None
        self._groups = self._by_source()
        self.left_out = 0 if self._mixed else sum(len(one) % settings.batch for one in self._groups)
        per_epoch = sum(len(one) // settings.batch for one in self._groups)
        if not self._mixed and per_epoch == 0:
            raise InputError(
                f"no source has the {settings.batch} training lists of one update",
                path=settings.data[0].path, hint="lower batch, or add data",
            )  # fmt: skip
        self._per_epoch = per_epoch
        self.steps = settings.steps or per_epoch * settings.epochs
        self._epoch = lru_cache(maxsize=2)(self._updates_of_epoch)
        self._shuffled = lru_cache(maxsize=2 * len(self._files))(self._shuffle)

    @property
    def lists(self) -> list[TrainingList]:
        """Every list that may be seen, in the order of the files."""
        return [item for file in self._files for item in file]

    def update(self, step: int) -> Update:
        """The lists of update ``step``, counted from 0."""
        if self._mixed:
            return self._mixed_update(step)
        return self._epoch(step // self._per_epoch)[step % self._per_epoch]

    def _read(self, position: int) -> list[TrainingList]:
        file, settings = self._settings.data[position], self._settings
        lists = sample_sources(read_lists(file.path), file.per_source, settings.seed)
        limit = settings.list_documents
        return lists if limit is None else [item.cut(limit) for item in lists]

    def _by_source(self) -> list[list[TrainingList]]:
        groups: dict[str, list[TrainingList]] = {}
        for item in self.lists:
            groups.setdefault(item.source, []).append(item)
        return list(groups.values())

    def _updates_of_epoch(self, epoch: int) -> list[Update]:
        draw = random.Random(f"{self._settings.seed} epoch {epoch}")
        size, updates = self._settings.batch, []
        for group in self._groups:
            order = draw.sample(group, len(group))
            full = len(order) - len(order) % size
            updates += [self._divided(order[start : start + size]) for start in range(0, full, size)]
        draw.shuffle(updates)
        return updates

    def _divided(self, lists: Sequence[TrainingList]) -> Update:
        size = self._settings.together
        return tuple(tuple(lists[start : start + size]) for start in range(0, len(lists), size))

    def _mixed_update(self, step: int) -> Update:
        parts = self._settings.batch // self._settings.together
        return tuple(
            tuple(
                item
                for file, of in enumerate(self._settings.data)
                for item in self._slice(file, (step * parts + part) * (of.share or 0), of.share or 0)
            )
            for part in range(parts)
        )

    def _slice(self, file: int, start: int, count: int) -> list[TrainingList]:
        """``count`` lists from place ``start`` of an endless shuffle of one file."""
        size = len(self._files[file])
        return [self._shuffled(file, place // size)[place % size] for place in range(start, start + count)]

    def _shuffle(self, file: int, epoch: int) -> list[TrainingList]:
        lists = self._files[file]
        return random.Random(f"{self._settings.seed} file {file} epoch {epoch}").sample(lists, len(lists))
