"""Fetching of files of a Hugging Face hub repository at a pinned revision."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
import time
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from e2rank_eval.datasets.sources.download import digest
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.progress import say

BACK_OFF = (2.0, 10.0, 30.0)
"""Seconds before each further attempt; the hub's client itself does not retry API requests."""

PATIENCE = 3.0
"""Seconds to wait for the hub's first answer before it counts as unreachable."""


def endpoint() -> str:
    """Return the hub's address: ``HF_ENDPOINT``, or the default."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def reachable() -> bool:
    """Whether the hub answers and ``HF_HUB_OFFLINE`` is not set; probed once per process."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    return answers(endpoint())


@cache
def answers(address: str) -> bool:
    """Whether a server answers at ``address`` within ``PATIENCE`` seconds; probed once per process."""
    from huggingface_hub import get_session

    answered = threading.Event()

    def ask() -> None:
        until = time.monotonic() + PATIENCE
        while not answered.is_set() and time.monotonic() < until:
            try:
                get_session().head(address, timeout=PATIENCE)
            except Exception:  # noqa: BLE001 - any exception means that the hub did not answer
                time.sleep(PATIENCE / 10)
            else:
                answered.set()

    # Name resolution can block longer than the client's time-out, hence the thread.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    return answered.is_set()


def take(source: HubSource, folder: Path) -> str:
    """Put the repository's files into ``folder`` and return their commit.

    The hub's local cache stores and resumes downloads; files are copied from it. If the hub is unreachable, a
    complete snapshot in this cache is used.

    Raises
    ------
    UnavailableError
        When neither the hub nor its local cache provides the files.
    InputError
        When no file of the revision matches the patterns, or a file's hash differs from the hub's.
    """
    snapshot = _snapshot(source)
    # The snapshot may contain further files of an earlier download.
    names = [path.relative_to(snapshot).as_posix() for path in sorted(snapshot.rglob("*")) if path.is_file()]
    wanted = [n for n in names if not source.files or any(fnmatchcase(n, one) for one in source.files)]
    if not wanted:
        raise InputError(f"no file matches {source.files}", hint="fix the patterns in the registry")
    for name in wanted:
        path = snapshot / name
        if not _is_what_the_hub_named(path):
            # Also removed from the hub's cache, where it would count as complete.
            path.resolve().unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            where = f"{source.repository}/{name}"
            raise InputError("not the content that the hub announced", path=where, hint="run again")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # A copy, not a link: a change of this file must not change the hub's cache.
        shutil.copyfile(path, folder / name)
    return snapshot.name


def _snapshot(source: HubSource) -> Path:
    from huggingface_hub import snapshot_download

    online = reachable()
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
            # The client's exceptions have no common base class, and include those of its HTTP library.
            reason = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").strip()
            if "JSON" in type(error).__name__:
                reason += "; perhaps a log-in page, check HF_ENDPOINT and proxies"
            if not online:
                reason = f"{endpoint()} does not answer (or HF_HUB_OFFLINE is set), and its cache lacks it"
            responses = [getattr(one, "response", None) for one in (error, error.__cause__)]
            status = next((one.status_code for one in responses if one is not None), 500)
            if seconds is None or not online or (status < 500 and status != 429):
                raise UnavailableError(reason) from error
            say(f"{source.repository}: {reason}; retrying in {seconds:.0f} s")
            time.sleep(seconds)
    raise AssertionError("the last attempt returns or raises")


def _is_what_the_hub_named(path: Path) -> bool:
    """Whether a file matches its ETag: the SHA-256 of a large file, git's SHA-1 of a small one.

    The hub's client does not verify it.
    """
    announced = path.resolve().name if path.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", announced):
        return digest(path, "sha256") == announced
    if re.fullmatch("[0-9a-f]{40}", announced):
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        return announced in (blob, hashlib.sha1(content, usedforsecurity=False).hexdigest())
    return True
