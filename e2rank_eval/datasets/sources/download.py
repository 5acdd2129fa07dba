"""Downloads of files at plain URLs, with resumption, retries, mirrors and checksums."""

from __future__ import annotations

import hashlib
import os
import re
import time
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from e2rank_eval.datasets.sources.kinds import Download, UrlSource
from e2rank_eval.errors import InputError, SuiteError, UnavailableError
from e2rank_eval.progress import say
from e2rank_eval.store.locks import exclusive

TIMEOUT = 30.0
"""Seconds without data after which a connection is closed."""

BACK_OFF = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt at one address; starts again after progress."""

LONGEST_WAIT = 300.0
"""Longest accepted Retry-After, in seconds; for longer ones the next mirror is tried."""

_BLOCK = 1 << 18
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_LOCK_WAIT = 3600.0
"""Seconds to wait for another process that fetches the same file."""


def take(source: UrlSource, folder: Path) -> None:
    """Put the files of ``source`` into ``folder``; partial downloads are stored beside it and resumed.

    Raises
    ------
    UnavailableError
        When no address provides the file that the registry describes.
    InputError
        When a local name is outside ``folder``.
    """
    for one in source.downloads:
        target = folder / one.name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise InputError(
                f"the local name {one.name!r} is outside its folder", hint="fix the registry entry"
            )
        key = one.sha256 or one.md5 or hashlib.sha256(one.urls[0].encode()).hexdigest()
        name = PurePosixPath(urlsplit(one.urls[0]).path).name or "file"
        part = folder.parent / ".partial" / f"{key[:16]}-{name}"
        with exclusive(part.with_name(part.name + ".lock"), what=f"fetching {one.urls[0]}", wait=_LOCK_WAIT):
            if target.exists():
                continue  # another process has fetched it meanwhile
            download(one, part)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)


def download(source: Download, target: Path) -> None:
    """Download a file to ``target`` and check it.

    The partial download of an earlier process is resumed if the file has a published hash. ``E2RANK_MIRROR``,
    an address below which files are stored as ``<host>/<path>`` (as by ``wget --mirror``), takes precedence
    over the entry's addresses. This is our own code because neither requests nor pooch resumes a download,
    and ir_datasets does so only within one process.

    Raises
    ------
    UnavailableError
        When no address provides the file that the registry describes; the message has the reason for each.
    """
    failures = []
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.md5 is None and source.sha256 is None:
        target.unlink(missing_ok=True)
    for url in _addresses(source):
        try:
            _from(url, source, target)
        except SuiteError as error:
            failures.append(f"{url}: {error}")
        else:
            return
    raise UnavailableError("; ".join(failures))


def _addresses(source: Download) -> list[str]:
    mirror = os.environ.get("E2RANK_MIRROR", "").rstrip("/")
    mirrored = [f"{mirror}/{url.split('://', 1)[1]}" for url in source.urls] if mirror else []
    return mirrored + source.urls


def _from(url: str, source: Download, target: Path) -> None:
    """Download from one address; retry until success, a permanent failure, or too many failures in a row."""
    attempt, resumed = 0, _size(target) > 0
    furthest = _size(target)
    while True:
        try:
            _transfer(url, source, target)
            _check(source, target)
        except (requests.RequestException, HTTPError) as error:
            # Progress means more bytes than any earlier attempt: a server may cut at the same position again.
            attempt = 0 if _size(target) > furthest else attempt + 1
            furthest = max(furthest, _size(target))
            if source.md5 is None and source.sha256 is None:
                target.unlink(missing_ok=True)
            wait = _wait(error, max(attempt - 1, 0))
            if attempt > len(BACK_OFF) or wait is None:
                times = f", {attempt} times in a row" if attempt > 1 else ""
                raise UnavailableError(f"{_reason(error)}{times}") from error
            say(f"{url}: {_reason(error)}; retrying in {wait:.0f} s, {_size(target)} bytes are kept")
            time.sleep(wait)
            resumed = _size(target) > 0
        except InputError:
            target.unlink(missing_ok=True)
            if not resumed:
                raise
            # The resumed part may belong to another version of the file: download once more from the start.
            resumed = False
        else:
            return


def _reason(error: Exception) -> str:
    """Return why a request failed, without the address and the objects of the HTTP library."""
    inner = getattr(error.args[0] if error.args else None, "reason", None) or error
    return re.sub(r"^HTTPS?Connection(Pool)?\([^)]*\): | for url: \S+$", "", str(inner))


def _wait(error: Exception, attempt: int) -> float | None:
    """Return the seconds to wait before a retry; None if a retry is useless."""
    response = getattr(error, "response", None)
    if response is None:
        return BACK_OFF[min(attempt, len(BACK_OFF) - 1)]
    if response.status_code not in _TRANSIENT:
        return None
    asked = Retry().get_retry_after(response.raw)
    wait = BACK_OFF[min(attempt, len(BACK_OFF) - 1)] if asked is None else asked
    return wait if wait <= LONGEST_WAIT else None


def _transfer(url: str, source: Download, target: Path) -> None:
    start = _size(target)
    headers = {"Accept-Encoding": "identity"} | source.headers
    if start:
        headers["Range"] = f"bytes={start}-"
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # complete, or longer than the file; the hash is checked later
            return
        response.raise_for_status()
        if response.headers.get("Content-Type", "").startswith("text/html") and not _is_page(url):
            raise UnavailableError("the server sent an HTML page instead of the file; open it in a browser")
        resumed = response.status_code == 206
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            target.unlink()
            raise requests.ConnectionError("the server resumed at another position than requested")
        with target.open("ab" if resumed else "wb") as written:
            # Written as it arrives, so that a killed process loses nothing; iter_content would buffer.
            while block := response.raw.read1(_BLOCK):
                written.write(block)


def _check(source: Download, target: Path) -> None:
    with target.open("rb") as content:
        start = content.read(256).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and not any(map(_is_page, source.urls)):
        raise InputError("the file is an HTML page", hint="open the address in a browser")
    for algorithm, expected in (("md5", source.md5), ("sha256", source.sha256)):
        if expected is not None and (found := digest(target, algorithm)) != expected:
            raise InputError(
                f"{algorithm} is {found} instead of {expected}", hint="do not trust this address"
            )


def digest(path: Path, algorithm: str) -> str:
    """Return the hexadecimal hash of a file's content."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest()


def _size(target: Path) -> int:
    return target.stat().st_size if target.exists() else 0


def _is_page(url: str) -> bool:
    return urlsplit(url).path.endswith((".html", ".htm"))
