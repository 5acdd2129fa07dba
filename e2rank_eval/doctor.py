"""Says what this machine can run: packages, index, hub, devices, disk, and which registry entries resolve."""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval.registry import entries
from e2rank_eval.sources import hub

Finding = dict[str, Any]
_NEEDED = ("torch", "transformers", "bm25s", "pytrec_eval-terrier", "ir_measures", "snakemake", "matplotlib")
_OPTIONAL = (
    "vllm",
    "sentence-transformers",
    "mteb",
    "beir",
    "ir_datasets",
    "snakemake-executor-plugin-slurm",
)


def examine(config: Path) -> list[Finding]:
    """Findings in reading order, each ``{"question", "answer": yes | no | note, "detail"}``."""
    cache = _cache(config)
    hub_found = _hub()
    return [
        *(_package(name, needed=True) for name in _NEEDED),
        *(_package(name, needed=False) for name in _OPTIONAL),
        hub_found,
        _device(),
        _disk(cache),
        *(
            _entry("model", name, entry, cache, hub_found["answer"] == "yes")
            for name, entry in entries.models().items()
        ),
        *(
            _entry("data set", name, entry, cache, hub_found["answer"] == "yes")
            for name, entry in entries.datasets().items()
        ),
    ]


def _cache(config: Path) -> Path:
    from e2rank_eval.configuration import read_configuration

    return read_configuration(config).cache if config.exists() else Path("cache")


def _package(name: str, *, needed: bool) -> Finding:
    question = f"package {name}"
    try:
        return {"question": question, "answer": "yes", "detail": metadata.version(name)}
    except metadata.PackageNotFoundError:
        mend = "install it with: make install" if needed else "not installed; only some systems need it"
        return {"question": question, "answer": "no" if needed else "note", "detail": mend}


def _hub() -> Finding:
    if hub.reachable():
        return {"question": "model hub", "answer": "yes", "detail": hub.endpoint()}
    return {"question": "model hub", "answer": "no", "detail": f"{hub.endpoint()} is out of reach"}


def _device() -> Finding:
    import torch

    cores = f"{os.cpu_count()} CPU cores"
    if not torch.cuda.is_available():
        return {
            "question": "GPU",
            "answer": "note",
            "detail": f"none seen by torch {torch.__version__}; {cores}",
        }
    names = ", ".join(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
    return {"question": "GPU", "answer": "yes", "detail": f"{names}; {cores}"}


def _disk(cache: Path) -> Finding:
    folder = cache if cache.exists() else Path()
    free = shutil.disk_usage(folder).free / 2**30
    answer = "yes" if free > 5 else "no"
    return {
        "question": "disk",
        "answer": answer,
        "detail": f"{free:.0f} GiB free for cache and results; 5 are wise",
    }


def _entry(what: str, name: str, entry: Any, cache: Path, with_hub: bool) -> Finding:
    """An entry resolves when it is cached, or when one of its sources needs nothing that is missing."""
    question = f"{what} {name}"
    if what == "model" and (cache / "models" / name).exists():
        return {"question": question, "answer": "yes", "detail": "fetched"}
    kinds = [source.kind for source in entry.sources]
    if "generated" in kinds:
        return {"question": question, "answer": "yes", "detail": "made on this machine"}
    if "hub" in kinds and with_hub:
        return {"question": question, "answer": "yes", "detail": "from the hub"}
    if "package" in kinds:
        package = next(source for source in entry.sources if source.kind == "package")
        detail = f"from the Python index: {package.name} {package.version}"
        return {"question": question, "answer": "yes", "detail": detail}
    return {"question": question, "answer": "no", "detail": "no source within reach; see the registry entry"}
