"""One file from plain addresses: resumed, retried with back-off, mirrored, and checked before it is used."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from e2rank_eval.datasets.sources.kinds import Download
from e2rank_eval.errors import InputError, SuiteError, UnavailableError
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_json, write_json

TIMEOUT = 30.0
"""Seconds without a byte before a connection is given up."""

BACK_OFF = (1.0, 2.0, 4.0, 8.0)
"""Seconds before each further attempt at one address; counted anew once bytes have come."""

LONGEST_WAIT = 300.0
"""Seconds of a Retry-After that are waited for; a server that asks for more is left for the next mirror."""

SLOWEST = (1024, 60.0)
"""Bytes that must come within so many seconds; a connection that trickles below is opened anew."""

_PASSING = {408, 425, 429, 500, 502, 503, 504}
_OF_THIS_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS, errno.ENOTDIR}
_BLOCK = 1 << 18


class Response(Protocol):
    """What is used of an open connection, as :func:`urllib.request.urlopen` gives it."""

    status: int
    headers: Mapping[str, str]

    def read(self, amount: int) -> bytes: ...


class _PassingError(Exception):
    """A failure after which the same address may answer; ``wait`` is what its server asked for."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(reason)


def download(source: Download, target: Path) -> str:
    """Put the whole, checked file at ``target`` and return the address that gave it.

    What an earlier process left of it is resumed where the server can, and only if the file there
    is still the same (``If-Range``) or a hash will tell. ``E2RANK_MIRROR``, an address below which
    files lie as ``<host>/<path>`` (what ``wget --mirror`` makes), goes before the entry's addresses.

    Raises
    ------
    UnavailableError
        When no address gives the file the registry describes: each with its reason.
    """
    failures = []
    for url in _addresses(source):
        try:
            _from(url, source, target)
        except SuiteError as error:
            failures.append(f"{url}: {error}")
            continue
        _state(target).unlink(missing_ok=True)
        return url
    raise UnavailableError("; ".join(failures))


def _addresses(source: Download) -> list[str]:
    mirror = os.environ.get("E2RANK_MIRROR", "").rstrip("/")
    if not mirror:
        return list(source.urls)
    return [mirror + "/" + url.split("://", 1)[1] for url in source.urls] + list(source.urls)


def _from(url: str, source: Download, target: Path) -> None:
    """Attempt one address until it gives the file, or fails for good, or has failed too often in a row."""
    attempt = 0
    restarted = False
    furthest = _size(target)
    while True:
        before = _size(target)
        try:
            _transfer(url, source, target)
            _check(source, target)
        except _PassingError as error:
            # Only what no earlier attempt reached is progress: a server may cut at the same place for ever.
            attempt = 0 if _size(target) > furthest else attempt + 1
            furthest = max(furthest, _size(target))
            if attempt > len(BACK_OFF):
                raise UnavailableError(f"{error}, {attempt} times in a row") from error
            wait = error.wait if error.wait is not None else BACK_OFF[max(attempt - 1, 0)]
            if wait > LONGEST_WAIT:
                raise UnavailableError(f"{error}, and asks to wait {wait:.0f} s") from error
            say(f"{url}: {error}; again in {wait:.0f} s, {_size(target)} bytes are kept")
            time.sleep(wait)
        except InputError:
            _forget(target)
            if before == 0 or restarted:
                raise
            # The part that was resumed may have been of another file: once more, from the start.
            restarted = True
        else:
            return


def _transfer(url: str, source: Download, target: Path) -> None:
    state = _known(url, source, target)
    request = urllib.request.Request(url, headers={"Accept-Encoding": "identity"} | source.headers)
    if state.resumable:
        request.add_header("Range", f"bytes={_size(target)}-")
        if state.validator:
            request.add_header("If-Range", state.validator)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            _receive(url, response, target)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            if error.headers.get("Content-Range") == f"bytes */{_size(target)}":
                return  # It was whole already; whether it is right is checked next.
            _forget(target)
            raise _PassingError("the server cannot resume here", 0.0) from error
        reason = f"HTTP {error.code} {error.reason}"
        if error.code in _PASSING:
            raise _PassingError(reason, retry_after(error.headers.get("Retry-After"))) from error
        raise UnavailableError(reason) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        if isinstance(error, OSError) and error.errno in _OF_THIS_DISK:
            raise
        cause = getattr(error, "reason", None) or error
        reason = f"{type(cause).__name__}: {cause}"
        if isinstance(cause, socket.gaierror):
            raise UnavailableError(reason) from error
        raise _PassingError(reason) from error


def _receive(url: str, response: Response, target: Path) -> None:
    resumed = response.status == 206
    if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {_size(target)}-"):
        _forget(target)
        raise _PassingError("the server resumed at another place than asked")
    if response.headers.get("Content-Type", "").split(";")[0] == "text/html" and not _is_page(url):
        raise UnavailableError("the server gave an HTML page in place of the file; look at it in a browser")
    start = _size(target) if resumed else 0
    length = response.headers.get("Content-Length")
    whole = start + int(length) if length is not None and length.isdigit() else None
    validator = response.headers.get("ETag") or response.headers.get("Last-Modified") or ""
    target.parent.mkdir(parents=True, exist_ok=True)
    write_json(_state(target), {"url": url, "validator": "" if validator.startswith("W/") else validator})
    bytes_due, seconds = SLOWEST
    with target.open("ab" if resumed else "wb") as written:
        since, counted = time.monotonic(), 0
        while block := _read(response):
            written.write(block)
            counted += len(block)
            if time.monotonic() - since > seconds:
                if counted < bytes_due:
                    raise _PassingError(f"fewer than {bytes_due} bytes in {seconds:.0f} s")
                since, counted = time.monotonic(), 0
    if whole is not None and _size(target) != whole:
        raise _PassingError(f"the connection was cut at {_size(target)} of {whole} bytes")


def _read(response: Response) -> bytes:
    """At least one byte, but no more than have come: so that what trickles in is seen and kept."""
    read1 = getattr(response, "read1", response.read)
    block: bytes = read1(_BLOCK)
    return block


def _check(source: Download, target: Path) -> None:
    with target.open("rb") as content:
        start = content.read(256).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) and not any(_is_page(url) for url in source.urls):
        raise InputError("the file is an HTML page", hint="look at the address in a browser")
    for name, expected in (("md5", source.md5), ("sha256", source.sha256)):
        if expected is not None:
            with target.open("rb") as content:
                found = hashlib.file_digest(content, name).hexdigest()
            if found != expected:
                raise InputError(f"{name} is {found} instead of {expected}", hint="do not trust this address")


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, given in seconds or as a date; ``None`` for neither.

    >>> retry_after("120"), retry_after("soon")
    (120.0, None)
    """
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class _Part:
    """What is known of bytes that an earlier attempt left."""

    resumable: bool = False
    validator: str = ""


def _known(url: str, source: Download, target: Path) -> _Part:
    if not _size(target) or not _state(target).exists():
        return _Part()
    state = read_json(_state(target))
    same = state["url"] == url
    hashed = source.md5 is not None or source.sha256 is not None
    validator = state["validator"] if same else ""
    return _Part(resumable=bool(validator) or hashed, validator=validator)


def _state(target: Path) -> Path:
    return target.with_name(f"{target.name}.state.json")


def _forget(target: Path) -> None:
    target.unlink(missing_ok=True)
    _state(target).unlink(missing_ok=True)


def _size(target: Path) -> int:
    try:
        return target.stat().st_size
    except FileNotFoundError:
        return 0


def _is_page(url: str) -> bool:
    return urlsplit(url).path.endswith((".html", ".htm"))
