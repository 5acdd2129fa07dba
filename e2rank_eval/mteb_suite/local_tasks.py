"""The suite's own mteb tasks: local data in mteb's unmodified task classes."""

from __future__ import annotations

import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from datasets import Dataset as Rows
from datasets import DatasetDict
from mteb.abstasks import AbsTask, AbsTaskClassification, AbsTaskClustering, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from pydantic import Field

from e2rank_eval.config.reading import read_entries
from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.loading import load_registered, own_folder
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import PackageSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Dataset
from e2rank_eval.store.files import number_within, read_lines, sha256_file, sha256_json

SEED = 42
"""The seed of samples, which is mteb's seed of tasks."""


class FolderData(Strict):
    """A user's folder, ``$E2RANK_DATA/<folder>``."""

    kind: Literal["folder"]
    folder: str


class RegistryData(Strict):
    """A data set of the registry."""

    kind: Literal["registry"]
    id: str


class TaskEntry(Strict):
    """One task of local_tasks.yaml; its type determines the format of its data."""

    type: Literal["STS", "Clustering", "Classification", "Retrieval"]
    description: str
    main_score: str
    instruction: str
    data: Annotated[FolderData | RegistryData | PackageSource, Field(discriminator="kind")]
    files: list[str] = Field([], description="in reading order; empty for a data set of the registry")
    rows: int = Field(
        description="number of pairs, documents or queries in the test data; checked when they are read"
    )
    sample: int = Field(0, description="number of rows of the last file of labelled texts to test on")


class _CompleteClustering(AbsTaskClustering):
    """mteb's clustering, on all documents; its default of 4 % is meant for hundreds of thousands."""

    max_fraction_of_documents_to_embed = None


UNREAD = "unread"
"""The revision of a task whose files have not been read."""

_CLASSES: dict[str, type[AbsTask]] = {
    "STS": AbsTaskSTS,
    "Clustering": _CompleteClustering,
    "Classification": AbsTaskClassification,
    "Retrieval": AbsTaskRetrieval,
}


def local_tasks() -> dict[str, TaskEntry]:
    """Return the suite's own tasks by name."""
    return read_entries(TaskEntry, [Path(__file__).with_name("local_tasks.yaml")])


