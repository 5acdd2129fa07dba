"""Locks are exclusive and die with their holder; workers die with their leader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from e2rank_eval.errors import UnavailableError
from e2rank_eval.store.locks import exclusive

HOLD = """
import sys, time
from pathlib import Path
from e2rank_eval.store.locks import exclusive
with exclusive(Path(sys.argv[1]), what="a test"):
    print("held", flush=True)
    time.sleep(60)
"""

WORK = """
import sys, time
from e2rank_eval.store.locks import die_with
die_with(int(sys.argv[1]))
time.sleep(60)
"""

LEAD = """
import os, subprocess, sys, time
worker = subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())])
print(worker.pid, flush=True)
time.sleep(60)
"""


def test_a_second_holder_gets_an_error_and_a_killed_one_releases_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "locks" / "rerank.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(UnavailableError, match="another process"),
            exclusive(lock, what="a test", wait=0.1),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with exclusive(lock, what="a test", wait=5):
        pass


@pytest.mark.skipif(not hasattr(os, "kill") or sys.platform == "win32", reason="needs POSIX signals")
def test_a_worker_dies_when_its_leader_alone_is_killed() -> None:
    import psutil

    with subprocess.Popen([sys.executable, "-c", LEAD, WORK], stdout=subprocess.PIPE, text=True) as leader:
        assert leader.stdout is not None
        worker = psutil.Process(int(leader.stdout.readline()))
        time.sleep(1.0)
        assert worker.is_running()
        leader.kill()
        leader.wait()
    _gone, alive = psutil.wait_procs([worker], timeout=10)
    assert alive == [], "the worker outlived its leader"
