"""Says what this machine can run: packages, index, hub, devices, disk, and which registry entries resolve."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval.config import entries
from e2rank_eval.config.entries import HubSource, IrDatasetsSource, LocalSource, Source, UrlSource
from e2rank_eval.datasets.planning import plan
from e2rank_eval.datasets.sources import hub
from e2rank_eval.datasets.sources.fetch import described

Finding = dict[str, Any]
_NEEDED = ("torch", "transformers", "bm25s", "pytrec_eval-terrier", "ir_measures", "snakemake", "matplotlib")
_OPTIONAL = (
    "vllm",
    "xllamacpp",
    "sentence-transformers",
    "mteb",
    "beir",
    "ir_datasets",
    "snakemake-executor-plugin-slurm",
)


def examine(config: Path) -> list[Finding]:
    """Findings in reading order, each ``{"question", "answer": yes | no | note, "detail"}``."""
    cache = _cache(config)
    _knock()
    return [
        *(_package(name, needed=True) for name in _NEEDED),
        *(_package(name, needed=False) for name in _OPTIONAL),
        _hub(),
        _device(),
        _disk(cache),
        *(_model(name, cache) for name in entries.models()),
        *(_dataset(name, cache) for name in entries.datasets()),
    ]


def _knock() -> None:
    """Ask every host once, side by side: one that does not answer costs seconds."""
    sources = [source for entry in entries.datasets().values() for source in entry.sources]
    hosts = {_host(one.urls[0]) for s in sources if isinstance(s, UrlSource) for one in s.downloads}
    with ThreadPoolExecutor() as pool:
        list(pool.map(hub.answers, [hub.endpoint(), *sorted(hosts)]))


def _cache(config: Path) -> Path:
    from e2rank_eval.config import read_configuration

    return read_configuration(config).cache if config.exists() else Path("cache")


def _package(name: str, *, needed: bool) -> Finding:
    question = f"package {name}"
    try:
        return {"question": question, "answer": "yes", "detail": metadata.version(name)}
    except metadata.PackageNotFoundError:
        hint = "install it with: make install" if needed else "not installed; only some systems need it"
        return {"question": question, "answer": "no" if needed else "note", "detail": hint}


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


def _model(name: str, cache: Path) -> Finding:
    if (cache / "models" / name).exists():
        return {"question": f"model {name}", "answer": "yes", "detail": "fetched"}
    return _resolved(f"model {name}", entries.model(name).sources)


def _dataset(name: str, cache: Path) -> Finding:
    (row,) = plan([name], cache)
    if row["state"] in ("yours", "made here", "here"):
        return {"question": f"data set {name}", "answer": "yes", "detail": f"{row['state']}: {row['from']}"}
    if row["state"] == "needs you":
        return {"question": f"data set {name}", "answer": "no", "detail": row["registration"] or row["from"]}
    return _resolved(f"data set {name}", entries.dataset(name).sources)


def _resolved(question: str, sources: Sequence[Source]) -> Finding:
    """An entry resolves when one of its sources answers; the first that does is named."""
    for source in sources:
        if isinstance(source, IrDatasetsSource):
            return {"question": question, "answer": "note", "detail": f"not tried: {described(source)}"}
        if _within_reach(source):
            return {"question": question, "answer": "yes", "detail": described(source)}
    tried = "; ".join(described(source) for source in sources)
    return {"question": question, "answer": "no", "detail": f"out of reach: {tried}"}


def _within_reach(source: Source) -> bool:
    if isinstance(source, HubSource):
        return hub.reachable()
    if isinstance(source, UrlSource):
        return all(hub.answers(_host(download.urls[0])) for download in source.downloads)
    # The package index is the one that pip was configured with.
    return not isinstance(source, LocalSource)


def _host(address: str) -> str:
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
