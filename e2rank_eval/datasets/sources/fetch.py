"""Fetching of a registry entry's files into a cache folder: atomic, checked, and reused if complete."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.sources import download, hub, package
from e2rank_eval.datasets.sources.kinds import Source
from e2rank_eval.errors import InputError, SuiteError, UnavailableError
from e2rank_eval.progress import say
from e2rank_eval.store.files import disk_is_full, sha256_file, space_for, write_json
from e2rank_eval.store.locks import exclusive

_RECORD = ".fetched.json"
_WAIT = 3600.0
"""Seconds to wait for another process that fetches the same files."""

_KINDS: Mapping[str, Any] = {"package": package, "hub": hub, "url": download}
"""The module of each kind of source; its ``take(source, folder)`` fetches files and returns the revision."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Local files: ``files`` maps names relative to ``path`` to their SHA-256.

    ``revision`` is the commit of a hub repository or the version of a package, None for plain addresses.
    """

    path: Path
    source: str
    revision: str | None
    files: Mapping[str, str]


class _Record(Strict):
    """The record stored beside fetched files; ``source`` is the registry's at that time."""

    source: dict[str, Any]
    described: str
    revision: str | None
    files: dict[str, str]


def fetch(name: str, sources: Sequence[Source], folder: Path, hashes: Mapping[str, str]) -> Fetched:
    """Return the files of ``name`` in ``folder``, fetched from the first of ``sources`` that provides them.

    Complete files of an earlier fetch are reused. They are fetched again if a file differs from its recorded
    hash, or their source is not in the registry any more. ``hashes`` (local name -> SHA-256) apply to every
    source. With ``E2RANK_OFFLINE=1`` nothing is fetched.

    Raises
    ------
    UnavailableError
        When no source could be used (the message has the reason for each), or the disk is full. No partial
        file is left in ``folder``.
    """
    kept = _kept(folder, sources, hashes)
    if kept is not None:
        return kept
    with exclusive(folder.with_name(f".{folder.name}.lock"), what=f"fetching {name}", wait=_WAIT):
        kept = _kept(folder, sources, hashes)
        if kept is not None:
            return kept
        if offline():
            raise UnavailableError(
                f"{name}: incomplete in {folder}, and E2RANK_OFFLINE is set; unset it or copy the folder here"
            )
        failures = []
        for source in sources:
            say(f"fetching {name} from {source.label}")
            try:
                return _fetch_from(source, folder, hashes)
            except SuiteError as error:
                if disk_is_full(error.__cause__):  # other sources would fail too
                    raise
                named = source.kind == "url"  # its errors begin with the address
                failures.append(str(error) if named else f"{source.label}: {error}")
        raise UnavailableError(
            f"{name}: no source could be used ({'; '.join(failures)}); check the network, then run again"
        )


def offline() -> bool:
    """Whether ``E2RANK_OFFLINE`` forbids fetching."""
    return os.environ.get("E2RANK_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def recorded_source(folder: Path, sources: Sequence[Source]) -> str | None:
    """Return the source of an earlier fetch if all its files exist (contents unchecked), else None."""
    record = _record(folder, sources)
    if record is None or not all((folder / name).is_file() for name in record.files):
        return None
    return record.described


def _record(folder: Path, sources: Sequence[Source]) -> _Record | None:
    path = folder / _RECORD
    if not path.is_file():
        return None
    try:
        record = _Record.model_validate_json(path.read_bytes())
    except ValidationError:
        say(f"{path}: not a record of a fetch; ignored")
        return None
    return record if record.source in [source.model_dump() for source in sources] else None


def _kept(folder: Path, sources: Sequence[Source], hashes: Mapping[str, str]) -> Fetched | None:
    """Return the files of an earlier fetch if they are complete and match the registry, else None."""
    record = _record(folder, sources)
    if record is None:
        return None
    for name, expected in (record.files | dict(hashes)).items():
        if _sha256(folder / name) != expected:
            say(f"{folder / name}: missing or changed; fetching again")
            return None
    return Fetched(folder, record.described, record.revision, record.files)


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    facts = path.stat()
    return _sha256_of(path, facts.st_size, facts.st_mtime_ns)


@cache
def _sha256_of(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001 - part of the cache key
    return sha256_file(path)


def _fetch_from(source: Source, folder: Path, hashes: Mapping[str, str]) -> Fetched:
    if source.kind not in _KINDS:
        raise UnavailableError("nothing to download; set E2RANK_DATA to the folder that contains it")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with space_for(folder):
        part.mkdir(parents=True)
        try:
            revision = _KINDS[source.kind].take(source, part)
            paths = [path for path in sorted(part.rglob("*")) if path.is_file()]
            files = {path.relative_to(part).as_posix(): sha256_file(path) for path in paths}
            for name, expected in hashes.items():
                if files.get(name) != expected:
                    raise InputError(
                        f"sha256 is {files.get(name, 'missing')} instead of {expected}", path=name,
                        hint="do not trust this source",
                    )  # fmt: skip
            record = _Record(
                source=source.model_dump(), described=source.label, revision=revision, files=files
            )
            write_json(part / _RECORD, record.model_dump())
            if folder.exists():  # rename does not replace a folder
                shutil.rmtree(folder)
            part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return Fetched(folder, source.label, revision, files)
