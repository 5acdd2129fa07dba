"""Data sets of the registry: where their files are or come from, and how they are loaded and checked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.checks import check_counts
from e2rank_eval.datasets.loaders import LOADERS, Request, beir
from e2rank_eval.datasets.registry import DatasetEntry, registered_dataset
from e2rank_eval.datasets.sources.fetch import fetch, recorded_source
from e2rank_eval.errors import UnavailableError
from e2rank_eval.records import Dataset
from e2rank_eval.store.files import sha256_file


@dataclass(frozen=True, slots=True)
class Collection:
    """A data set and its origin.

    ``source`` states where it comes from, in terms that are the same on every machine; ``inputs``
    are the files that were read here; ``skipped`` counts what the loader skipped, by reason.
    """

    dataset: Dataset
    title: str
    licence: str
    show_text: bool
    source: Mapping[str, Any]
    inputs: tuple[Path, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)


def load_registered(identifier: str, cache: Path, *, seed: int) -> Collection:
    """Load the data set ``identifier`` of the registry and check its counts.

    A folder ``$E2RANK_DATA/<identifier>`` in BEIR layout takes precedence over every source; fetched
    files are kept in ``cache/downloads/<identifier>/``.

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
        files = beir.find(own, entry.options.get("split", "test")).files
        loaded = LOADERS["beir"](Request(identifier, entry.options, own))
        hashes = {path.relative_to(own).as_posix(): sha256_file(path) for path in files}
        collection = _collection(entry, *loaded, {"kind": "folder", "files": hashes}, files)
    elif entry.sources[0].kind == "generated":
        loaded = LOADERS[entry.loader](Request(identifier, entry.options, cache, seed=seed))
        made = {"kind": "generated", "loader": entry.loader, "seed": seed, **entry.options}
        collection = _collection(entry, *loaded, made)
    else:
        collection = _fetched(identifier, entry, cache)
    check_counts(collection.dataset, entry)
    return collection


def _fetched(identifier: str, entry: DatasetEntry, cache: Path) -> Collection:
    if all(source.kind == "local" for source in entry.sources):
        layout = f"put corpus.jsonl, queries.jsonl and qrels/test.tsv into $E2RANK_DATA/{identifier}"
        raise UnavailableError(f"{identifier}: only you can provide it: {entry.registration or layout}")
    folder = _fetched_folder(identifier, entry, cache)
    fetched = fetch(entry.files_of or identifier, entry.sources, folder, {})
    parts = [fetched]
    if entry.additions:
        added = _additions_folder(identifier, cache)
        parts.append(fetch(f"additions of {identifier}", entry.additions, added, {}))
    additions = parts[-1].path if entry.additions else None
    loaded = LOADERS[entry.loader](Request(identifier, entry.options, fetched.path, additions))
    source = {
        "kind": "fetched",
        "from": "; ".join(part.source for part in parts),
        "revision": fetched.revision,
        "files": {name: value for part in parts for name, value in part.files.items()},
    }
    return _collection(
        entry, *loaded, source, tuple(part.path / name for part in parts for name in part.files)
    )


def _collection(
    entry: DatasetEntry,
    dataset: Dataset,
    skipped: Mapping[str, int],
    source: Mapping[str, Any],
    inputs: tuple[Path, ...] = (),
) -> Collection:
    return Collection(dataset, entry.title, entry.licence, entry.show_text, source, inputs, skipped)


def own_folder(identifier: str) -> Path | None:
    """Return the user's own copy of a data set, ``$E2RANK_DATA/<identifier>``, where there is one."""
    root = os.environ.get("E2RANK_DATA", "")
    folder = Path(root) / identifier
    return folder if root and folder.is_dir() else None


def _fetched_folder(identifier: str, entry: DatasetEntry, cache: Path) -> Path:
    """Folder of the fetched files; some variants share those of their entry."""
    return cache / "downloads" / (entry.files_of or identifier)


def _additions_folder(identifier: str, cache: Path) -> Path:
    return cache / "downloads" / f"{identifier}.additions"


def plan(names: Iterable[str], cache: Path) -> list[dict[str, Any]]:
    """Return what fetching would take, one row for each registry id; asks no network and hashes no file.

    ``state`` is ``here`` (fetched before), ``yours`` (in ``$E2RANK_DATA``), ``made here``, ``needs you``
    (no source but you) or ``to fetch``; ``bytes`` what is known of the download's size, else ``None``.

    Raises
    ------
    InputError
        When the registry has no such id.
    """
    rows = []
    for name in names:
        entry = registered_dataset(name)
        state, origin, size = _state(name, entry, cache)
        row = {"name": name, "state": state, "from": origin, "bytes": size, "licence": entry.licence}
        rows.append(row | {"registration": entry.registration})
    return rows


def _state(name: str, entry: DatasetEntry, cache: Path) -> tuple[str, str, int | None]:
    own, first = own_folder(name), entry.sources[0]
    if own is not None:
        return "yours", str(own), 0
    if first.kind == "generated":
        return "made here", first.label, 0
    recorded = recorded_source(_fetched_folder(name, entry, cache), entry.sources)
    if recorded is not None and (
        not entry.additions or recorded_source(_additions_folder(name, cache), entry.additions)
    ):
        return "here", recorded, 0
    if first.kind == "local":
        return "needs you", first.label, None
    wanted = ([] if recorded is not None else [first]) + entry.additions[:1]
    sizes = [source.size for source in wanted]
    known = None if None in sizes else sum(size or 0 for size in sizes)
    return "to fetch", "; ".join(source.label for source in wanted), known
