"""Reads a results folder into typed records; what is missing or malformed is an error naming the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from e2rank_eval.configuration import Configuration, read_configuration
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.report.artefacts import (
    Artefact,
    Comparison,
    DatasetDescription,
    Latency,
    Manifest,
    Metrics,
)
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_queries
from e2rank_eval.store.files import read_json, read_jsonl
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import manifest_path
from e2rank_eval.store.traces import read_traces
from e2rank_eval.store.trec import Run, read_qrels

Record = TypeVar("Record", bound=Artefact)
Value = TypeVar("Value")

HEADLINE = "nDCG@10"
"""The measure of the paper's tables, of every figure and of the page's per-query lists."""

RunKey = tuple[str, str, str]
"""(data set, first stage, reranker): what names one run."""


class Results:
    """One results folder; every file is read at most once, and ``files_read`` tells which were.

    Raises
    ------
    InputError
        From every method: when the file is missing or is not what its place promises.
    """

    def __init__(self, layout: Layout, configuration: Configuration) -> None:
        self.layout = layout
        self.configuration = configuration
        self._read: dict[Path, Any] = {}
        self._first_stages: dict[tuple[str, str], dict[str, float]] = {}

    @property
    def files_read(self) -> list[Path]:
        return sorted(self._read)

    def metrics(self, run: RunKey) -> Metrics:
        path = self._path(places.METRICS, run)
        found = self._record(path, Metrics)
        if HEADLINE not in found.mean:
            raise InputError(f"{HEADLINE} is missing", path=path, mend="evaluate the run with it")
        return found

    def comparison(self, name: str) -> Comparison:
        return self._record(self.layout.path(places.COMPARISON, comparison=name), Comparison)

    def latency(self, run: RunKey) -> Latency:
        return self._record(self._path(places.LATENCY, run), Latency)

    def traces(self, run: RunKey) -> dict[str, dict[str, Any]]:
        """Trace rows by query id."""
        path = self._path(places.TRACE, run)
        if not path.exists():
            raise InputError("no such file", path=path, mend="run the step that makes it first")
        return self._once(path, read_traces)

    def dataset(self, name: str) -> DatasetDescription:
        return self._record(self.layout.path(places.DATASET_MANIFEST, dataset=name), DatasetDescription)

    def query_texts(self, dataset: str) -> dict[str, str]:
        """Texts by query id, empty where the collection's texts may not be shown."""
        if not self.dataset(dataset).show_text:
            return {}
        queries = self._once(self.layout.path(places.QUERIES, dataset=dataset), read_queries)
        return {query.id: query.text for query in queries.values()}

    def manifest(self, artefact: Path) -> Manifest:
        """How ``artefact`` was made."""
        return self._record(manifest_path(artefact), Manifest)

    def path(self, pattern: str, run: RunKey) -> Path:
        return self._path(pattern, run)

    def first_stage(self, dataset: str, first_stage: str) -> dict[str, float]:
        """nDCG@10 by query of the candidates as the first stage ordered them."""
        key = (dataset, first_stage)
        if key not in self._first_stages:
            path = self.layout.path(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
            orders = self._once(path, _read_orders)
            qrels = self._once(self.layout.path(places.QRELS, dataset=dataset), read_qrels)
            scores = {
                query: {document: float(-rank) for rank, document in enumerate(documents)}
                for query, documents in orders.items()
            }
            self._first_stages[key] = dict(evaluate(Run(scores), qrels, [HEADLINE]).per_query[HEADLINE])
        return self._first_stages[key]

    def run_keys(self) -> list[RunKey]:
        """Every run that the configuration asks for, in its order."""
        found: dict[RunKey, None] = {}
        for section, name, first_stage, rerankers in self.configuration.uses():
            entry = getattr(self.configuration, section)[name]
            datasets = [entry.dataset] if section == "latency" else entry.datasets
            found |= dict.fromkeys((d, first_stage, r) for d in datasets for r in rerankers)
        return list(found)

    def timed_keys(self) -> list[RunKey]:
        """Every run that the configuration times."""
        entries = self.configuration.latency.values()
        return [(entry.dataset, entry.first_stage, r) for entry in entries for r in entry.rerankers]

    def _path(self, pattern: str, run: RunKey) -> Path:
        dataset, first_stage, reranker = run
        return self.layout.path(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)

    def _record(self, path: Path, kind: type[Record]) -> Record:
        def parse(path: Path) -> Record:
            try:
                return kind.model_validate(read_json(path))
            except ValidationError as error:
                first = error.errors()[0]
                key = ".".join(str(part) for part in first["loc"])
                raise InputError(f"{key}: {first['msg']}", path=path, mend="make this file again") from error

        return self._once(path, parse)

    def _once(self, path: Path, read: Callable[[Path], Value]) -> Value:
        if path not in self._read:
            self._read[path] = read(path)
        value: Value = self._read[path]
        return value


def open_results(folder: Path) -> Results:
    """The results below ``folder``, by the configuration that the workflow stored there.

    Raises
    ------
    InputError
        When ``folder`` holds no configuration.
    """
    layout = Layout(folder)
    return Results(layout, read_configuration(layout.path(places.CONFIG)))


def _read_orders(path: Path) -> dict[str, list[str]]:
    return {row["query_id"]: row["document_ids"] for _, row in read_jsonl(path)}
