"""Data sets of the registry: fetched from their sources, loaded, and checked against the stated counts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2rank_eval.datasets import beir_folder, bright, hub_layout, lee, pydoc, trec_dl
from e2rank_eval.datasets.collection import Collection
from e2rank_eval.datasets.registry import DatasetEntry, registered_dataset
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import LocalSource
from e2rank_eval.datasets.validation import check_counts
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Dataset
from e2rank_eval.store.files import sha256_file

Loaded = tuple[Dataset, dict[str, int]]
"""A data set, and counts of what its loader left out by reason."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a loader reads: the fetched files, and those that the entry adds to them."""

    folder: Path
    additions: Path | None = None


def _beir(files: Files, name: str, entry: DatasetEntry) -> Loaded:
    """A folder in BEIR layout, or a hub repository whose card maps its files."""
    split = entry.options.get("split", "test")
    if (files.folder / "README.md").exists() and not any(files.folder.glob("qrels/*.tsv*")):
        dataset, left_out = hub_layout.load(files.folder, name, split)
    else:
        dataset, left_out = beir_folder.load(beir_folder.find(files.folder, split), name)
    if entry.options.get("exclude") == "same-id":
        exclusions = {q: frozenset((q,)) for q in dataset.queries if q in dataset.corpus}
        dataset = replace(dataset, exclusions=exclusions)
    return dataset, left_out


def _bright(files: Files, name: str, entry: DatasetEntry) -> Loaded:
    options = dict(entry.options)
    qrels = options.pop("qrels", None)
    path = files.additions / qrels if qrels is not None and files.additions is not None else None
    return bright.load(files.folder, name, qrels=path, **options)


_FETCHED: dict[str, Callable[[Files, str, DatasetEntry], Loaded]] = {
    "lee": lambda files, *_: (lee.load(files.folder), {}),
    "beir": _beir,
    "beir_folder": _beir,
    "bright": _bright,
    "trec_dl": lambda files, name, entry: trec_dl.load(files.folder, name, **entry.options),
}
"""Loaders of fetched files by name; a new one is a module and a line here."""

_GENERATED: dict[str, Callable[..., Dataset]] = {"pydoc": pydoc.load}
"""Loaders that make their data on this machine, given the seed and the entry's options."""


def load_registered(identifier: str, cache: Path, *, seed: int) -> Collection:
    """The data set ``identifier`` of the registry, its counts checked.

    A folder ``$E2RANK_DATA/<identifier>`` in BEIR layout goes before every source; fetched files
    are kept in ``cache/downloads/<identifier>/``.

    Raises
    ------
    InputError
        For an unknown id or loader, malformed files, or counts other than the registry's.
    UnavailableError
        When no source could be used.
    """
    entry = registered_dataset(identifier)
    own = own_folder(identifier)
    if own is not None:
        collection = _own(identifier, entry, own)
    elif entry.loader in _GENERATED:
        collection = _generated(entry, seed)
    elif entry.loader in _FETCHED:
        collection = _fetched(identifier, entry, cache)
    else:
        known = ", ".join([*_FETCHED, *_GENERATED])
        raise InputError(f"data set {identifier!r}: unknown loader {entry.loader!r}", hint=f"known: {known}")
    check_counts(collection.dataset, entry)
    return collection


def own_folder(identifier: str) -> Path | None:
    """The user's own copy of a data set: ``$E2RANK_DATA/<identifier>``, where there is one."""
    root = os.environ.get("E2RANK_DATA", "")
    folder = Path(root) / identifier
    return folder if root and folder.is_dir() else None


def fetched_folder(identifier: str, entry: DatasetEntry, cache: Path) -> Path:
    """Where the files of a data set lie once fetched; some variants share those of their entry."""
    return cache / "downloads" / (entry.files_of or identifier)


def _generated(entry: DatasetEntry, seed: int) -> Collection:
    source = {"kind": "generated", "loader": entry.loader, "seed": seed, **entry.options}
    return _collection(entry, _GENERATED[entry.loader](seed=seed, **entry.options), source)


def _own(identifier: str, entry: DatasetEntry, folder: Path) -> Collection:
    files = beir_folder.find(folder, entry.options.get("split", "test"))
    dataset, left_out = _beir(Files(folder), identifier, entry)
    hashes = {path.relative_to(folder).as_posix(): sha256_file(path) for path in files.files}
    return _collection(entry, dataset, {"kind": "folder", "files": hashes}, files.files, left_out)


def _fetched(identifier: str, entry: DatasetEntry, cache: Path) -> Collection:
    if all(isinstance(source, LocalSource) for source in entry.sources):
        how = (
            entry.registration
            or f"put corpus.jsonl, queries.jsonl and qrels/test.tsv into $E2RANK_DATA/{identifier}"
        )
        raise UnavailableError(f"{identifier}: only you can provide it: {how}")
    fetched = fetch(entry.files_of or identifier, entry.sources, fetched_folder(identifier, entry, cache), {})
    parts = [fetched]
    if entry.additions:
        folder = cache / "downloads" / f"{identifier}.additions"
        parts.append(fetch(f"additions of {identifier}", entry.additions, folder, {}))
    files = Files(fetched.path, parts[-1].path if entry.additions else None)
    dataset, left_out = _FETCHED[entry.loader](files, identifier, entry)
    source = {
        "kind": "fetched",
        "from": "; ".join(part.source for part in parts),
        "revision": fetched.revision,
        "files": {name: value for part in parts for name, value in part.files.items()},
    }
    inputs = tuple(part.path / name for part in parts for name in part.files)
    return _collection(entry, dataset, source, inputs, left_out)


def _collection(
    entry: DatasetEntry,
    dataset: Dataset,
    source: Mapping[str, Any],
    inputs: tuple[Path, ...] = (),
    left_out: Mapping[str, int] | None = None,
) -> Collection:
    return Collection(
        dataset=dataset,
        title=entry.title,
        licence=entry.licence,
        show_text=entry.show_text,
        source=source,
        inputs=inputs,
        left_out=left_out or {},
    )
