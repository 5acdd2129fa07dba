"""Manifests: how an output file was made (input hashes, versions, hardware, duration)."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval import __version__
from e2rank_eval.store.files import sha256_file, write_json

_PACKAGES = (
    "torch", "transformers", "tokenizers", "sentence-transformers", "PyStemmer", "regex",
    "pytrec_eval-terrier", "numpy", "scipy", "snakemake",
)  # fmt: skip


def manifest_path(output: Path) -> Path:
    """``x/y.run`` -> ``x/y.run.manifest.json``."""
    return output.with_name(output.name + ".manifest.json")


def hardware() -> dict[str, Any]:
    """Return CPU model, usable cores, memory in bytes and, if torch is loaded, its threads and GPU names."""
    import psutil

    facts: dict[str, Any] = {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        facts["torch_threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            facts["gpus"] = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return facts


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of Python, the suite and the installed ones of its main packages."""
    found = {"python": platform.python_version(), "e2rank-eval": __version__}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_manifest(
    output: Path,
    *,
    command: str,
    settings: Mapping[str, Any],
    inputs: Sequence[Path],
    started: float,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Write the manifest beside ``output``; ``started`` is the ``time.time()`` at the start of its step."""
    write_json(
        manifest_path(output),
        {
            "file": output.name,
            "sha256": sha256_file(output),
            "command": command,
            "settings": dict(settings),
            "inputs": {path.as_posix(): sha256_file(path) for path in inputs},
            "versions": versions(),
            "hardware": hardware(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
            "seconds": round(time.time() - started, 3),
            **(extra or {}),
        },
    )
