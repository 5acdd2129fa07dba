"""Declared members taken out of zip and tar archives, none of which may leave its folder."""

from __future__ import annotations

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import IO

from e2rank_eval.errors import InputError


def extract(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Write the declared ``members`` of a zip (wheel) or tar archive below ``folder``.

    ``members`` maps a path inside the archive to a local name; a path that ends in ``/`` is a
    folder, whose content goes below the local name.

    Raises
    ------
    InputError
        When the archive is truncated, lacks a declared member, or holds a name that leaves its
        folder; when a declared member is a link.
    """
    missing = set(members)
    try:
        for name, content in _files(archive):
            member = _declared(name, members)
            if member is None:
                continue
            if content is None:
                raise _refused(archive, f"member {name!r} is a link or a device")
            target = (
                folder / members[member] / name[len(member) :]
                if member.endswith("/")
                else folder / members[member]
            )
            target.parent.mkdir(parents=True, exist_ok=True)
            with content, target.open("wb") as written:
                shutil.copyfileobj(content, written)
            missing.discard(member)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(
            f"not a complete archive ({error})", path=archive.name, hint="fetch it again"
        ) from error
    except (RuntimeError, NotImplementedError) as error:
        # How zipfile says that a member is encrypted, or compressed in a way of its own.
        raise _refused(archive, str(error)) from error
    if missing:
        raise _refused(archive, f"no member {min(missing)!r} in the archive")


def _declared(name: str, members: Mapping[str, str]) -> str | None:
    return next((m for m in members if name == m or (m.endswith("/") and name.startswith(m))), None)


def _files(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Names and contents of everything but folders; ``None`` stands for what is not a regular file."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for member in zipped.infolist():
                _check_name(archive, member.filename)
                if not member.is_dir():
                    yield member.filename, zipped.open(member)
    else:
        with tarfile.open(archive) as tarred:
            for entry in tarred:
                _check_name(archive, entry.name)
                if not entry.isdir():
                    yield entry.name, tarred.extractfile(entry) if entry.isreg() else None


def _check_name(archive: Path, name: str) -> None:
    # Windows' reading of a name sees drives and backslashes as well as slashes.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        raise _refused(archive, f"member {name!r} would leave its folder")


def _refused(archive: Path, problem: str) -> InputError:
    return InputError(problem, path=archive.name, hint="do not trust it; compare the registry's source")
