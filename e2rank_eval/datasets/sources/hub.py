"""Files of a pinned revision of a Hugging Face hub repository."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from e2rank_eval.datasets.sources.download import LONGEST_WAIT, retry_after
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.progress import say

BACK_OFF = (2.0, 10.0, 30.0)
"""Seconds before each further attempt; the hub's client has already made several of its own."""

PATIENCE = 3.0
"""Seconds that a process waits for a hub, once, before it looks elsewhere."""


def endpoint() -> str:
    """The hub's address, as ``HF_ENDPOINT`` has it."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def reachable() -> bool:
    """Whether the hub answers and ``HF_HUB_OFFLINE`` is not set; asked once per process."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    return answers(endpoint())


@cache
def answers(address: str) -> bool:
    from huggingface_hub import get_session

    answered = threading.Event()

    def ask() -> None:
        until = time.monotonic() + PATIENCE
        while not answered.is_set() and time.monotonic() < until:
            try:
                get_session().head(address, timeout=PATIENCE)
            except Exception:  # noqa: BLE001 - whatever the client raises, the hub did not answer
                time.sleep(PATIENCE / 10)
            else:
                answered.set()

    # A name server that does not answer holds the resolver longer than any timeout of the client's.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answered.is_set()


def take(source: HubSource, folder: Path) -> str:
    """Put the repository's files into ``folder`` and return the commit they are of.

    The hub's own cache keeps the download and resumes it; files are copied from there. Without a
    hub, a snapshot that this cache holds whole is used.

    Raises
    ------
    UnavailableError
        When neither the hub nor its cache can give the files.
    InputError
        When the revision has no file that the patterns match, or lacks one that has a hash in the
        registry; when content differs from that hash, or from the name that the hub gave it.
    """
    online = reachable()
    snapshot = _snapshot(source, online)
    files = [
        path for path in sorted(snapshot.rglob("*")) if path.is_file() and _wanted(source, snapshot, path)
    ]
    if not files:
        raise InputError(
            f"no file matches {source.files}",
            path=source.repository,
            hint="fix the patterns in the registry",
        )
    _check(source, snapshot, files)
    for path in files:
        target = folder / path.relative_to(snapshot)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not a link: a file changed here must not change the hub's cache, from which it is fixed.
        shutil.copyfile(path, target)
    return snapshot.name


def _snapshot(source: HubSource, online: bool) -> Path:
    from huggingface_hub import snapshot_download

    for seconds in (*BACK_OFF, None):
        try:
            return Path(
                snapshot_download(
                    source.repository,
                    repo_type=source.repository_type,
                    revision=source.revision,
                    allow_patterns=source.files or None,
                    local_files_only=not online,
                    endpoint=endpoint(),
                )
            )
        except Exception as error:
            wait = _wait(error, seconds) if online else None
            if wait is None:
                raise UnavailableError(f"{source.repository}: {_reason(error, online)}") from error
            say(f"{source.repository}: {_reason(error, online)}; again in {wait:.0f} s")
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def _wait(error: Exception, back_off: float | None) -> float | None:
    """Seconds after which another attempt may succeed; ``None`` where none would, or none is left."""
    response = next((r for e in _chain(error) if (r := getattr(e, "response", None)) is not None), None)
    if back_off is None or (response is None and not any(map(_of_the_network, _chain(error)))):
        return None
    if response is None:
        return back_off
    if response.status_code != 429 and response.status_code < 500:
        return None
    asked = retry_after(response.headers.get("Retry-After"))
    wait = back_off if asked is None else asked
    return wait if wait <= LONGEST_WAIT else None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _of_the_network(error: BaseException) -> bool:
    """Whether an HTTP client raised it because of a connection; the hub's client changed its library once."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(
        kinds & {"TransportError", "ConnectionError", "TimeoutError", "ReadTimeout", "IncompleteRead"}
    )


def _reason(error: Exception, online: bool) -> str:
    if not online:
        return f"{endpoint()} does not answer (or HF_HUB_OFFLINE is set), and the hub's cache lacks it"
    if any(isinstance(e, json.JSONDecodeError) for e in _chain(error)):
        return f"{endpoint()} answered no JSON but perhaps a log-in page; check HF_ENDPOINT and proxies"
    return re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").strip()


def _check(source: HubSource, snapshot: Path, files: list[Path]) -> None:
    """Compare contents with the registry's MD5, and with the names that the hub's cache gave them."""
    missing = source.md5.keys() - {path.relative_to(snapshot).as_posix() for path in files}
    if missing:
        raise InputError(f"no file {min(missing)!r}", path=source.repository, hint="fix the registry entry")
    for path in files:
        name = path.relative_to(snapshot).as_posix()
        expected = source.md5.get(name)
        if expected is not None and (found := _digest(path, "md5")) != expected:
            problem = f"md5 is {found} instead of {expected}"
        elif not _is_what_the_hub_named(path):
            problem = "not the content that the hub announced"
        else:
            continue
        # From the hub's cache too: it would be taken for whole again.
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise InputError(
            problem, path=f"{source.repository}/{name}", hint="run again; if it stays, compare the registry"
        )


def _is_what_the_hub_named(path: Path) -> bool:
    """Whether content is as its ETag says: SHA-256 of a large file, git's SHA-1 of a small one."""
    announced = path.resolve().name if path.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", announced):
        return _digest(path, "sha256") == announced
    if re.fullmatch("[0-9a-f]{40}", announced):
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        return announced in (blob, hashlib.sha1(content, usedforsecurity=False).hexdigest())
    return True


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, algorithm).hexdigest()


def _wanted(source: HubSource, snapshot: Path, path: Path) -> bool:
    """The snapshot may hold files of an earlier, wider download."""
    name = path.relative_to(snapshot).as_posix()
    return not source.files or any(fnmatchcase(name, pattern) for pattern in source.files)
