"""Files of a pinned revision of a Hugging Face hub repository."""

from __future__ import annotations

import os
import re
import shutil
import threading
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.registry.entries import HubSource

PATIENCE = 3.0
"""Seconds that a process waits for a hub, once, before it looks elsewhere."""


def endpoint() -> str:
    """The hub's address, as ``HF_ENDPOINT`` has it."""
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def reachable() -> bool:
    """Whether the hub answers and ``HF_HUB_OFFLINE`` is not set; asked once per process."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    return _answers(endpoint())


@cache
def _answers(address: str) -> bool:
    from huggingface_hub import get_session

    answered = threading.Event()

    def ask() -> None:
        try:
            get_session().head(address, timeout=PATIENCE)
        except Exception:  # noqa: BLE001 - whatever the client raises, the hub did not answer
            return
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
        When the revision has no file that the patterns match.
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
            mend="mend the patterns in the registry",
        )
    for path in files:
        target = folder / path.relative_to(snapshot)
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not a link: a file changed here must not change the hub's cache, from which it is mended.
        shutil.copyfile(path, target)
    return snapshot.name


def _snapshot(source: HubSource, online: bool) -> Path:
    from huggingface_hub import snapshot_download

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
        if not online:
            reason = f"{endpoint()} does not answer (or HF_HUB_OFFLINE is set), and the hub's cache lacks it"
        else:
            reason = re.sub(r"\s+", " ", f"{type(error).__name__}: {error}").strip()
        raise UnavailableError(f"{source.repository}: {reason}") from error


def _wanted(source: HubSource, snapshot: Path, path: Path) -> bool:
    """The snapshot may hold files of an earlier, wider download."""
    name = path.relative_to(snapshot).as_posix()
    return not source.files or any(fnmatchcase(name, pattern) for pattern in source.files)
