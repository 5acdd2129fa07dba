"""A results folder as typed records, with the labels of its systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, TypeVar

from e2rank_eval.config import Configuration, read_configuration
from e2rank_eval.config.measurements import RunKey
from e2rank_eval.config.references import file_name
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.models.entries import Entries, as_trained
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.records import CandidateIds
from e2rank_eval.report.names import HEADLINE, UNTRAINED
from e2rank_eval.report.table import Cell
from e2rank_eval.store import layout as places
from e2rank_eval.store.collections import read_candidate_ids, read_queries
from e2rank_eval.store.files import read_jsonl
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import manifest_path
from e2rank_eval.store.results import (
    Comparison,
    DatasetDescription,
    Latency,
    Manifest,
    Metrics,
    MtebRecord,
    Record,
    read_record,
)
from e2rank_eval.store.statistics import read_statistics
from e2rank_eval.store.trec import Qrels, Run, read_qrels, read_run

Kind = TypeVar("Kind", bound=Record)
Value = TypeVar("Value")

Excerpt = tuple[str, str]
"""(title, beginning of the text)."""

_LONGEST = 400
"""Characters of a document's text that pages show."""


class Results:
    """One results folder; each file is read at most once, and ``files_read`` lists those that were read.

    Texts of closed collections are returned only with ``local_only``, for pages that are not shared.

    Raises
    ------
    InputError
        From every method, when a file is missing or malformed.
    """

    def __init__(self, layout: Layout, configuration: Configuration, *, local_only: bool = False) -> None:
        self.layout = layout
        self.configuration = configuration
        self.local_only = local_only
        self._read: dict[Path, Any] = {}
        self._first_stages: dict[tuple[str, str], Mapping[str, float]] = {}

    @cached_property
    def entries(self) -> Entries:
        """The model entries of the registry and of the configuration."""
        return Entries(self.configuration.models, self.configuration.origin)

    def model(self, reference: str) -> ModelEntry | None:
        """Return a model's entry from the registry, or else from its record in the results folder."""
        return self.entries.recorded(self.layout, reference)

    def label(self, reranker: str) -> str:
        """Return the reranker's configured label, or its name."""
        return self.configuration.rerankers[reranker].label or reranker

    def first_stage_label(self, first_stage: str) -> str:
        """Return the first stage's configured label, or its name."""
        return self.configuration.first_stages[first_stage].label or first_stage

    def is_untrained(self, reranker: str) -> bool:
        """Return whether a model embeds listwise prompts, or any texts, without having been trained to."""
        settings: Any = self.configuration.rerankers[reranker]
        if settings.family not in ("e2rank", "feedback"):
            return False
        model = self.model(settings.model)
        if model is None:
            return False
        listwise = settings.family == "e2rank" and settings.prompt != "query-only"
        return not (model.trained_for_e2rank if listwise else model.trained_for_embedding)

    def full_name(self, reranker: str) -> str:
        """Return the label, followed by "untrained" where the model is untrained."""
        return self.label(reranker) + (f", {UNTRAINED}" if self.is_untrained(reranker) else "")

    def system_cell(self, reranker: str) -> Cell:
        """Return the label as a cell, tagged where the model is untrained."""
        return Cell(self.label(reranker), tags=(UNTRAINED,) if self.is_untrained(reranker) else ())

    @property
    def files_read(self) -> list[Path]:
        return sorted(self._read)

    def metrics(self, run: RunKey) -> Metrics:
        return self._record(self.path(places.METRICS, run), Metrics)

    def headline(self, run: RunKey) -> tuple[int, float, float, float]:
        """Return the number of queries, mean nDCG@10 x 100, and the ends of its interval."""
        metrics = self.metrics(run)
        low, high = metrics.interval[HEADLINE]
        return metrics.queries.qrels, 100 * metrics.mean[HEADLINE], 100 * low, 100 * high

    def published_run(self, name: str) -> Metrics:
        """Return the metrics of a public run of the registry."""
        return self._record(self.layout.path(places.PUBLISHED_RUN, run=name), Metrics)

    def comparison(self, name: str) -> Comparison:
        return self._record(self.layout.path(places.COMPARISON, comparison=name), Comparison)

    def latency(self, entry: str) -> Latency:
        return self._record(self.layout.path(places.LATENCY, latency=entry), Latency)

    def mteb(self, entry: str, system: str) -> MtebRecord:
        path = self.layout.path(places.MTEB_RECORD, entry=entry, system=file_name(system))
        return self._record(path, MtebRecord)

    def statistics(self, run: RunKey) -> dict[str, dict[str, Any]]:
        """Return the statistics rows by query id."""
        return self._once(self.path(places.STATISTICS, run), read_statistics)

    def dataset(self, name: str) -> DatasetDescription:
        return self._record(self.layout.path(places.DATASET_MANIFEST, dataset=name), DatasetDescription)

    def shows_text(self, dataset: str) -> bool:
        """Return whether texts of the collection, and prompts made of them, may be shown."""
        return self.local_only or self.dataset(dataset).show_text

    def query_texts(self, dataset: str) -> dict[str, str]:
        """Return texts by query id, empty where the collection's texts may not be shown."""
        if not self.shows_text(dataset):
            return {}
        queries = self._once(self.layout.path(places.QUERIES, dataset=dataset), read_queries)
        return {query.id: query.text for query in queries.values()}

    def qrels(self, dataset: str) -> Qrels:
        return self._once(self.layout.path(places.QRELS, dataset=dataset), read_qrels)

    def candidates(self, dataset: str, first_stage: str) -> dict[str, CandidateIds]:
        """Return the candidates of a first stage by query id."""
        path = self.layout.path(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
        return self._once(path, read_candidate_ids)

    def rankings(self, run: RunKey) -> dict[str, list[str]]:
        """Return document ids, best first, by query id."""
        return self._once(self.path(places.RUN, run), _read_rankings)

    def excerpts(self, dataset: str) -> dict[str, Excerpt]:
        """Return title and beginning of all candidates by document id, empty where texts may not be shown."""
        if not self.shows_text(dataset):
            return {}
        stages = {stage for name, stage, _ in self.run_keys() if name == dataset}
        rows = [row for stage in stages for row in self.candidates(dataset, stage).values()]
        wanted = {document for row in rows for document in row.document_ids}
        path = self.layout.path(places.CORPUS, dataset=dataset)
        return self._once(path, lambda corpus: _read_excerpts(corpus, wanted))

    def manifest(self, output: Path) -> Manifest:
        """Return the manifest of ``output``, which records how it was made."""
        return self._record(manifest_path(output), Manifest)

    def path(self, pattern: str, run: RunKey) -> Path:
        return self.layout.run_path(pattern, run)

    def first_stage(self, dataset: str, first_stage: str) -> Mapping[str, float]:
        """Return nDCG@10 by query of the candidates as the first stage ordered them."""
        key = (dataset, first_stage)
        if key not in self._first_stages:
            order = {
                query: {document: float(-rank) for rank, document in enumerate(row.document_ids)}
                for query, row in self.candidates(dataset, first_stage).items()
            }
            found = evaluate(Run(order), self.qrels(dataset), [HEADLINE])
            self._first_stages[key] = found.per_query[HEADLINE]
        return self._first_stages[key]

    def run_keys(self) -> list[RunKey]:
        """Return the shown runs in the configuration's order; those of paper tables only if stored."""
        configuration = self.configuration
        found = dict.fromkeys(run for one in configuration.comparisons.values() for run in one.runs)
        timed = [one for one in configuration.latency.values() if one.quality]
        found |= dict.fromkeys(run for one in timed for run in one.runs)
        if configuration.tables or configuration.figures:
            names = product(configuration.datasets, configuration.first_stages, configuration.rerankers)
            selected = (key for key in names if configuration.selects(key[1], key[2]))
            found |= dict.fromkeys(key for key in selected if self.path(places.METRICS, key).exists())
        return list(found)

    def datasets(self) -> list[str]:
        """Return the data sets of the shown runs, in the configuration's order."""
        used = {dataset for dataset, _, _ in self.run_keys()}
        return [name for name in self.configuration.datasets if name in used]

    def _record(self, path: Path, kind: type[Kind]) -> Kind:
        return self._once(path, lambda stored: read_record(stored, kind))

    def _once(self, path: Path, read: Callable[[Path], Value]) -> Value:
        if path not in self._read:
            self._read[path] = read(path)
        value: Value = self._read[path]
        return value


def open_results(folder: Path) -> Results:
    """Open the results in ``folder``, with the configuration that the workflow stored there.

    Raises
    ------
    InputError
        When ``folder`` holds no configuration.
    """
    layout = Layout(folder)
    return Results(layout, as_trained(read_configuration(layout.path(places.CONFIG))))


def _read_rankings(path: Path) -> dict[str, list[str]]:
    run = read_run(path)
    return {query: run.order(query) for query in run.scores}


def _read_excerpts(corpus: Path, wanted: Set[str]) -> dict[str, Excerpt]:
    """Return excerpts by id of the ``wanted`` documents; the corpus is streamed, never held in memory."""
    rows = (row for _, row in read_jsonl(corpus))
    return {row["_id"]: (row.get("title", ""), _begin(row["text"])) for row in rows if row["_id"] in wanted}


def _begin(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST].rstrip() + "…"
