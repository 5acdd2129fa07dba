"""One writer at a time: file locks that die with their holder, and children that die with their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from e2rank_eval.errors import UnavailableError


@contextmanager
def exclusive(path: Path, *, what: str, wait: float = 60.0) -> Iterator[None]:
    """Hold an advisory lock on ``path`` (released by the kernel when the process dies).

    Raises
    ------
    UnavailableError
        When another process still holds it after ``wait`` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(path))
    try:
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise UnavailableError(
            f"{path}: another process is working on {what}; wait for it or stop it, then run again"
        ) from error
    try:
        yield
    finally:
        lock.release()


def die_with_parent(interval: float = 0.5) -> None:
    """End this process when the one that started it is gone, so that a killed workflow leaves no worker.

    Linux asks the kernel for a signal; elsewhere a daemon thread watches the parent's id. A shell
    between Snakemake and the verb is itself killed only with its process group, hence both: the
    thread also notices when any ancestor that was there at the start has gone.
    """
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    ancestors = _ancestors()

    def watch() -> None:
        while True:
            time.sleep(interval)
            if os.getppid() != ancestors[0][0] or any(_started(pid) != at for pid, at in ancestors):
                os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


def _started(pid: int) -> float | None:
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return None


def _ancestors() -> list[tuple[int, float | None]]:
    """The parent and every further ancestor up to the one that leads Snakemake, with start times."""
    import psutil

    chain: list[tuple[int, float | None]] = [(os.getppid(), _started(os.getppid()))]
    leader = os.environ.get("E2RANK_EVAL_LEADER")
    for process in psutil.Process().parents()[1:]:
        if leader is None or chain[-1][0] == int(leader):
            break
        chain.append((process.pid, float(process.create_time())))
    return chain
