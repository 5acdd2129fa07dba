"""Seeded samples, and slices: a few sampled queries of a data set against its whole corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset


def sample(identifiers: Iterable[str], number: int, *, seed: int, purpose: str) -> list[str]:
    """Return ``number`` of the identifiers, in the order given: those whose seeded SHA-256 is smallest.

    Neither their order nor a generator's version decides which. A larger sample of the same seed and
    purpose holds every smaller one. All identifiers are returned where there are no more than ``number``.

    >>> sample("abcdef", 3, seed=13, purpose="example")
    ['b', 'd', 'e']
    """
    given = list(identifiers)

    def draw(identifier: str) -> bytes:
        return hashlib.sha256(f"{purpose}\n{seed}\n{identifier}".encode()).digest()

    kept = set(sorted(given, key=draw)[:number])
    return [identifier for identifier in given if identifier in kept]


def cut(dataset: Dataset, queries: int, *, seed: int) -> Dataset:
    """Keep ``queries`` of the queries, with their judgements and exclusions; the corpus stays.

    A larger slice of the same seed holds every smaller one.

    Raises
    ------
    InputError
        When the data set has fewer queries.
    """
    if queries > len(dataset.queries):
        raise InputError(
            f"a slice of {queries} queries, but {dataset.id} has {len(dataset.queries)}",
            hint="lower queries in the configuration",
        )
    kept = sample(dataset.queries, queries, seed=seed, purpose="slice")
    return Dataset(
        id=f"{dataset.id}-{queries}-of-{len(dataset.queries)}-seed-{seed}",
        corpus=dataset.corpus,
        queries={i: dataset.queries[i] for i in kept},
        qrels={i: dataset.qrels[i] for i in kept},
        exclusions={i: dataset.exclusions[i] for i in kept if i in dataset.exclusions},
    )
