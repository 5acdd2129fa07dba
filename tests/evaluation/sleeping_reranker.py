"""A reranker whose work is sleep, the collection that it ranks, and the settings that time it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from e2rank_eval.config.measurements import LatencySettings
from e2rank_eval.evaluation import latency
from e2rank_eval.evaluation.flops import Engine
from e2rank_eval.evaluation.samples import System
from e2rank_eval.models.timing import phase
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.identity import IdentitySettings
from e2rank_eval.store.results import Latency

ENCODE, PROMPT = 0.02, 0.01
"""Seconds that the test reranker sleeps for its documents and its prompt."""


class SleepingReranker:
    """Sleeps for every document set that was not encoded ahead, then for the prompt; logs its rankings."""

    fingerprint = "sleeping"

    def __init__(
        self, *, stores_documents: bool = False, failing: str | None = None, log: list[str] | None = None
    ) -> None:
        self.stores_documents = stores_documents
        self.failing = failing
        self.ranked: list[str] = [] if log is None else log
        self.prepared: set[str] = set()

    def encode_documents(self, documents: Sequence[Document]) -> None:
        self.prepared |= {document.id for document in documents}

    def _rank(self, query: Query, candidates: CandidateList) -> Ranking:
        self.ranked.append(query.id)
        if query.id == self.failing:
            raise ValueError("no such word")
        encoding = 0.0 if self.prepared.issuperset(candidates.document_ids) else ENCODE
        with phase("documents"):
            time.sleep(encoding)
        with phase("prompt"):
            time.sleep(PROMPT)
        stats = QueryStats(prompt_tokens=10, document_tokens=7 if encoding else 0, output_tokens=1)
        return Ranking(candidates, tuple(range(len(candidates))), stats)

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        return [self._rank(*pair) for pair in zip(queries, candidates, strict=True)]


def build(options: dict[str, Any], context: RerankContext) -> SleepingReranker:
    """The factory of the custom family in the configuration below."""
    return SleepingReranker(**options)


def collection(queries: int) -> Dataset:
    corpus = {f"d{i}": Document(f"d{i}", f"text {i}") for i in range(3)}
    asked = {f"q{i}": Query(f"q{i}", f"query {i}") for i in range(queries)}
    return Dataset("toy", corpus, asked, {query_id: {"d0": 1} for query_id in asked})


def lists_of(dataset: Dataset) -> list[CandidateList]:
    candidates = tuple(Candidate(document, -float(i)) for i, document in enumerate(dataset.corpus.values()))
    return [CandidateList(query_id, candidates) for query_id in dataset.queries]


def work_of(dataset: Dataset) -> list[tuple[Query, CandidateList]]:
    return list(zip(dataset.queries.values(), lists_of(dataset), strict=True))


def settings(**changes: Any) -> LatencySettings:
    values = {"dataset": "toy", "first_stage": "bm25", "rerankers": ["sleep"], "samples": 4, "warm_up": 1}
    return LatencySettings(**(values | changes))


def system(name: str, model: SleepingReranker, mode: Any = "online") -> System:
    return System(name, mode, IdentitySettings(family="identity"), model)


def measure(
    *systems: System, queries: int = 6, engines: Mapping[str, Engine] | None = None, **changes: Any
) -> Latency:
    return latency.measure(
        systems,
        work_of(collection(queries)),
        settings(**changes),
        build=lambda _: SleepingReranker(),
        clock="wall",
        threads=1,
        load_seconds=0.0,
        engines=engines or {},
    )
