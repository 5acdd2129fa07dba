"""One writer at a time: file locks that die with their holder, and workers that die with their leader."""

from __future__ import annotations

import os
import signal
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


def die_with(leader: int, interval: float = 0.5) -> None:
    """End this process by SIGKILL soon after process ``leader`` is gone.

    A workflow manager that is killed leaves its jobs running; they would fight the next run for
    locks and cores. Shards and vectors are written atomically, so dying at once loses only the
    one in hand.
    """
    import psutil

    try:
        process = psutil.Process(leader)
    except psutil.NoSuchProcess:
        os.kill(os.getpid(), signal.SIGKILL)
        return

    def alive() -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def watch() -> None:
        while alive():
            time.sleep(interval)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-leader", daemon=True).start()
