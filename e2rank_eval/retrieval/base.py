"""The interface of first stages, and the conversion of a retriever's hits to candidate lists."""

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
from e2rank_eval.models.truncation import cut_words
from e2rank_eval.records import CandidateIds, Dataset, Document, Query

Scores = NDArray[Any]

Found = tuple[list[CandidateIds], dict[str, Any]]
"""The candidate lists of a data set's queries, and their origin for the manifest."""

Finder = Callable[[Dataset], Found]

_BLOCK = 8192
"""Texts in a list of :func:`text_blocks`."""

DECIMALS = 6
"""Decimals of a score in candidate files; scores with the same rounded value tie."""


@dataclass(frozen=True, slots=True)
class Hits:
    """Corpus positions (0-based) and their scores, best first."""

    positions: tuple[int, ...]
    scores: tuple[float, ...]


class Retriever(Protocol):
    """Searches one corpus; hits are corpus positions."""

    def search(self, queries: Sequence[Query], depths: Sequence[int]) -> list[Hits]:
        """Return the best documents of each query, at most ``depth``; ties are in corpus order.

        A lexical retriever returns only documents that share a term with the query.
        """
        ...


def best(scores: Scores, depth: int) -> NDArray[np.intp]:
    """Return the positions of the ``depth`` highest of ``scores`` [n], best first, ties in order of position.

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
    """Return the ``depth`` documents with the highest ``scores`` [corpus size], ordered by :func:`best`."""
    positions = best(scores, depth)
    return Hits(tuple(positions.tolist()), tuple(scores[positions].tolist()))


def matching_hits(scores: Scores, depth: int) -> Hits:
    """Return the ``depth`` best documents among those that share a term with the query.

    ``scores`` [corpus size] are sums of positive term weights, so they are 0 without a shared term.
    """
    return best_hits(scores, min(depth, int(np.count_nonzero(scores > 0))))


def text_blocks(documents: Iterable[Document]) -> Iterator[list[str]]:
    """Yield the texts to encode, at most 1,024 words each, in lists, so that no corpus must be in memory."""
    texts = (cut_words(document.contents) for document in documents)
    while block := list(islice(texts, _BLOCK)):
        yield block


def candidates(retriever: Retriever, dataset: Dataset, depth: int) -> list[CandidateIds]:
    """Return for every query of ``dataset`` the best ``depth`` documents that are not excluded for it.

    Each search is deeper by the number of excluded documents (BRIGHT's ``excluded_ids``, a query's own text
    in ArguAna), so that lists are full. ``retriever`` searches ``dataset.corpus``.
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
    """Return the first ``depth`` (document id, score) pairs that are not excluded for the query."""
    excluded = dataset.exclusions.get(query_id, frozenset())
    kept = list(islice((one for one in scored if one[0] not in excluded), depth))
    return CandidateIds(query_id, tuple(i for i, _ in kept), tuple(score for _, score in kept))


@dataclass(frozen=True, slots=True)
class Context:
    """What a first stage is built with; ``depth`` is the number of candidates for a query."""

    configuration: Configuration
    models: ModelProvider
    depth: int

    def finder(self, name: str) -> Finder:
        """Return the finder of the configuration's first stage ``name``, with that stage's depth.

        Raises
        ------
        InputError
            When the model cannot be used. The finder raises it when it would search a data set that is a pool
            of candidates, or finds no candidate for any query.
        """
        context = replace(self, depth=self.configuration.depth_of(name))
        settings = self.configuration.first_stages[name]
        find: Finder = settings.build(context)

        def checked(dataset: Dataset) -> Found:
            if settings.searches and self._is_pool(dataset.id):
                raise InputError(
                    f"{dataset.id} is a pool of candidates, too easy to search with {settings.retriever}",
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
        """Whether the data set, named as in the configuration or the registry, is a pool of candidates."""
        configured = name in self.configuration.datasets
        identifier = self.configuration.registry_id(name) if configured else name
        entry = registered_datasets().get(identifier or "")
        return entry is not None and entry.pool

    def searching(self, build: Callable[[Dataset], Retriever]) -> Finder:
        """Return a finder that builds a retriever for each data set and searches with it."""
        return lambda dataset: (candidates(build(dataset), dataset, self.depth), {})
