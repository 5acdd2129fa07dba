"""File locks that end with their process, and processes that end with the one that started them."""

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
    """Hold an advisory lock on ``path``, which the kernel releases when the process ends.

    ``what`` names the work in the message of a time-out.

    Raises
    ------
    UnavailableError
        When another process still holds the lock after ``wait`` seconds.
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


def die_with(leader: int) -> None:
    """End this process with SIGKILL soon after process ``leader`` has ended.

    The jobs of a killed workflow manager would keep running, and compete with the next run for locks and
    cores. Shards and vectors are written atomically, so at most the current one is lost.
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
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="die-with-leader", daemon=True).start()
