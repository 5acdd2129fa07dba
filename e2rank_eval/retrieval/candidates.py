"""Candidate lists from a retriever's hits: excluded documents leave before the cut to depth."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.records import CandidateIds, Dataset
from e2rank_eval.retrieval.base import Hits, Retriever


def candidates(retriever: Retriever, dataset: Dataset, depth: int) -> list[CandidateIds]:
    """For every query of ``dataset`` its first ``depth`` documents that are not excluded for it.

    BRIGHT's ``excluded_ids`` and ArguAna's own queries must not take places of the list, so the
    retriever is asked for as many more. ``retriever`` searches ``dataset.corpus`` in its order.
    """
    identifiers = tuple(dataset.corpus)
    queries = list(dataset.queries.values())
    excluded = [dataset.exclusions.get(query.id, frozenset()) & dataset.corpus.keys() for query in queries]
    hits = retriever.search(queries, [depth + len(ids) for ids in excluded])
    return [
        _kept(query.id, identifiers, one, ids, depth)
        for query, one, ids in zip(queries, hits, excluded, strict=True)
    ]


def _kept(
    query_id: str, identifiers: Sequence[str], hits: Hits, excluded: frozenset[str], depth: int
) -> CandidateIds:
    found = zip((identifiers[position] for position in hits.positions), hits.scores, strict=True)
    kept = [(identifier, score) for identifier, score in found if identifier not in excluded][:depth]
    return CandidateIds(query_id, tuple(i for i, _ in kept), tuple(score for _, score in kept))
