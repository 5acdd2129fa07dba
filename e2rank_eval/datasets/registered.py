"""Data sets of the registry: fetched from their sources, loaded, and checked against the stated counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2rank_eval.datasets import beir_folder, lee, pydoc
from e2rank_eval.datasets.collection import Collection
from e2rank_eval.datasets.validation import check_counts
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.registry import entries
from e2rank_eval.registry.entries import DatasetEntry
from e2rank_eval.sources.fetch import fetch

Loaded = tuple[Dataset, dict[str, int]]
"""A data set, and counts of what its loader left out by reason."""


def _beir_folder(folder: Path, entry: DatasetEntry) -> Loaded:
    files = beir_folder.find(folder, entry.options.get("split", "test"))
    return beir_folder.load(files, folder.name)


_FETCHED: dict[str, Callable[[Path, DatasetEntry], Loaded]] = {
    "lee": lambda folder, _: (lee.load(folder), {}),
    "beir_folder": _beir_folder,
}
"""Loaders of fetched files by name; a new one is a module and a line here."""

_GENERATED: dict[str, Callable[..., Dataset]] = {"pydoc": pydoc.load}
"""Loaders that make their data on this machine, given the seed and the entry's options."""


def load_registered(identifier: str, cache: Path, *, seed: int) -> Collection:
    """The data set ``identifier`` of the registry; its files are kept in ``cache/downloads/<identifier>/``.

    Raises
    ------
    InputError
        For an unknown id or loader, malformed files, or counts other than the registry's.
    UnavailableError
        When no source could be used.
    """
    entry = entries.dataset(identifier)
    if entry.loader in _GENERATED:
        collection = _generated(entry, seed)
    elif entry.loader in _FETCHED:
        collection = _fetched(identifier, entry, cache)
    else:
        known = ", ".join([*_FETCHED, *_GENERATED])
        raise InputError(f"data set {identifier!r}: unknown loader {entry.loader!r}", mend=f"known: {known}")
    check_counts(collection.dataset, entry)
    return collection


def _generated(entry: DatasetEntry, seed: int) -> Collection:
    return Collection(
        dataset=_GENERATED[entry.loader](seed=seed, **entry.options),
        title=entry.title,
        licence=entry.licence,
        show_text=entry.show_text,
        source={"kind": "generated", "loader": entry.loader, "seed": seed, **entry.options},
    )


def _fetched(identifier: str, entry: DatasetEntry, cache: Path) -> Collection:
    fetched = fetch(identifier, entry.sources, cache / "downloads" / identifier, {})
    dataset, left_out = _FETCHED[entry.loader](fetched.path, entry)
    return Collection(
        dataset=dataset,
        title=entry.title,
        licence=entry.licence,
        show_text=entry.show_text,
        source={
            "kind": "fetched",
            "from": fetched.source,
            "revision": fetched.revision,
            "files": dict(fetched.files),
        },
        inputs=tuple(fetched.path / name for name in fetched.files),
        left_out=left_out,
    )
