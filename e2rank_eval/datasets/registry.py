"""The registry of data sets: the fields of an entry, entries by id, and entries of the libraries' ids."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from e2rank_eval.config.reading import read_entries
from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.library import library_counts, library_ids, to_ask_for
from e2rank_eval.datasets.sources.kinds import Source
from e2rank_eval.errors import InputError
from e2rank_eval.registry import look_up

_PACKAGED = Path(__file__).with_name("datasets.yaml")

LIBRARIES = ("ir_datasets", "mteb")
"""Loaders that fetch what they read; ``<library>:<id>`` names any of their collections."""


class DatasetEntry(Strict):
    """What the suite says of a data set, beside what the library that fetches it says."""

    title: str
    description: str = ""
    loader: str = Field(description="module of e2rank_eval.datasets.loaders that reads it")
    options: dict[str, Any] = Field({}, description="of the loader; id of ir_datasets', task of mteb's")
    sources: list[Source] = Field(
        [], description="of files that are fetched for the loader, tried in this order"
    )
    pool: bool = Field(
        False, description="judged and listed documents only: candidates come from a run, for a search would "
        "find too easily"
    )  # fmt: skip
    excludes_itself: bool = Field(False, description="is a document with a query's id excluded for it?")
    licence: str
    show_text: bool = Field(description="may its text be shown to others (site, reports)?")
    registration: str | None = Field(
        None, description="what to sign or ask for, and where; null: free to fetch"
    )
    bytes: int | None = Field(None, ge=0, description="size of the download, where a source names it")
    documents: int | None = Field(
        None, description="expected number; null: ir_datasets' own, or none is known"
    )
    queries: int | None = Field(None, description="expected number of judged queries")
    judgements: int | None = Field(None, description="expected number, of all grades")
    counts_source: str | None = Field(None, description="who states the expected numbers")
    instruction: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="task instruction of query-only embedding"
    )
    instruction_source: str | None = None
    published_bm25: float | None = Field(None, description="nDCG@10 x 100")
    published_bm25_source: str | None = None

    @property
    def origin(self) -> str:
        """How messages name the place that the data set comes from."""
        if self.loader in LIBRARIES:
            return f"{self.loader} {self.options.get('id') or self.options.get('task')}"
        return "; ".join(source.label for source in self.sources) or f"loader {self.loader}"

    @property
    def fetched(self) -> bool:
        """Whether it comes over the network."""
        return bool(self.sources) or self.loader in LIBRARIES

    @property
    def only_yours(self) -> bool:
        """Whether only a folder of the user's can give it."""
        return self.loader == "beir" and not self.fetched


def registered_datasets() -> dict[str, DatasetEntry]:
    """Return the data sets by id, in the file's order.

    ``config/datasets.yaml`` of the working folder adds entries to those of the package, or replaces them.

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
    """Return the entry of a data set of the registry, or of one of a library's.

    ``ir_datasets:<id>``, or its id alone where it has a slash, is any collection of ir_datasets with
    documents, queries and judgements; ``mteb:<task>`` a retrieval or reranking task.

    Raises
    ------
    InputError
        When there is none of that name; names the nearest.
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
        return _of_library("ir_datasets", {"id": identifier}, to_ask_for(identifier))
    return look_up(registered_datasets(), name, "data set", "e2rank-eval list datasets")


def _of_library(loader: str, options: dict[str, Any], registration: str | None) -> DatasetEntry:
    """Return the registry's own entry of a library's collection, else one that says nothing further."""
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
    """Complete the expected numbers by those of ir_datasets."""
    if entry.loader != "ir_datasets" or entry.options.get("id") not in library_ids():
        return entry
    counts = {
        what: getattr(entry, what) or number for what, number in library_counts(entry.options["id"]).items()
    }
    source = entry.counts_source or "ir_datasets etc/metadata.json"
    return entry.model_copy(update={**counts, "counts_source": source})
