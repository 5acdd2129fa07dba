"""The files of a registry entry in a cache folder: fetched once, whole or not at all, always checked."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.sources import hub, ir_datasets_export, package, trained, url
from e2rank_eval.datasets.sources.kinds import (
    GeneratedSource,
    HubSource,
    IrDatasetsSource,
    LocalSource,
    PackageSource,
    Source,
    TrainedSource,
    UrlSource,
)
from e2rank_eval.errors import InputError, SuiteError, UnavailableError
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_json, sha256_file, write_json
from e2rank_eval.store.locks import exclusive

_RECORD = ".fetched.json"
_FIELDS = {"source", "described", "revision", "files"}
_WAIT = 3600.0
"""Seconds to wait for another process that fetches the same files."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Files on this machine: ``files`` maps names relative to ``path`` to their SHA-256.

    ``revision`` is the commit of a hub repository or the version of a package, None for plain addresses.
    """

    path: Path
    source: str
    revision: str | None
    files: Mapping[str, str]


def fetch(name: str, sources: Sequence[Source], folder: Path, hashes: Mapping[str, str]) -> Fetched:
    """The files of ``name`` in ``folder``, from the first of ``sources`` that can give them.

    What lies there whole is returned at once; a file that differs from what was fetched, or a
    record of a source that the registry no longer names, makes it fetch again. ``hashes`` (local
    name -> SHA-256) must hold whatever the source. With ``E2RANK_OFFLINE=1`` nothing is fetched.

    Raises
    ------
    UnavailableError
        When no source could be used: names each with its reason; or when the disk is
        full. Nothing is left half-written.
    """
    whole = _kept(folder, sources, hashes)
    if whole is not None:
        return whole
    with exclusive(folder.with_name(f".{folder.name}.lock"), what=f"fetching {name}", wait=_WAIT):
        whole = _kept(folder, sources, hashes)
        if whole is not None:
            return whole
        if offline():
            raise UnavailableError(
                f"{name}: not whole in {folder}, and E2RANK_OFFLINE is set; unset it, or copy the folder here"
            )
        failures = []
        for source in sources:
            say(f"fetching {name} from {described(source)}")
            try:
                return _fetch_from(source, folder, hashes)
            except SuiteError as error:
                if _is_disk_space(error.__cause__):  # no other source would find more
                    raise
                failures.append(f"{described(source)}: {error}")
        raise UnavailableError(
            f"{name}: no source could be used ({'; '.join(failures)}); check the network, then run again"
        )


def offline() -> bool:
    """Whether ``E2RANK_OFFLINE`` forbids to fetch anything."""
    return os.environ.get("E2RANK_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def described(source: Source) -> str:
    """How messages and records name a source."""
    if isinstance(source, PackageSource):
        return f"package {source.name}=={source.version}"
    if isinstance(source, HubSource):
        return f"hub {source.repository}"
    if isinstance(source, UrlSource):
        return ", ".join(download.urls[0] for download in source.downloads)
    if isinstance(source, IrDatasetsSource):
        return f"ir_datasets {source.id}"
    if isinstance(source, LocalSource):
        return "a folder of yours"
    if isinstance(source, TrainedSource):
        return f"{source.folder}, trained here"
    return f"loader {source.loader}"


def recorded_source(folder: Path, sources: Sequence[Source]) -> str | None:
    """The source of an earlier fetch whose files are all there, unread; ``None`` where there is none."""
    record = _record(folder, sources)
    if record is None or not all((folder / name).is_file() for name in record["files"]):
        return None
    return str(record["described"])


def _record(folder: Path, sources: Sequence[Source]) -> dict[str, Any] | None:
    if not (folder / _RECORD).is_file():
        return None
    try:
        record = read_json(folder / _RECORD)
    except InputError as error:
        say(f"{error.path}: {error.problem}; taken as absent")
        return None
    if (
        not isinstance(record, dict)
        or not isinstance(record.get("files"), dict)
        or not record.keys() >= _FIELDS
    ):
        say(f"{folder / _RECORD}: not a whole record; taken as absent")
        return None
    return record if record["source"] in [source.model_dump() for source in sources] else None


def _kept(folder: Path, sources: Sequence[Source], hashes: Mapping[str, str]) -> Fetched | None:
    """What an earlier fetch left, if it is whole and still what the registry asks for."""
    record = _record(folder, sources)
    if record is None:
        return None
    files: dict[str, str] = record["files"]
    for name, expected in (files | dict(hashes)).items():
        if _sha256(folder / name) != expected:
            say(f"{folder / name}: missing, or not what was fetched; fetching again")
            return None
    return Fetched(folder, record["described"], record["revision"], files)


def _sha256(path: Path) -> str | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return _sha256_of(path, facts.st_size, facts.st_mtime_ns)


@cache
def _sha256_of(path: Path, size: int, modified_ns: int) -> str:  # noqa: ARG001 - the key of the memory
    return sha256_file(path)


def _fetch_from(source: Source, folder: Path, hashes: Mapping[str, str]) -> Fetched:
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    with _disk_space(folder):
        part.mkdir(parents=True)
        try:
            revision = _take(source, part)
            files = {
                p.relative_to(part).as_posix(): sha256_file(p) for p in sorted(part.rglob("*")) if p.is_file()
            }
            for name, expected in hashes.items():
                if files.get(name) != expected:
                    raise InputError(
                        f"sha256 is {files.get(name, 'missing')} instead of {expected}", path=name,
                        hint="do not trust this source",
                    )  # fmt: skip
            record = {"source": source.model_dump(), "described": described(source), "revision": revision}
            write_json(part / _RECORD, record | {"files": files})
            _replace(folder, part)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return Fetched(folder, described(source), revision, files)


def _take(source: Source, folder: Path) -> str | None:
    if isinstance(source, PackageSource):
        package.take(source, folder)
        return source.version
    if isinstance(source, HubSource):
        return hub.take(source, folder)
    if isinstance(source, UrlSource):
        url.take(source, folder)
        return None
    if isinstance(source, IrDatasetsSource):
        return ir_datasets_export.take(source, folder)
    if isinstance(source, TrainedSource):
        trained.take(source, folder)
        return None
    if isinstance(source, LocalSource):
        raise UnavailableError("only you can provide it; set E2RANK_DATA to the folder that holds it")
    assert isinstance(source, GeneratedSource)
    raise InputError(f"loader {source.loader!r} makes its data; there is nothing to fetch")


def _replace(folder: Path, part: Path) -> None:
    """Rename ``part`` to ``folder``; what stood there goes first, since a folder is not overwritten."""
    if folder.exists():
        shutil.rmtree(folder)
    part.rename(folder)


@contextmanager
def _disk_space(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if _is_disk_space(error):
            raise UnavailableError(f"{folder}: no disk space left; free some and run again") from error
        raise


def _is_disk_space(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
