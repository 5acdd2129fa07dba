"""Candidate lists from a retriever's hits: excluded documents leave before the cut to depth."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.records import Candidate, CandidateList, Dataset, Document
from e2rank_eval.retrieval.base import Hits, Retriever


def candidates(retriever: Retriever, dataset: Dataset, depth: int) -> list[CandidateList]:
    """For every query of ``dataset`` its first ``depth`` documents that are not excluded for it.

    BRIGHT's ``excluded_ids`` and ArguAna's own queries must not take places of the list, so the
    retriever is asked for as many more. ``retriever`` searches ``dataset.corpus`` in its order.
    """
    documents = tuple(dataset.corpus.values())
    queries = list(dataset.queries.values())
    excluded = [dataset.exclusions.get(query.id, frozenset()) & dataset.corpus.keys() for query in queries]
    hits = retriever.search(queries, [depth + len(ids) for ids in excluded])
    return [
        CandidateList(query.id, _kept(documents, one, ids)[:depth])
        for query, one, ids in zip(queries, hits, excluded, strict=True)
    ]


def _kept(documents: Sequence[Document], hits: Hits, excluded: frozenset[str]) -> tuple[Candidate, ...]:
    found = zip((documents[position] for position in hits.positions), hits.scores, strict=True)
    return tuple(Candidate(document, score) for document, score in found if document.id not in excluded)
