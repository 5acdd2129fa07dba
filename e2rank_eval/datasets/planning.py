"""What fetching data sets would take: from where, how much, under which licence, and what is here already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.registered import fetched_folder, own_folder
from e2rank_eval.datasets.registry import DatasetEntry, registered_dataset
from e2rank_eval.datasets.sources.fetch import described, recorded_source
from e2rank_eval.datasets.sources.kinds import HubSource, LocalSource, Source, UrlSource


def plan(names: Iterable[str], cache: Path) -> list[dict[str, Any]]:
    """One row for each registry id; asks no network and hashes no file.

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
        rows.append(
            {
                "name": name,
                "title": entry.title,
                "state": state,
                "from": origin,
                "bytes": size,
                "licence": entry.licence,
                "registration": entry.registration,
                "documents": entry.documents,
                "queries": entry.queries,
            }
        )
    return rows


def _state(name: str, entry: DatasetEntry, cache: Path) -> tuple[str, str, int | None]:
    own = own_folder(name)
    if own is not None:
        return "yours", str(own), 0
    if entry.sources[0].kind == "generated":
        return "made here", described(entry.sources[0]), 0
    recorded = recorded_source(fetched_folder(name, entry, cache), entry.sources)
    added = not entry.additions or recorded_source(cache / "downloads" / f"{name}.additions", entry.additions)
    if recorded is not None and added:
        return "here", recorded, 0
    first = entry.sources[0]
    if isinstance(first, LocalSource):
        return "needs you", described(first), None
    wanted = ([] if recorded is not None else [first]) + entry.additions[:1]
    sizes = [size_of(source) for source in wanted]
    known = None if any(size is None for size in sizes) else sum(size or 0 for size in sizes)
    return "to fetch", "; ".join(described(source) for source in wanted), known


def size_of(source: Source) -> int | None:
    """Bytes to download, where the registry knows them of every file."""
    if isinstance(source, HubSource):
        return source.bytes
    if isinstance(source, UrlSource):
        sizes = [one.bytes for one in source.downloads]
        return None if None in sizes else sum(size or 0 for size in sizes)
    return None