class _LocalTask:
    """A mixin for mteb's task classes: reads local files, whose hash becomes the revision.

    Until a task has read its data, its revision is :data:`UNREAD`.
    """

    metadata: TaskMetadata

    def __init__(self, cache: Path = Path("cache"), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cache = cache
        self._data: Any = None

    def read(self) -> None:
        """Read the data. Raises as :func:`local_task` does."""
        name = self.metadata.name
        entry = local_tasks()[name]
        self._data, revision = _read(name, entry, self._cache)
        rows = _tested_rows(self._data)
        if rows != entry.rows:
            raise InputError(f"{name}: {rows} rows instead of {entry.rows}", hint="check its files")
        self.metadata = _metadata(name, entry, revision)

    def load_data(self, num_proc: int | None = None, **kwargs: Any) -> None:  # noqa: ARG002 - mteb's own call
        if self._data is None:
            self.read()
        self.dataset, self.data_loaded = self._data, True

    def unload_data(self) -> None:
        """Unload as mteb does, but keep the metadata, which hold the revision that was read."""
        self.dataset, self.data_loaded = None, False


@cache
def local_task_class(name: str) -> type[AbsTask]:
    """Return mteb's class of the task ``name``; an instance reads its data when mteb asks for it."""
    entry = local_tasks()[name]
    fields: dict[str, Any] = {"metadata": _metadata(name, entry, UNREAD)}
    if entry.type == "Retrieval":
        fields["ignore_identical_ids"] = True
    return type(name, (_LocalTask, _CLASSES[entry.type]), fields)


def local_task(name: str, cache: Path) -> AbsTask:
    """Return the task ``name`` with its data read; the revision in its results is a hash of its files.

    Data of packages are kept in ``cache/downloads/``.

    Raises
    ------
    UnavailableError
        When its files are missing and cannot be fetched.
    InputError
        When a file is malformed, or the number of rows differs from the stated one.
    """
    task: Any = local_task_class(name)(cache=cache)
    task.read()
    return cast("AbsTask", task)


def _metadata(name: str, entry: TaskEntry, revision: str) -> TaskMetadata:
    return TaskMetadata(
        name=name,
        description=entry.description,
        type=entry.type,
        category="t2c" if entry.type in ("Clustering", "Classification") else "t2t",
        prompt=entry.instruction,
        dataset={"path": f"e2rank-eval/{name}", "revision": revision},
        eval_splits=["test"],
        eval_langs=["eng-Latn"],
        main_score=entry.main_score,
        modalities=["text"],
    )


def _read(name: str, entry: TaskEntry, cache: Path) -> tuple[Any, str]:
    """Return a task's data in the format of mteb's class, and the hash of their source."""
    if isinstance(entry.data, RegistryData):
        found = load_registered(entry.data.id, cache, seed=SEED)
        return collection(found.dataset), sha256_json(dict(found.source))[:40]
    folder = _folder(name, entry.data, cache)
    paths = [folder / file for file in entry.files]
    for path in paths:
        if not path.is_file():
            raise UnavailableError(f"{name}: no file {path}; add it, or check E2RANK_DATA")
    hashes = [sha256_file(path) for path in paths]
    data = scored_pairs(paths) if entry.type == "STS" else labelled_texts(paths, entry.sample)
    return data, sha256_json({"files": hashes, "sample": entry.sample})[:40]


def _folder(name: str, data: FolderData | PackageSource, cache: Path) -> Path:
    if isinstance(data, PackageSource):
        place = f"{data.name}-{data.version}"
        return fetch(place, [data], cache / "downloads" / place, {}).path
    own = own_folder(data.folder)
    if own is None:
        raise UnavailableError(f"{name}: set E2RANK_DATA to a folder that holds {data.folder}/")
    return own


def _tested_rows(data: Any) -> int:
    return len(data["test"]) if "test" in data else len(data["default"]["test"]["queries"])


def scored_pairs(paths: Sequence[Path]) -> DatasetDict:
    """Read tab-separated lines of score, first and second text; lines without a score are skipped."""
    pairs: dict[str, list[Any]] = {"sentence1": [], "sentence2": [], "score": []}
    for path in paths:
        for number, (score, first, second) in _fields(path, 3):
            if score.strip():
                pairs["sentence1"].append(first)
                pairs["sentence2"].append(second)
                pairs["score"].append(number_within(score, 5, "score", path, number))
    return DatasetDict({"test": Rows.from_dict(pairs)})


def labelled_texts(paths: Sequence[Path], sample: int) -> DatasetDict:
    """Read ``label TAB text`` lines below the three header lines of Orange's format.

    One file makes a clustering; two are the training and the test part of a classification. ``sample`` rows
    of the last file are drawn, in proportion to the labels.
    """
    tables = [
        [(label, text) for _, (label, text) in _fields(path, 2, skipped=3) if text.strip()] for path in paths
    ]
    tables[-1] = _stratified(tables[-1], sample)
    names = sorted({label for table in tables for label, _ in table})
    parts = [([names.index(label) for label, _ in table], [text for _, text in table]) for table in tables]
    if len(parts) == 1:
        labels, texts = parts[0]
        return DatasetDict({"test": Rows.from_dict({"sentences": texts, "labels": labels})})
    splits = zip(("train", "test"), parts, strict=True)
    return DatasetDict(
        {split: Rows.from_dict({"text": texts, "label": labels}) for split, (labels, texts) in splits}
    )


def collection(dataset: Dataset) -> dict[str, Any]:
    """Return a test collection; an excluded document, such as the query itself, is not judged or counted."""
    documents = [{"id": d.id, "title": d.title, "text": d.text} for d in dataset.corpus.values()]
    split = {
        "corpus": Rows.from_list(documents),
        "queries": Rows.from_list([{"id": q.id, "text": q.text} for q in dataset.queries.values()]),
        "relevant_docs": {
            query: {document: max(0, grade) for document, grade in grades.items()}
            for query, grades in dataset.qrels.items()
        },
        "top_ranked": None,
    }
    return {"default": {"test": split}}


def _fields(path: Path, count: int, *, skipped: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and tab-separated fields of each line after the first ``skipped``."""
    for number, line in read_lines(path):
        fields = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE), [])
        if not fields or number <= skipped:
            continue
        if len(fields) != count:
            raise InputError(
                f"{len(fields)} fields instead of {count}", path=path, line=number, hint="fetch it again"
            )
        yield number, fields


def _stratified(table: Sequence[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """Draw ``size`` rows by the seed, in proportion to the labels (largest remainders), in file order."""
    if size >= len(table):
        return list(table)
    places: dict[str, list[int]] = defaultdict(list)
    for place, (label, _) in enumerate(table):
        places[label].append(place)
    exact = {label: size * len(found) / len(table) for label, found in places.items()}
    shares = {label: math.floor(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (shares[label] - exact[label], label))
    for label in by_remainder[: size - sum(shares.values())]:
        shares[label] += 1
    draw = random.Random(SEED)
    taken = [place for label in sorted(places) for place in draw.sample(places[label], shares[label])]
    return [table[place] for place in sorted(taken)]
