"""What an artefact would take before anything runs: tokens, FLOPs, device hours and disk, run by run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from e2rank_eval.config import Configuration, FirstStageSettings, entries
from e2rank_eval.datasets.planning import size_of
from e2rank_eval.planning.artefact_runs import ArtefactRuns, RunKey
from e2rank_eval.planning.costs import CHARACTERS_PER_TOKEN, TOKENS_PER_WORD, Lengths, Tokens, flops, tokens
from e2rank_eval.planning.parameters import parameters
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json
from e2rank_eval.store.layout import Layout

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class Device:
    """``tflops`` is the peak rate, ``utilisation`` the share of it that is reached; both are assumptions."""

    tflops: float
    utilisation: float

    def hours(self, operations: float) -> float:
        return operations / (self.tflops * 1e12 * self.utilisation) / 3600


@dataclass(frozen=True, slots=True)
class Estimate:
    """One run; None where the registry does not know the numbers.

    ``stage``: retrieve or rerank. ``lengths``: the origin of its texts' lengths, as of :class:`Lengths`.
    """

    stage: str
    system: str
    dataset: str
    queries: int | None
    tokens: float | None
    flops: float | None
    hours: float | None
    lengths: str


def estimate(
    configuration: Configuration, names: Iterable[str], layout: Layout, device: Device
) -> dict[str, Any]:
    """Runs, totals and disk of artefacts, each run once however many of them it serves.

    Raises
    ------
    InputError
        When a table's row is not one of the paper's.
    """
    artefacts = ArtefactRuns(configuration)
    keys = list(dict.fromkeys(key for name in names for key in artefacts.runs(name)))
    estimator = _Estimator(configuration, layout, device)
    rows = [
        estimator.retrieval(*pair) for pair in dict.fromkeys((stage, dataset) for dataset, stage, _ in keys)
    ]
    rows += [estimator.reranking(key) for key in keys]
    shown = [asdict(row) for row in rows if row is not None]
    return {
        "runs": shown,
        "tokens": sum(row["tokens"] or 0 for row in shown),
        "flops": sum(row["flops"] or 0 for row in shown),
        "hours": sum(row["hours"] or 0 for row in shown),
        "unknown": sum(row["hours"] is None for row in shown),
        "tflops": device.tflops,
        "utilisation": device.utilisation,
        "assumed_characters": _known_lengths()["assumed"],
        **_disk(configuration, keys),
    }


class _Estimator:
    def __init__(self, configuration: Configuration, layout: Layout, device: Device) -> None:
        self._configuration = configuration
        self._layout = layout
        self._device = device

    def retrieval(self, first_stage: str, dataset: str) -> Estimate | None:
        """Encoding corpus and queries of a dense or sparse first stage; others compute next to nothing."""
        settings: FirstStageSettings = self._configuration.first_stages[first_stage]
        if settings.model is None:
            return None
        documents, queries = self._counts(dataset)
        lengths = self._lengths(dataset)
        read = None
        if documents is not None:
            read = documents * lengths.document + (queries or 0) * lengths.query
        return self._row("retrieve", first_stage, dataset, read, settings.model)

    def reranking(self, key: RunKey) -> Estimate | None:
        dataset, first_stage, reranker = key
        settings = self._configuration.rerankers[reranker]
        model = getattr(settings, "model", None)
        if model is None:
            return None
        _, queries = self._counts(dataset)
        depth = self._configuration.depth_of(first_stage)
        one = tokens(settings, self._lengths(dataset), depth)
        total = None if queries is None else queries * (one.read + one.written)
        return self._row("rerank", f"{first_stage} / {reranker}", dataset, total, model)

    def _row(self, stage: str, system: str, dataset: str, used: float | None, model: str) -> Estimate:
        operations = None if used is None else flops(parameters(entries.model(model)), Tokens(used))
        hours = None if operations is None else self._device.hours(operations)
        _, queries = self._counts(dataset)
        origin = self._lengths(dataset).origin
        return Estimate(stage, system, dataset, queries, used, operations, hours, origin)

    def _stored(self, dataset: str) -> dict[str, Any] | None:
        path = self._layout.path(places.DATASET_MANIFEST, dataset=dataset)
        found: dict[str, Any] | None = read_json(path) if path.exists() else None
        return found

    def _counts(self, dataset: str) -> tuple[int | None, int | None]:
        """(documents, queries): those stored, else those that the registry expects."""
        stored = self._stored(dataset)
        if stored is not None:
            return stored["documents"], stored["queries"]
        settings = self._configuration.datasets[dataset]
        if settings.path is not None:
            return None, None
        entry = entries.dataset(_origin(self._configuration, dataset))
        return entry.documents, settings.queries or entry.queries

    def _lengths(self, dataset: str) -> Lengths:
        stored = self._stored(dataset)
        if stored is not None:
            words = stored["statistics"]
            document, query = words["words_per_document"]["mean"], words["words_per_query"]["mean"]
            return Lengths(query * TOKENS_PER_WORD, document * TOKENS_PER_WORD, "measured")
        name = _origin(self._configuration, dataset)
        known = _known_lengths()
        means = known.get(name, known["assumed"])
        query, document = (means[side] / CHARACTERS_PER_TOKEN for side in ("query", "document"))
        return Lengths(query, document, "stated" if name in known else "assumed")


def _disk(configuration: Configuration, keys: Iterable[RunKey]) -> dict[str, Any]:
    """Bytes of downloads and of weights; ``unsized`` are data sets whose size no source states."""
    keys = list(keys)
    models = {getattr(configuration.rerankers[r], "model", None) for _, _, r in keys}
    models |= {configuration.first_stages[stage].model for _, stage, _ in keys}
    weights = 0.0
    for model in sorted(name for name in models if name):
        entry = entries.model(model)
        weights += parameters(entry) * _BYTES[entry.dtype]
    named = dict.fromkeys(dataset for dataset, _, _ in keys if configuration.datasets[dataset].path is None)
    sizes = {
        _origin(configuration, d): size_of(entries.dataset(_origin(configuration, d)).sources[0])
        for d in named
    }
    return {
        "weight_bytes": weights,
        "dataset_bytes": sum(size or 0 for size in sizes.values()),
        "unsized": [name for name, size in sizes.items() if size is None],
    }


def _origin(configuration: Configuration, dataset: str) -> str:
    """The registry id behind a name; a slice's is that of what it is cut from."""
    settings = configuration.datasets[dataset]
    return _origin(configuration, settings.slice_of) if settings.slice_of else settings.id or dataset


@cache
def _known_lengths() -> dict[str, dict[str, Any]]:
    text = Path(__file__).with_name("lengths.yaml").read_text(encoding="utf-8")
    found: dict[str, dict[str, Any]] = yaml.safe_load(text)
    return found
