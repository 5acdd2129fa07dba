"""The registry of data sets: the fields of an entry, and entries by id."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from e2rank_eval.config import Name, Strict
from e2rank_eval.config.registry_files import entry_named, read_entries
from e2rank_eval.datasets.sources.kinds import Source

_PACKAGED = Path(__file__).with_name("datasets.yaml")

Instruction = Annotated[str, Field(min_length=1)]


class DatasetFields(Strict):
    """What an entry says of a data set, and what a variant of it may say otherwise."""

    title: str
    description: str
    loader: str = Field(description="module of e2rank_eval.datasets.loaders that reads the files")
    sources: list[Source] = Field(
        min_length=1, description="tried in this order; each gives the whole data set"
    )
    additions: list[Source] = Field(
        [], description="of files that go beside those of sources; tried in order"
    )
    licence: str
    show_text: bool = Field(description="may its text be shown to others (site, reports)?")
    registration: str | None = Field(
        None, description="what to sign or ask for, and where; null: free to fetch"
    )
    documents: int | None = Field(None, description="expected number; null where it varies or none is known")
    queries: int | None = Field(None, description="expected number of judged queries")
    judgements: int | None = Field(None, description="expected number, of all grades")
    counts_source: str | None = Field(None, description="who states the expected numbers")
    options: dict[str, Any] = Field(
        {}, description="of the loader; those of a variant are added to the entry's"
    )
    instruction: Instruction | None = Field(None, description="task instruction of query-only embedding")
    instruction_source: str | None = None
    citation: str = ""
    published_bm25: float | None = Field(None, description="nDCG@10 x 100")
    published_bm25_source: str | None = None


class DatasetVariant(Strict):
    """Another form of a data set, known as <id>-<variant>: the keys given here replace the entry's."""

    title: str
    description: str = ""
    loader: str = ""
    sources: list[Source] = Field([], min_length=1)
    additions: list[Source] = Field([])
    documents: int | None = None
    queries: int | None = None
    judgements: int | None = None
    counts_source: str | None = None
    options: dict[str, Any] = Field({})
    published_bm25: float | None = None
    published_bm25_source: str | None = None


class DatasetEntry(DatasetFields):
    variants: dict[Name, DatasetVariant] = Field({}, description="further forms by the suffix of their id")
    files_of: str | None = Field(
        None,
        description="folder of the fetched files, where entries of the same sources share it; null: its own",
    )


def registered_datasets() -> dict[str, DatasetEntry]:
    """Return the data sets and their variants by id, in the file's order.

    ``config/datasets.yaml`` of the working folder adds entries to those of the package, or replaces them.

    Raises
    ------
    InputError
        When that file is not a mapping of data sets.
    """
    read = read_entries(DatasetEntry, [_PACKAGED, Path("config/datasets.yaml")])
    entries: dict[str, DatasetEntry] = {}
    for name, entry in read.items():
        entries[name] = entry
        entries |= {f"{name}-{suffix}": _variant(name, entry, suffix) for suffix in entry.variants}
    return entries


def registered_dataset(name: str) -> DatasetEntry:
    """Return one data set.

    Raises
    ------
    InputError
        When the registry has no such id; names the nearest.
    """
    return entry_named(registered_datasets(), name, kind="data set", command="e2rank-eval list datasets")


def _variant(name: str, entry: DatasetEntry, suffix: str) -> DatasetEntry:
    """The entry with what its variant gives; without sources of its own it uses the entry's fetched files."""
    variant = entry.variants[suffix]
    given = {key: getattr(variant, key) for key in variant.model_fields_set}
    files_of = None if "sources" in given else entry.files_of or name
    changed = given | {"options": entry.options | variant.options, "variants": {}, "files_of": files_of}
    return entry.model_copy(update=changed)
