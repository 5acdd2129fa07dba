"""The registry of data sets: the fields of an entry, entries by id, and entries for ids of libraries."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from e2rank_eval.config.reading import read_entries
from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.library import library_counts, library_ids, required_agreement
from e2rank_eval.datasets.sources.kinds import Source
from e2rank_eval.errors import InputError
from e2rank_eval.registry import look_up

_PACKAGED = Path(__file__).with_name("datasets.yaml")

LIBRARIES = ("ir_datasets", "mteb")
"""Loaders that fetch their files themselves; ``<library>:<id>`` names any of their collections."""


class DatasetEntry(Strict):
    """An entry of the registry; what the library that fetches the data set states is not repeated."""

    title: str
    description: str = ""
    loader: str = Field(description="module of e2rank_eval.datasets.loaders that reads it")
    options: dict[str, Any] = Field({}, description="of the loader, such as id (ir_datasets) or task (mteb)")
    sources: list[Source] = Field([], description="of files for the loader, tried in this order")
    pool: bool = Field(
        False, description="has only judged and listed documents, which are too easy to search: candidates "
        "come from a run"
    )  # fmt: skip
    excludes_itself: bool = Field(False, description="exclude the document with the query's id?")
    licence: str
    show_text: bool = Field(description="may its text be shown to others (site, reports)?")
    registration: str | None = Field(None, description="agreement that is required, and where; null: none")
    bytes: int | None = Field(None, ge=0, description="size of the download, if a source states it")
    documents: int | None = Field(None, description="expected number; null: that of ir_datasets, or unknown")
    queries: int | None = Field(None, description="expected number of judged queries")
    judgements: int | None = Field(None, description="expected number, of all grades")
    counts_source: str | None = Field(None, description="source of the expected numbers")
    instruction: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="task instruction of query-only embedding"
    )
    instruction_source: str | None = None
    published_bm25: float | None = Field(None, description="nDCG@10 x 100")
    published_bm25_source: str | None = None

    @property
    def origin(self) -> str:
        """The data set's source, for messages."""
        if self.loader in LIBRARIES:
            return f"{self.loader} {self.options.get('id') or self.options.get('task')}"
        return "; ".join(source.label for source in self.sources) or f"loader {self.loader}"

    @property
    def fetched(self) -> bool:
        """Whether it is downloaded."""
        return bool(self.sources) or self.loader in LIBRARIES

    @property
    def only_yours(self) -> bool:
        """Whether it is available only from a folder of the user's."""
        return self.loader == "beir" and not self.fetched


def registered_datasets() -> dict[str, DatasetEntry]:
    """Return the data sets by id, in the file's order.

    ``config/datasets.yaml`` in the working folder adds entries to those of the package, or replaces them.

    Raises
    ------
    InputError
        When that file is not a mapping of data sets.
    """
    return {
        name: _counted(entry)
        for name, entry in read_entries(DatasetEntry, [_PACKAGED, Path("config/datasets.yaml")]).items()
    }


def registered_dataset(name: str) -> DatasetEntry:
    """Return the entry of a data set of the registry or of a library.

    ``ir_datasets:<id>``, or an id with a slash alone, names any collection of ir_datasets with documents,
    queries and judgements; ``mteb:<task>`` names a retrieval or reranking task.

    Raises
    ------
    InputError
        When there is no data set of that name; the message suggests the nearest.
    """
    library, _, identifier = name.rpartition(":")
    if library == "mteb":
        return _of_library("mteb", {"task": identifier}, None)
    if library == "ir_datasets" or (not library and "/" in name):
        if identifier not in library_ids():
            near = get_close_matches(identifier, library_ids(), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see e2rank-eval list datasets --all"
            raise InputError(
                f"ir_datasets has no {identifier!r} with documents, queries and judgements", hint=hint
            )
        return _of_library("ir_datasets", {"id": identifier}, required_agreement(identifier))
    return look_up(registered_datasets(), name, "data set", "e2rank-eval list datasets")


def _of_library(loader: str, options: dict[str, Any], registration: str | None) -> DatasetEntry:
    """Return the registry's entry of a library's collection, or a minimal one if it has none."""
    for entry in registered_datasets().values():
        if (entry.loader, entry.options) == (loader, options):
            return entry
    return DatasetEntry(
        title=next(iter(options.values())),
        loader=loader,
        options=options,
        licence=f"see {loader}",
        show_text=False,
        registration=registration,
    )


def _counted(entry: DatasetEntry) -> DatasetEntry:
    """Return the entry with missing expected numbers taken from ir_datasets."""
    if entry.loader != "ir_datasets" or entry.options.get("id") not in library_ids():
        return entry
    counts = {
        what: getattr(entry, what) or number for what, number in library_counts(entry.options["id"]).items()
    }
    source = entry.counts_source or "ir_datasets etc/metadata.json"
    return entry.model_copy(update={**counts, "counts_source": source})
