"""Training and development lists of a run, from files or a judged collection, and their schedule."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from e2rank_eval.config import one_system
from e2rank_eval.config.training import JudgedCollection, RunBase, TrainingListFile
from e2rank_eval.datasets.loading import load_split
from e2rank_eval.datasets.slices import sample
from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import Models
from e2rank_eval.progress import say
from e2rank_eval.records import Dataset
from e2rank_eval.retrieval.base import Context
from e2rank_eval.store.corpus import selected
from e2rank_eval.store.files import canonical_json, sha256_file
from e2rank_eval.training.lists import (
    TrainingList,
    folded,
    graded_list,
    list_fields,
    read_lists,
    sample_sources,
)

_MOST_HELD_OUT, _LARGEST_SHARE = 150, 5
"""At most 150 queries, and a fifth, are held out for development."""

Parts = list[list[TrainingList]]
"""The lists of one step, divided into the parts that one device processes together."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """``files`` has the lists of each data file, or of the collection; ``hashes`` has SHA-256 by origin."""

    files: Sequence[Sequence[TrainingList]]
    development: Sequence[TrainingList]
    hashes: Mapping[str, str]


def read_data(
    settings: RunBase, cache: Path, lists: Mapping[str, TrainingList] | None = None
) -> TrainingData:
    """Read the lists of a run, cut to ``list_documents``.

    ``lists`` are those of the run's collection; without them, its first stage is run.

    Raises
    ------
    InputError
        For malformed lists, a file that has not been made yet, or a collection without the split or
        without a relevant candidate.
    """
    limit = settings.list_documents
    if settings.collection is not None:
        made_of, seed = settings.collection, settings.seed
        if lists is None:
            lists = judged_lists(made_of, cache, settings.threads)
        training, development = split_lists(lists, seed)
        hashes = {f"{made_of.dataset} {made_of.split}": _hash(training)}
        hashes |= {f"{made_of.dataset} {made_of.split}, held out": _hash(development)}
        return TrainingData([_cut(training, limit)], development, hashes)
    read: dict[Path, list[TrainingList]] = {}
    files = []
    for one in settings.data:
        if one.made_from is not None and not one.path.exists():
            hint = f"make them: e2rank-eval training-lists {one.made_from} {one.path}"
            raise InputError("there are no training lists yet", path=one.path, hint=hint)
        if one.path not in read:
            read[one.path] = read_lists(one.path)
        own = _of_source(one, read[one.path])
        files.append(_cut(sample_sources(own, one.per_source, settings.seed), limit))
    watched = settings.development.path if settings.development is not None else None
    paths = [*read, *([watched] if watched is not None else [])]
    hashes = {path.as_posix(): sha256_file(path) for path in paths}
    return TrainingData(files, read_lists(watched) if watched is not None else [], hashes)


def _of_source(wanted: TrainingListFile, lists: Sequence[TrainingList]) -> Sequence[TrainingList]:
    if wanted.source is None:
        return lists
    found = [item for item in lists if item.source == wanted.source]
    if not found:
        sources = ", ".join(dict.fromkeys(item.source for item in lists))
        raise InputError(
            f"no training list has source {wanted.source!r}", path=wanted.path, hint=f"its sources: {sources}"
        )
    return found


def _cut(lists: Iterable[TrainingList], limit: int | None) -> list[TrainingList]:
    return [item if limit is None else item.cut(limit) for item in lists]


def judged_lists(settings: JudgedCollection, cache: Path, threads: int) -> dict[str, TrainingList]:
    """Load a collection and return :func:`graded_lists` of it.

    Raises
    ------
    InputError
        As :func:`graded_lists`; also when the data set or a split is missing.
    """
    dataset = load_split(settings.dataset, settings.split, cache).dataset
    tested = None if settings.tested is None else load_split(settings.dataset, settings.tested, cache).dataset
    return graded_lists(settings, dataset, tested, cache, threads)


def graded_lists(
    settings: JudgedCollection, dataset: Dataset, tested: Dataset | None, cache: Path, threads: int
) -> dict[str, TrainingList]:
    """Return the first stage's candidates, ranked by their grades, by query id.

    ``dataset`` and ``tested`` are the loaded splits that ``settings`` names. Documents of equal grade tie,
    grades of 1 and above are labelled, and unjudged documents have grade 0. Lists in which all grades are
    equal have no training signal and are skipped, as are queries that ``tested`` has too, under any id.

    Raises
    ------
    InputError
        When no list is left.
    """
    dataset = dataset if tested is None else _untested(settings, dataset, tested)
    chosen = one_system({"first_stages": {"first-stage": settings.first_stage}, "depth": settings.depth})
    find = Context(chosen, Models(cache, threads=threads), settings.depth).finder("first-stage")
    candidates = find(dataset)[0]
    wanted = {i for one in candidates for i in one.document_ids}
    documents = selected(dataset.corpus, wanted)
    texts = {i: documents[i].contents for i in wanted}
    found: dict[str, TrainingList] = {}
    for one in candidates:
        grades = [dataset.qrels[one.query_id].get(i, 0) for i in one.document_ids]
        query, contents = dataset.queries[one.query_id].text, [texts[i] for i in one.document_ids]
        if item := graded_list(query, contents, grades, dataset.id):
            found[one.query_id] = item
    if not found:
        raise nothing_relevant(settings.dataset, settings.split)
    return found


def nothing_relevant(dataset: str, split: str) -> InputError:
    """Return the error that no query of a split has a relevant candidate."""
    return InputError(
        f"no relevant document of the {split} split of {dataset} is among the first candidates of its query",
        hint="name another first stage, or check that its judgements are of this corpus",
    )


def _untested(settings: JudgedCollection, dataset: Dataset, tested: Dataset) -> Dataset:
    """Return the data set with the queries that ``tested`` lacks."""
    asked = {folded(query.text) for query in tested.queries.values()}
    kept = {i: query for i, query in dataset.queries.items() if folded(query.text) not in asked}
    splits = f"the {settings.split} split of {settings.dataset}", f"the {settings.tested} split"
    if not kept:
        raise InputError(
            f"all queries of {splits[0]} are in {splits[1]} too",
            hint="test on queries that are not trained on",
        )
    if shared := len(dataset.queries) - len(kept):
        say(f"{shared} queries of {splits[0]} are in {splits[1]} too; they are not trained on")
    return replace(dataset, queries=kept)


def split_lists(
    lists: Mapping[str, TrainingList], seed: int
) -> tuple[list[TrainingList], list[TrainingList]]:
    """Return the training lists and the held-out development lists; no query text is in both.

    Raises
    ------
    InputError
        When there are too few lists to hold one out.
    """
    number = held_out(len(lists))
    if not number:
        raise InputError(
            f"only {len(lists)} queries have a relevant candidate: too few to hold one out",
            hint="add judged queries, or name another first stage",
        )
    watched = {lists[i].query for i in sample(lists, number, seed=seed, purpose="development")}
    training = [item for item in lists.values() if item.query not in watched]
    return training, [item for item in lists.values() if item.query in watched]


def held_out(queries: int) -> int:
    """Return how many of so many training queries are held out for development."""
    return min(_MOST_HELD_OUT, queries // _LARGEST_SHARE)


def _hash(lists: Iterable[TrainingList]) -> str:
    """Return the SHA-256 of the JSONL file of these lists."""
    digest = hashlib.sha256()
    for item in lists:
        digest.update(f"{canonical_json(list_fields(item))}\n".encode())
    return digest.hexdigest()


class Schedule:
    """The lists of each step of a run, a function of its number, so that a resumed run sees the same lists.

    ``files`` are the lists of each data file, as :func:`e2rank_eval.training.data.read_data` returns them.
    Without shares, all lists of a step have one source, and in each epoch the remainder of a source that
    does not fill a step is skipped, as in the official code. With shares, each part of a step has ``share``
    lists of each file; a file that is used up is shuffled again.

    Raises
    ------
    InputError
        When no source, or no file with a share, fills a step.
    """

    def __init__(self, settings: RunBase, files: Sequence[Sequence[TrainingList]]) -> None:
        self._settings = settings
        self._files = files
        self.lists = [item for file in self._files for item in file]
        """All lists, in the order of the files."""
        self._mixed = any(one.share is not None for one in settings.data)
        self._sources: dict[str, list[TrainingList]] = {}
        for item in self.lists:
            self._sources.setdefault(item.source, []).append(item)
        sizes = [len(own) for own in self._sources.values()]
        self._per_epoch = sum(size // settings.batch for size in sizes)
        if not self._mixed and self._per_epoch == 0:
            raise InputError(
                f"no source has the {settings.batch} training lists of one step: the largest has "
                f"{max(sizes, default=0)}",
                hint="add judged queries that have a relevant candidate, or lower batch in a training file",
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
        """Return part ``part``, counted over all steps: each file's share, from its endless shuffle."""
        found = []
        for number, file in enumerate(self._settings.data):
            share, size = file.share or 0, len(self._files[number])
            places = range(part * share, (part + 1) * share)
            found += [self._shuffled(number, place // size)[place % size] for place in places]
        return found

    def _shuffle(self, file: int, epoch: int) -> list[TrainingList]:
        lists = self._files[file]
        return random.Random(f"{self._settings.seed} file {file} epoch {epoch}").sample(lists, len(lists))
