"""RM3: BM25 with the query expanded by the most frequent terms of the top documents (feedback)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from e2rank_eval.config.systems import FIRST_STAGES
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import Context, Finder, Hits
from e2rank_eval.retrieval.first_stages.bm25 import LexicalSettings, QuantisedBM25
from e2rank_eval.store.corpus import selected

_COMMON = 0.1
"""Terms in more than this share of the documents are not used for expansion, as in Anserini."""

_TERM = re.compile(r"[a-z0-9]{2,20}")
"""Terms that Anserini uses for expansion."""

Model = dict[str, float]
"""A term distribution."""


class RM3Settings(LexicalSettings):
    """RM3: BM25 with the query expanded by terms of the top documents."""

    retriever: Literal["rm3"]
    feedback_documents: int = Field(10, ge=1, le=1000, description="top documents taken as relevant")
    feedback_terms: int = Field(10, ge=1, le=1000, description="terms of the relevance model")
    original_weight: float = Field(0.5, ge=0, le=1, description="of the original query")

    def build(self, context: Context) -> Finder:
        return context.searching(lambda dataset: RM3(dataset, self))


class RM3:
    """Relevance model interpolated with the query (Lavrenko and Croft 2001; RM3: Abdul-Jaleel et al. 2004).

    P(t | R) is the sum over the top ``feedback_documents`` of BM25 score times P(t | d), where P(t | d) has
    the document's ``feedback_terms`` most frequent terms. The ``feedback_terms`` terms with the highest
    P(t | R) are kept and scaled to sum to 1. The second search weights term t with ``original_weight`` *
    P(t | query) + (1 - ``original_weight``) * P(t | R). This estimate, its two filters and the defaults are
    those of Anserini's Rm3Reranker; of equal weights, the alphabetically first are kept. Documents excluded
    for a query are not used for feedback. Scores are those of :class:`QuantisedBM25`.
    """

    def __init__(self, dataset: Dataset, settings: RM3Settings) -> None:
        self._corpus = dataset.corpus
        self._ids = tuple(dataset.corpus)
        self._exclusions = dataset.exclusions
        self._index = QuantisedBM25(
            dataset.corpus.values(), k1=settings.k1, b=settings.b, analyser=settings.analyser
        )
        self._settings = settings

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best matching documents of each query, at most ``depth``; ties are in corpus order."""
        return [
            self._index.search_weighted(model, depth)
            for model, depth in zip(self.expanded(queries), depths, strict=True)
        ]

    def expanded(self, queries: Sequence[Query]) -> list[Model]:
        """Return the term weights of each second search; they sum to 1 if the query has a term."""
        asked = [_scaled(Counter(self._index.terms(query.text))) for query in queries]
        first = [self._first(query, terms) for query, terms in zip(queries, asked, strict=True)]
        documents = selected(self._corpus, {identifier for found in first for identifier in found})
        models = {
            identifier: self._document_model(documents[identifier]) for found in first for identifier in found
        }
        return [self._interpolated(*pair, models) for pair in zip(asked, first, strict=True)]

    def _first(self, query: Query, asked: Model) -> dict[str, float]:
        """Return ids and scores of the feedback documents."""
        excluded = self._exclusions.get(query.id, frozenset())
        found = self._index.search_weighted(asked, self._settings.feedback_documents + len(excluded))
        scores = {self._ids[at]: score for at, score in zip(found.positions, found.scores, strict=True)}
        kept = [(one, score) for one, score in scores.items() if one not in excluded]
        return dict(kept[: self._settings.feedback_documents])

    def _document_model(self, document: Document) -> Model:
        common = _COMMON * len(self._ids)
        kept = {
            term: count
            for term, count in Counter(self._index.terms(document.contents)).items()
            if _TERM.fullmatch(term) and self._index.document_frequency(term) <= common
        }
        return _scaled(_heaviest(kept, self._settings.feedback_terms))

    def _interpolated(self, asked: Model, first: Mapping[str, float], models: Mapping[str, Model]) -> Model:
        weights: defaultdict[str, float] = defaultdict(float)
        for identifier, score in first.items():
            for term, share in models[identifier].items():
                weights[term] += share * score
        relevant = _scaled(_heaviest(weights, self._settings.feedback_terms))
        if not relevant:
            return asked
        kept = self._settings.original_weight
        return {
            term: kept * asked.get(term, 0.0) + (1 - kept) * relevant.get(term, 0.0)
            for term in sorted({*asked, *relevant})
        }


def _heaviest(weights: Mapping[str, float], size: int) -> Mapping[str, float]:
    return dict(sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:size])


def _scaled(weights: Mapping[str, float]) -> Model:
    total = sum(weights.values())
    return {term: weight / total for term, weight in weights.items()} if total else {}


FIRST_STAGES.add("rm3", RM3Settings)
