"""The suite's own mteb tasks: local data under mteb's unmodified classes of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from mteb.abstasks import AbsTask, AbsTaskClassification, AbsTaskClustering, AbsTaskRetrieval, AbsTaskSTS
from mteb.abstasks.task_metadata import TaskMetadata
from pydantic import Field

from e2rank_eval.config.registry_files import read_entries
from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.loaders import beir
from e2rank_eval.datasets.loading import load_registered, own_folder
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import PackageSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.mteb_suite import local_data
from e2rank_eval.store.files import sha256_file, sha256_json


class FolderData(Strict):
    """A folder of the user's: ``$E2RANK_DATA/<folder>``."""

    kind: Literal["folder"]
    folder: str


class RegistryData(Strict):
    """A data set of the registry."""

    kind: Literal["registry"]
    id: str


class TaskEntry(Strict):
    """One task of local_tasks.yaml; its type decides how its data are read."""

    type: Literal["STS", "Clustering", "Classification", "Retrieval", "Reranking"]
    description: str
    main_score: str
    instruction: str
    data: Annotated[FolderData | RegistryData | PackageSource, Field(discriminator="kind")]
    files: list[str] = Field([], description="in this order; of a collection: its own")
    columns: list[str] = Field(["score", "first", "second"], description="of an STS task's files")
    header: bool = Field(False, description="whether the first line of an STS task's files names columns")
    rows: int = Field(description="pairs, documents or queries tested on; another number is an error")
    sample: int = Field(0, description="how many rows of the last file of labelled texts are tested on")


class _CompleteClustering(AbsTaskClustering):
    """mteb's clustering of all documents; its default of 4 % is for hundreds of thousands."""

    max_fraction_of_documents_to_embed = None


UNREAD = "unread"
"""The revision of a task whose files nobody has looked at."""

_CLASSES: dict[str, type[AbsTask]] = {
    "STS": AbsTaskSTS,
    "Clustering": _CompleteClustering,
    "Classification": AbsTaskClassification,
    "Retrieval": AbsTaskRetrieval,
    "Reranking": AbsTaskRetrieval,
}


def local_tasks() -> dict[str, TaskEntry]:
    """Return the suite's own tasks by name."""
    return read_entries(TaskEntry, [Path(__file__).with_name("local_tasks.yaml")])


class _LocalTask:
    """What the suite's own tasks add to mteb's classes: rows of local files, whose hash is the revision.

    Until a task has read its data, its revision is :data:`UNREAD`.
    """

    metadata: TaskMetadata

    def __init__(self, cache: Path = Path("cache"), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._cache = cache
        self._data: Any = None

    def read(self) -> None:
        """Read the data; raises what :func:`local_task` raises."""
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
        """Unload as mteb does, but keep the metadata, which say what was read."""
        self.dataset, self.data_loaded = None, False


@cache
def local_task_class(name: str) -> type[AbsTask]:
    """Return mteb's class of the task ``name``; an instance reads its data when mteb asks for it."""
    entry = local_tasks()[name]
    fields: dict[str, Any] = {"metadata": _metadata(name, entry, UNREAD)}
    if entry.type in ("Retrieval", "Reranking"):
        fields["ignore_identical_ids"] = entry.data.kind == "registry"
    return type(name, (_LocalTask, _CLASSES[entry.type]), fields)


def local_task(name: str, cache: Path) -> AbsTask:
    """Return the task ``name``, its data read: the revision in its results is a hash of its files.

    Data of packages is kept in ``cache/downloads/``.

    Raises
    ------
    UnavailableError
        When its files are not here and cannot be fetched.
    InputError
        When a file is malformed, or the rows are not as many as stated.
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
    """Return a task's data in the form of mteb's class, and the hash of what it was read from."""
    judged_only = entry.type == "Reranking"
    if isinstance(entry.data, RegistryData):
        found = load_registered(entry.data.id, cache, seed=local_data.SEED)
        data = local_data.collection(found.dataset, judged_only=judged_only)
        return data, sha256_json(dict(found.source))[:40]
    folder = _folder(name, entry.data, cache)
    if not entry.files:
        files = beir.find(folder, "test")
        dataset, _ = beir.load(files, name)
        return local_data.collection(dataset, judged_only=judged_only), _revision(files.files, entry)
    paths = [folder / file for file in entry.files]
    for path in paths:
        if not path.is_file():
            raise UnavailableError(f"{name}: no file {path}; add it, or check E2RANK_DATA")
    if entry.type == "STS":
        return local_data.scored_pairs(paths, entry.columns, header=entry.header), _revision(paths, entry)
    return local_data.labelled_texts(paths, entry.sample), _revision(paths, entry)


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


def _revision(paths: Sequence[Path], entry: TaskEntry) -> str:
    return sha256_json({"files": [sha256_file(path) for path in paths], "sample": entry.sample})[:40]
