"""The machine during a latency measurement: waiting threads, load of other processes, peak memory."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from e2rank_eval.store.manifests import hardware


def wait_passively() -> bool:
    """Make waiting OpenMP threads sleep, since spinning would count as CPU time; return whether they do.

    This has no effect once torch is loaded without ``OMP_WAIT_POLICY=passive`` in the environment.
    """
    if "torch" not in sys.modules:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    return os.environ.get("OMP_WAIT_POLICY", "").lower() == "passive"


class LoadMeter:
    """The mean number of cores that other processes have used since this meter was created.

    The system's load average is unsuitable: it decays over a minute, so that it includes the preceding
    stage of the same workflow and misses work that has just begun.
    """

    def __init__(self) -> None:
        self._start = self._now()

    @staticmethod
    def _now() -> tuple[float, float, float]:
        total = psutil.cpu_times()
        busy = sum(total) - total.idle - getattr(total, "iowait", 0.0) - getattr(total, "guest", 0.0)
        return time.monotonic(), busy, _own_seconds()

    def label(self) -> str | None:
        """Return :func:`busy_label` of the load of other processes so far."""
        return busy_label(self.others(), int(hardware()["cores"]))

    def others(self) -> float:
        """Return the mean number of cores in use by processes other than this one and its children."""
        elapsed, busy, own = (now - then for now, then in zip(self._now(), self._start, strict=True))
        return max(0.0, (busy - own) / elapsed) if elapsed > 0 else 0.0


def _own_seconds() -> float:
    process = psutil.Process()
    seconds = 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            spent = one.cpu_times()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        seconds += spent.user + spent.system
    return seconds


def busy_label(load: float, cores: int) -> str | None:
    """Return ``machine busy: ...`` if other processes use more than a tenth of the cores (at least 0.25).

    >>> busy_label(1.84, 2)
    'machine busy: load 1.8 on 2 cores'
    """
    if load <= max(0.25, 0.1 * cores):
        return None
    return f"machine busy: load {load:.1f} on {cores} cores"


def device_name() -> str:
    """Return the GPU's name if torch is loaded and finds one, else the CPU model."""
    facts = hardware()
    return str(facts["gpus"][0] if facts.get("gpus") else facts["cpu"])


def cuda() -> Any | None:
    """Return torch.cuda if a GPU is in use; does not import torch."""
    torch = sys.modules.get("torch")
    return torch.cuda if torch is not None and torch.cuda.is_available() else None


class PeakMemory:
    """Peak memory since this object was created: the GPU's if any is allocated, else the process's."""

    _proc = Path("/proc/self")

    def __init__(self) -> None:
        gpu = cuda()
        if gpu is not None:
            gpu.reset_peak_memory_stats()
        try:
            # Writing 5 resets the kernel's peak to the resident size (Linux, proc_pid_clear_refs(5)).
            (self._proc / "clear_refs").write_text("5", encoding="ascii")
        except OSError:
            self._counts = False
        else:
            self._counts = True

    def bytes(self) -> int | None:
        """Return the peak in bytes; None where the system cannot reset its counter, as outside Linux.

        There the only known peak is of the whole life of the process, including earlier work.
        """
        gpu = cuda()
        if gpu is not None and gpu.max_memory_allocated() > 0:
            return int(gpu.max_memory_allocated())
        if not self._counts:
            return None
        lines = (self._proc / "status").read_text(encoding="utf-8").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
