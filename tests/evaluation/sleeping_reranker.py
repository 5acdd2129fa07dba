"""A reranker whose work is sleep, the collection that it ranks, and the settings that time it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from e2rank_eval.config.measurements import LatencySettings
from e2rank_eval.evaluation import latency
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.store.results import Mode, ModeName

ENCODE, PROMPT = 0.02, 0.01
"""Seconds that the test reranker sleeps for its documents and its prompt."""


class SleepingReranker:
    """Sleeps for every document set that was not prepared, then for the prompt; remembers what it ranked."""

    fingerprint = "sleeping"

    def __init__(self, *, stores_documents: bool = False, failing: str | None = None) -> None:
        self.stores_documents = stores_documents
        self.failing = failing
        self.ranked: list[str] = []
        self.prepared: set[str] = set()

    def encode_documents(self, documents: Sequence[Document]) -> None:
        self.prepared |= {document.id for document in documents}

    def _rank(self, query: Query, candidates: CandidateList) -> Ranking:
        self.ranked.append(query.id)
        if query.id == self.failing:
            raise ValueError("no such word")
        encoding = 0.0 if self.prepared.issuperset(candidates.document_ids) else ENCODE
        time.sleep(encoding)
        time.sleep(PROMPT)
        stats = QueryStats(prompt_tokens=10, document_tokens=7 if encoding else 0, output_tokens=1)
        seconds = {"documents": encoding, "prompt": PROMPT, "total": 99.0}
        return Ranking(candidates, tuple(range(len(candidates))), stats, seconds)

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        return [self._rank(*pair) for pair in zip(queries, candidates, strict=True)]


def build(options: dict[str, Any], context: RerankContext) -> SleepingReranker:
    """What the custom family of the configuration below names."""
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
    values = {"dataset": "toy", "first_stage": "bm25", "rerankers": ["sleep"], "samples": 4, "warm_up": 5}
    return LatencySettings(**(values | changes))


def measure(model: SleepingReranker, queries: int = 6, **changes: Any) -> dict[ModeName, Mode]:
    work = work_of(collection(queries))
    return latency.measure_modes(model, work, settings(**changes), name="sleep", seed=13)
