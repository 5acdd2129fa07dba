"""Loading of data sets by name, from the user's folder, a source or a library, with checked counts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.checks import check_counts
from e2rank_eval.datasets.library import library_ids, required_agreement
from e2rank_eval.datasets.loaders import LOADERS, Request, beir
from e2rank_eval.datasets.registry import (
    LIBRARIES,
    DatasetEntry,
    registered_dataset,
    registered_datasets,
)
from e2rank_eval.datasets.sources.fetch import fetch, recorded_source
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Dataset
from e2rank_eval.store.files import sha256_file

_SPLITS = ("/train", "/dev", "/validation", "/test")
"""Endings of ir_datasets ids that name one split of a collection."""


@dataclass(frozen=True, slots=True)
class Collection:
    """A data set and its origin.

    ``source`` states the origin without anything that differs between machines; ``inputs`` are the files that
    were read; ``skipped`` counts the items that the loader skipped, by reason.
    """

    dataset: Dataset
    title: str
    licence: str
    show_text: bool
    source: Mapping[str, Any]
    inputs: tuple[Path, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


def load_registered(identifier: str, cache: Path, *, seed: int) -> Collection:
    """Load a data set by any name that the registry resolves, and check its counts.

    A folder ``$E2RANK_DATA/<identifier>`` in BEIR layout takes precedence over every source; fetched files
    are stored in ``cache/downloads/<identifier>/``, or in the library's cache.

    Raises
    ------
    InputError
        For an unknown id or loader, malformed files, or counts other than the registry's.
    UnavailableError
        When no source could be used.
    """
    entry = registered_dataset(identifier)
    own = own_folder(identifier)
    folder, loader = cache, entry.loader
    inputs: tuple[Path, ...] = ()
    source: dict[str, Any]
    if own is not None:
        folder, loader = own, "beir"
        inputs = beir.find(own, entry.options.get("split", "test")).files
        hashes = {path.relative_to(own).as_posix(): sha256_file(path) for path in inputs}
        source = {"kind": "folder", "files": hashes}
    elif entry.only_yours:
        layout = f"put corpus.jsonl, queries.jsonl and qrels/test.tsv into $E2RANK_DATA/{identifier}"
        raise UnavailableError(f"{identifier}: only you can provide it: {entry.registration or layout}")
    elif entry.sources:
        fetched = fetch(identifier, entry.sources, cache / "downloads" / identifier, {})
        folder, inputs = fetched.path, tuple(fetched.path / name for name in fetched.files)
        source = {"kind": "fetched", "from": fetched.source, "revision": fetched.revision}
        source["files"] = dict(fetched.files)
    elif loader in LIBRARIES:
        source = {"kind": loader, "version": metadata.version(loader), **entry.options}
    else:
        source = {"kind": "generated", "loader": loader, "seed": seed, **entry.options}
    dataset, skipped = LOADERS[loader](Request(identifier, entry.options, folder, seed))
    if entry.excludes_itself:
        same = {q: frozenset((q,)) for q in dataset.queries if q in dataset.corpus}
        dataset = replace(dataset, exclusions=same)
    check_counts(dataset, entry, own)
    return Collection(dataset, entry.title, entry.licence, entry.show_text, source, inputs, skipped)


def load_folder(name: str, folder: Path, split: str) -> Collection:
    """Load a folder in BEIR layout as data set ``name``; only its format is checked."""
    files = beir.find(folder, split)
    dataset, skipped = beir.load(files, name)
    return Collection(
        dataset=dataset,
        title=name,
        licence="unknown (a local folder)",
        show_text=False,
        source={
            "kind": "folder",
            "files": {path.relative_to(folder).as_posix(): sha256_file(path) for path in files.files},
        },
        inputs=files.files,
        skipped=skipped,
    )


def load_split(name: str, split: str, cache: Path) -> Collection:
    """Load one split of a data set, such as the train split of ``beir/scifact``.

    ``name`` is the registry name of a collection of ir_datasets (``scifact``), its id with or without a
    split, or a folder in BEIR layout. A folder ``$E2RANK_DATA/<name>``, under any of these names, takes
    precedence, as in :func:`load_registered`.

    Raises
    ------
    InputError
        When there is no such data set or split (the message lists the splits), or files are malformed.
    UnavailableError
        When no source could be used.
    """
    known = registered_datasets()
    entry = known.get(name)
    identifier = str(entry.options.get("id", name)) if entry is not None else name
    stem = without_split(identifier)
    ids = {stem, *(stem + one for one in _SPLITS)}
    same = [one for one, its in known.items() if its.options.get("id") in ids]
    folders = [Path(name), *filter(None, map(own_folder, [name, stem, *same]))]
    folder = next((one for one in folders if one.is_dir()), None)
    if folder is not None:
        if not any((folder / "qrels").glob(f"{split}.tsv*")):
            splits = sorted(path.name.split(".")[0] for path in folder.glob("qrels/*.tsv*"))
            hint = f"add qrels/{split}.tsv; splits here: {', '.join(splits) or 'none'}"
            raise InputError(f"the data set has no {split} split", path=folder, hint=hint)
        licence = known[same[0]].licence if same else "unknown (a local folder)"
        return replace(load_folder(folder.resolve().name, folder, split), licence=licence)
    if f"{stem}/{split}" not in library_ids():
        splits = [one for one in library_ids() if one.startswith(f"{stem}/")]
        hint = f"known: {', '.join(splits)}" if splits else "name another, or a folder with qrels/train.tsv"
        raise InputError(f"data set {name!r} has no {split} split", hint=hint)
    return load_registered(f"{stem}/{split}", cache, seed=0)  # only generated data sets use a seed


def without_split(name: str) -> str:
    """Return an id of ir_datasets without the split that it ends in.

    >>> without_split("beir/scifact/train"), without_split("mine")
    ('beir/scifact', 'mine')
    """
    return name.rsplit("/", 1)[0] if name.endswith(_SPLITS) else name


def own_folder(identifier: str) -> Path | None:
    """Return the folder of the user's copy of a data set, ``$E2RANK_DATA/<identifier>``, or None."""
    root = os.environ.get("E2RANK_DATA", "")
    folder = Path(root) / identifier
    return folder if root and folder.is_dir() else None


def plan(names: Iterable[str], cache: Path) -> list[dict[str, Any]]:
    """Return the state of each data set before a fetch, without network access or hashing.

    ``state`` is ``fetched``, ``own copy`` (in ``$E2RANK_DATA``), ``generated`` (no download), ``manual``
    (only the user can provide it) or ``to fetch``; ``bytes`` is the size of the download, or
    None if unknown.

    Raises
    ------
    InputError
        When there is no such data set.
    """
    rows = []
    for name in names:
        entry = registered_dataset(name)
        state, origin, size = _state(name, entry, cache)
        row = {"name": name, "state": state, "from": origin, "bytes": size, "licence": entry.licence}
        rows.append(row | {"registration": entry.registration})
    return rows


def _state(name: str, entry: DatasetEntry, cache: Path) -> tuple[str, str, int | None]:
    own = own_folder(name)
    if own is not None:
        return "own copy", str(own), 0
    if entry.only_yours:
        return "manual", "a folder of the user", None
    if entry.loader == "ir_datasets" and required_agreement(entry.options["id"]):
        return "manual", entry.origin, None
    if not entry.fetched:
        return "generated", entry.origin, 0
    recorded = entry.sources and recorded_source(cache / "downloads" / name, entry.sources)
    if recorded:
        return "fetched", recorded, 0
    return "to fetch", entry.origin, entry.bytes
