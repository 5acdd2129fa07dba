"""Files of a pinned revision of a Hugging Face hub repository."""

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
"""Seconds before each further attempt; of what is asked of the API the hub's client makes only one."""

PATIENCE = 3.0
"""Seconds that a process waits for a hub, once, before it looks elsewhere."""


def endpoint() -> str:
    """Return the hub's address, as ``HF_ENDPOINT`` has it."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def reachable() -> bool:
    """Whether the hub answers and ``HF_HUB_OFFLINE`` is not set; asked once per process."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    return answers(endpoint())


@cache
def answers(address: str) -> bool:
    """Whether a server answers at ``address`` within ``PATIENCE`` seconds; asked once per process."""
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
    hub, a snapshot that this cache holds complete is used.

    Raises
    ------
    UnavailableError
        When neither the hub nor its cache can give the files.
    InputError
        When the revision has no file that the patterns match, or content is not what the hub named.
    """
    snapshot = _snapshot(source)
    # The snapshot may hold files of an earlier, wider download.
    names = [path.relative_to(snapshot).as_posix() for path in sorted(snapshot.rglob("*")) if path.is_file()]
    wanted = [n for n in names if not source.files or any(fnmatchcase(n, one) for one in source.files)]
    if not wanted:
        raise InputError(
            f"no file matches {source.files}", path=source.repository, hint="fix the patterns in the registry"
        )
    for name in wanted:
        _check(source, snapshot / name, name)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        # Not a link: a file changed here must not change the hub's cache, from which it is fixed.
        shutil.copyfile(snapshot / name, folder / name)
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
            # The client's exceptions have no common base; among them are those of its HTTP library.
            reason = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").strip()
            if "JSON" in type(error).__name__:
                reason += "; perhaps a log-in page, check HF_ENDPOINT and proxies"
            if not online:
                reason = f"{endpoint()} does not answer (or HF_HUB_OFFLINE is set), and its cache lacks it"
            responses = [getattr(one, "response", None) for one in (error, error.__cause__)]
            status = next((one.status_code for one in responses if one is not None), 500)
            if seconds is None or not online or (status < 500 and status != 429):
                raise UnavailableError(f"{source.repository}: {reason}") from error
            say(f"{source.repository}: {reason}; again in {seconds:.0f} s")
            time.sleep(seconds)
    raise AssertionError("the last attempt returns or raises")


def _check(source: HubSource, path: Path, name: str) -> None:
    """Compare content with the hub's ETag, which its client does not verify."""
    if not _is_what_the_hub_named(path):
        # From the hub's cache too: it would be taken for complete again.
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise InputError(
            "not the content that the hub announced", path=f"{source.repository}/{name}", hint="run again"
        )


def _is_what_the_hub_named(path: Path) -> bool:
    """Whether content is as its ETag says: SHA-256 of a large file, git's SHA-1 of a small one."""
    announced = path.resolve().name if path.is_symlink() else ""
    if re.fullmatch("[0-9a-f]{64}", announced):
        return digest(path, "sha256") == announced
    if re.fullmatch("[0-9a-f]{40}", announced):
        content = path.read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        return announced in (blob, hashlib.sha1(content, usedforsecurity=False).hexdigest())
    return True
