"""What the machine is doing while something is timed: others' load, and the peak of this process's memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from e2rank_eval.evaluation import machine


def test_peak_memory_counts_from_the_reset() -> None:
    machine.reset_peak_memory()
    before = machine.peak_memory_bytes()
    held = bytearray(os.urandom(1)) * (200 << 20)
    grown = machine.peak_memory_bytes()
    assert grown - before > 150 << 20
    del held
    if Path("/proc/self/clear_refs").exists():
        machine.reset_peak_memory()
        assert machine.peak_memory_bytes() < grown - (100 << 20)


def burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_work_of_this_process_is_no_load() -> None:
    meter, before, own, start = machine.LoadMeter(), psutil.cpu_times(), time.process_time(), time.monotonic()
    burn(0.6)
    others, after, elapsed = meter.others(), psutil.cpu_times(), time.monotonic() - start
    idle = (after.idle + after.iowait) - (before.idle + before.iowait)
    busy = sum(after) - sum(before) - idle
    assert others == pytest.approx(max(0.0, busy - (time.process_time() - own)) / elapsed, abs=0.15)


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """A process at work that is not a child of this one, since the shell that started it has ended."""
    command = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"
    started = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    yield process
    process.kill()


def test_work_of_another_process_is_load(stranger: psutil.Process) -> None:
    before, start = stranger.cpu_times().user, time.monotonic()
    load = machine.load_now(0.6)
    share = (stranger.cpu_times().user - before) / (time.monotonic() - start)
    assert share > 0
    assert load >= share - 0.15


@pytest.mark.parametrize(
    ("load", "cores", "label"),
    [
        (0.2, 1, None),
        (0.3, 2, "machine busy: load 0.3 on 2 cores"),
        (3.0, 64, None),
        (7.0, 64, "machine busy: load 7.0 on 64 cores"),
    ],
)
def test_a_busy_machine_is_labelled(load: float, cores: int, label: str | None) -> None:
    assert machine.busy_label(load, cores) == label
