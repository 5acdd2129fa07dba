"""What a first stage is built from and gives, and the candidate lists that a retriever's hits become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.config import Configuration
from e2rank_eval.datasets.registry import registered_datasets
from e2rank_eval.errors import InputError
from e2rank_eval.models.provider import ModelProvider
from e2rank_eval.records import CandidateIds, Dataset, Query

Scores = NDArray[Any]

Found = tuple[list[CandidateIds], dict[str, Any]]
"""The lists of every query of a data set, and what the manifest says of where they are from."""

Finder = Callable[[Dataset], Found]

DECIMALS = 6
"""Decimals that candidate files store of a score; scores that differ below that tie."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Corpus positions (0-based) and their scores, best first."""

    positions: tuple[int, ...]
    scores: tuple[float, ...]


class Retriever(Protocol):
    """Searches one corpus, whose documents it knows by position."""

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best documents of each query, at most ``depth``; ties are in corpus order.

        Fewer where the corpus is smaller, or where terms decide and fewer documents share one with the query.
        """
        ...


def best(scores: Scores, depth: int) -> NDArray[np.intp]:
    """Return positions of the ``depth`` highest of ``scores`` [n], highest first, equal ones in order of
    position.

    >>> best(np.array([1.0, 3.0, 1.0, 3.0]), 3).tolist()
    [1, 3, 0]
    """
    depth = min(depth, len(scores))
    if depth == 0:
        return np.empty(0, dtype=np.intp)
    threshold = np.partition(scores, len(scores) - depth)[len(scores) - depth]
    contenders = np.flatnonzero(scores >= threshold)
    return contenders[np.argsort(-scores[contenders], kind="stable")][:depth]


def best_hits(scores: Scores, depth: int) -> Hits:
    """Return the ``depth`` documents of highest ``scores`` [corpus size], chosen as :func:`best` does."""
    positions = best(scores, depth)
    return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))


def matching_hits(scores: Scores, depth: int) -> Hits:
    """Return the ``depth`` best documents, as :func:`best_hits`, of those that share a term with the query.

    ``scores`` [corpus size] are sums over shared terms of positive weights, and 0 without one.
    """
    return best_hits(scores, min(depth, int(np.count_nonzero(scores > 0))))


def in_blocks(texts: Iterable[str], size: int = 8192) -> Iterator[list[str]]:
    """Yield ``texts`` in lists of ``size``, so that a corpus need not be held while it is encoded."""
    texts = iter(texts)
    while block := list(islice(texts, size)):
        yield block


def candidates(retriever: Retriever, dataset: Dataset, depth: int) -> list[CandidateIds]:
    """Return for every query of ``dataset`` its first ``depth`` documents that are not excluded for it.

    BRIGHT's ``excluded_ids`` and ArguAna's own queries must not take places of the list, so the
    retriever is asked for as many more. ``retriever`` searches ``dataset.corpus`` in its order.
    """
    identifiers = tuple(dataset.corpus)
    queries = list(dataset.queries.values())
    excluded = [dataset.exclusions.get(query.id, frozenset()) & dataset.corpus.keys() for query in queries]
    found = retriever.search(queries, [depth + len(ids) for ids in excluded])
    lists = []
    for query, hits in zip(queries, found, strict=True):
        scored = zip((identifiers[at] for at in hits.positions), hits.scores, strict=True)
        lists.append(first_allowed(query.id, scored, dataset, depth))
    return lists


def first_allowed(
    query_id: str, scored: Iterable[tuple[str, float]], dataset: Dataset, depth: int
) -> CandidateIds:
    """Return the first ``depth`` of documents and their scores that are not excluded for the query."""
    excluded = dataset.exclusions.get(query_id, frozenset())
    kept = list(islice((one for one in scored if one[0] not in excluded), depth))
    return CandidateIds(query_id, tuple(i for i, _ in kept), tuple(score for _, score in kept))


@dataclass(frozen=True, slots=True)
class Context:
    """What a first stage is built with; ``depth`` is the number of candidates to keep for a query."""

    configuration: Configuration
    models: ModelProvider
    depth: int

    def finder(self, name: str) -> Finder:
        """Build the first stage ``name`` of the configuration, with its own depth.

        Raises
        ------
        InputError
            When the model cannot be used; the finder does so for a pool, where it would search, and where no
            query has a candidate.
        """
        context = replace(self, depth=self.configuration.depth_of(name))
        settings = self.configuration.first_stages[name]
        find: Finder = settings.build(context)

        def checked(dataset: Dataset) -> Found:
            if settings.searches and self._is_pool(dataset.id):
                raise InputError(
                    f"{dataset.id} is a pool of candidates, in which {settings.retriever} finds too easily",
                    hint="use a first stage of retriever run, such as its runs/bm25-top100.trec",
                )
            lists, origin = find(dataset)
            if not any(one.document_ids for one in lists):
                raise InputError(
                    f"{name} finds no document for any of the {len(dataset.queries)} queries of {dataset.id}",
                    hint="none shares a term with a document: compare languages, or use another analyser"
                    if settings.searches
                    else "compare the ids of its queries and documents with those of the data set",
                )
            return lists, origin

        return checked

    def _is_pool(self, name: str) -> bool:
        """Whether the registry says so of a data set, by its name in the configuration or its own."""
        configured = name in self.configuration.datasets
        identifier = self.configuration.registry_id(name) if configured else name
        entry = registered_datasets().get(identifier or "")
        return entry is not None and entry.pool

    def searching(self, build: Callable[[Dataset], Retriever]) -> Finder:
        """Return the finder that searches every data set with a retriever of its own."""
        return lambda dataset: (candidates(build(dataset), dataset, self.depth), {})
