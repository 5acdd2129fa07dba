"""Cost estimates of tables and figures before anything runs: tokens, FLOPs, device hours and disk space."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import RunKey
from e2rank_eval.config.systems import Lengths
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.models.references import Catalogue
from e2rank_eval.paper.grid import runs
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json
from e2rank_eval.store.layout import Layout

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}

TOKENS_PER_WORD = 1.3
"""Assumed for English text and subword tokenizers; rounded."""

CHARACTERS_PER_TOKEN = 4.0
"""Assumed for sources that state lengths in characters; rounded."""


class Device(NamedTuple):
    """An assumed device: ``tflops`` is its peak rate, ``utilisation`` the share of it that is reached."""

    tflops: float
    utilisation: float


def plan(
    configuration: Configuration, names: Iterable[str], layout: Layout, device: Device
) -> dict[str, Any]:
    """Return the estimate for tables and figures: runs (each once), totals and disk space.

    ``queries``, ``tokens``, ``flops`` and ``hours`` are None where the registry does not state the size of a
    data set. ``lengths`` of its texts are ``measured`` on the stored collection, ``stated`` by a source
    or ``assumed``.

    Raises
    ------
    InputError
        When a table's row is not one of the paper's.
    """
    tables = configuration.tables
    found = [runs(configuration, "tables" if name in tables else "figures", name) for name in names]
    keys = list(dict.fromkeys(run for one in found for run in one))
    planned = _Plan(configuration, layout, device)
    rows = [
        planned.retrieval(*pair) for pair in dict.fromkeys((stage, dataset) for dataset, stage, _ in keys)
    ]
    rows += [planned.reranking(key) for key in keys]
    shown = [row for row in rows if row is not None]
    totals = {unit: sum(row[unit] or 0 for row in shown) for unit in ("tokens", "flops", "hours")}
    return {
        "runs": shown,
        **totals,
        "unknown": sum(row["hours"] is None for row in shown),
        **device._asdict(),
        "assumed_characters": _known_lengths()["assumed"],
        **_disk(configuration, keys),
    }


class _Size(NamedTuple):
    """Documents, queries and mean lengths of a data set; None where unknown."""

    documents: int | None
    queries: int | None
    lengths: Lengths


class _Plan:
    """Makes the rows of an estimate, one per run of a model."""

    def __init__(self, configuration: Configuration, layout: Layout, device: Device) -> None:
        self._configuration = configuration
        self._layout = layout
        self._rate = 3600 * device.tflops * 1e12 * device.utilisation
        self._catalogue = Catalogue.of(configuration)

    def retrieval(self, first_stage: str, dataset: str) -> dict[str, Any] | None:
        """Return the row for encoding corpus and queries with a model; None for a first stage without one."""
        size = self._size(dataset)
        read = None
        if size.documents is not None:
            read = size.documents * size.lengths.document + (size.queries or 0) * size.lengths.query
        settings = self._configuration.first_stages[first_stage]
        return self._row("retrieve", first_stage, dataset, size, read, settings)

    def reranking(self, key: RunKey) -> dict[str, Any] | None:
        dataset, first_stage, reranker = key
        settings, size = self._configuration.rerankers[reranker], self._size(dataset)
        one = settings.tokens(size.lengths, self._configuration.depth_of(first_stage))
        total = None if size.queries is None else size.queries * (one.read + one.generated)
        return self._row("rerank", f"{first_stage} / {reranker}", dataset, size, total, settings)

    def _row(
        self, stage: str, system: str, dataset: str, size: _Size, used: float | None, settings: Any
    ) -> dict[str, Any] | None:
        if (model := getattr(settings, "model", None)) is None:
            return None
        entry = self._catalogue.known(model)
        # A forward pass without attention (Kaplan et al., arXiv 2001.08361); they exclude embeddings, as the
        # registry does not.
        operations = 2 * entry.parameter_count * used if entry and used is not None else None
        return {
            "stage": stage,
            "system": system,
            "dataset": dataset,
            "queries": size.queries,
            "tokens": used,
            "flops": operations,
            "hours": None if operations is None else operations / self._rate,
            "lengths": size.lengths.origin,
        }

    def _size(self, dataset: str) -> _Size:
        """Return the size of the stored data set, or else the size in the registry."""
        path = self._layout.path(places.DATASET_MANIFEST, dataset=dataset)
        if path.exists():
            stored = read_json(path)
            words = stored["statistics"]
            query, document = (
                TOKENS_PER_WORD * words[f"words_per_{side}"]["mean"] for side in ("query", "document")
            )
            return _Size(stored["documents"], stored["queries"], Lengths(query, document, "measured"))
        name = self._configuration.registry_id(dataset)
        known = _known_lengths()
        means = known.get(name or "", known["assumed"])
        query, document = (means[side] / CHARACTERS_PER_TOKEN for side in ("query", "document"))
        lengths = Lengths(query, document, "stated" if name in known else "assumed")
        if name is None:
            return _Size(None, None, lengths)
        entry = registered_dataset(name)
        return _Size(entry.documents, self._configuration.datasets[dataset].queries or entry.queries, lengths)


def _disk(configuration: Configuration, keys: Iterable[RunKey]) -> dict[str, Any]:
    """Return the bytes of data sets and weights; ``unsized`` are data sets whose size no source states."""
    keys = list(keys)
    models = {getattr(configuration.rerankers[r], "model", None) for _, _, r in keys}
    models |= {getattr(configuration.first_stages[stage], "model", None) for _, stage, _ in keys}
    catalogue = Catalogue.of(configuration)
    weights = [entry for name in sorted(filter(None, models)) if (entry := catalogue.known(name))]
    ids = {name: configuration.registry_id(name) for name in dict.fromkeys(key[0] for key in keys)}
    sizes = {name: registered_dataset(one).bytes for name, one in ids.items() if one}
    return {
        "weight_bytes": sum(entry.parameter_count * _BYTES[entry.dtype] for entry in weights),
        "dataset_bytes": sum(size or 0 for size in sizes.values()),
        "unsized": [name for name, size in sizes.items() if size is None],
    }


@cache
def _known_lengths() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_name("lengths.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found
