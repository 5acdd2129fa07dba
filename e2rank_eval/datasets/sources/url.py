"""The files of a plain-address source: downloaded whole, then kept as they are or unpacked."""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from e2rank_eval.datasets.sources.archives import extract
from e2rank_eval.datasets.sources.download import download
from e2rank_eval.datasets.sources.kinds import Download, UrlSource
from e2rank_eval.errors import InputError
from e2rank_eval.store.locks import exclusive

_WAIT = 3600.0
"""Seconds to wait for another process that fetches the same file."""


def take(source: UrlSource, folder: Path) -> None:
    """Put the files of ``source`` into ``folder``; what is cut off waits beside it to be resumed.

    Raises
    ------
    UnavailableError
        When no address of a file gives what the registry describes.
    InputError
        When an archive is not whole, lacks a declared member or holds a name that leaves its folder.
    """
    for one in source.downloads:
        target = folder.parent / ".partial" / _name(one)
        with exclusive(target.with_name(target.name + ".lock"), what=f"fetching {one.urls[0]}", wait=_WAIT):
            download(one, target)
            try:
                _place(one, target, folder)
            finally:
                target.unlink(missing_ok=True)


def _name(source: Download) -> str:
    """One name for the same bytes, whatever data set they are fetched for."""
    key = source.sha256 or source.md5 or hashlib.sha256(source.urls[0].encode()).hexdigest()
    return f"{key[:16]}-{PurePosixPath(urlsplit(source.urls[0]).path).name or 'file'}"


def _place(source: Download, file: Path, folder: Path) -> None:
    if source.name is None:
        extract(file, source.members, folder)
        return
    target = folder / source.name
    if not target.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"the local name {source.name!r} leaves its folder", hint="fix the registry entry")
    target.parent.mkdir(parents=True, exist_ok=True)
    file.replace(target)
