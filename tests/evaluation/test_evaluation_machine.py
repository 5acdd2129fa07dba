"""The machine during a measurement: load of other processes, and peak memory of this process."""

from __future__ import annotations

import mmap
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from e2rank_eval.evaluation import machine


def test_peak_memory_counts_from_the_reset() -> None:
    with mmap.mmap(-1, 200 << 20) as held:  # pages of their own: a freed heap would be used again
        held.write(bytes(200 << 20))
        before = machine.PeakMemory().bytes()
    after = machine.PeakMemory()
    if (lowest := after.bytes()) is None or before is None:
        pytest.skip("this system cannot start counting anew")
    assert lowest < before - (150 << 20)
    with mmap.mmap(-1, 200 << 20) as held:
        held.write(bytes(200 << 20))
    assert (after.bytes() or 0) - lowest > 150 << 20


def test_without_a_reset_the_peak_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "status").write_text("VmHWM:\t 1331384 kB\n", encoding="utf-8")
    (tmp_path / "clear_refs").mkdir()  # cannot be written
    monkeypatch.setattr(machine.PeakMemory, "_proc", tmp_path)
    assert machine.PeakMemory().bytes() is None


def burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def test_work_of_this_process_is_not_load() -> None:
    meter, before, own, start = machine.LoadMeter(), psutil.cpu_times(), time.process_time(), time.monotonic()
    burn(0.6)
    others, after, elapsed = meter.others(), psutil.cpu_times(), time.monotonic() - start
    idle = (after.idle + after.iowait) - (before.idle + before.iowait)
    busy = sum(after) - sum(before) - idle
    assert others == pytest.approx(max(0.0, busy - (time.process_time() - own)) / elapsed, abs=0.15)


@pytest.fixture
def stranger() -> Iterator[psutil.Process]:
    """A busy process that is not a child of this one, since the shell that started it has exited."""
    command = f"{sys.executable} -c 'while True: pass' >/dev/null 2>&1 & echo $!"
    started = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    process = psutil.Process(int(started.stdout))
    yield process
    process.kill()


def test_work_of_another_process_is_load(stranger: psutil.Process) -> None:
    meter, before, start = machine.LoadMeter(), stranger.cpu_times().user, time.monotonic()
    time.sleep(0.6)
    load = meter.others()
    share = (stranger.cpu_times().user - before) / (time.monotonic() - start)
    assert share > 0
    assert load >= share - 0.15


@pytest.mark.parametrize(("load", "cores", "label"), [
    (0.2, 1, None), (0.3, 2, "machine busy: load 0.3 on 2 cores"),
    (3.0, 64, None), (7.0, 64, "machine busy: load 7.0 on 64 cores"),
])  # fmt: skip
def test_a_busy_machine_is_labelled(load: float, cores: int, label: str | None) -> None:
    assert machine.busy_label(load, cores) == label
