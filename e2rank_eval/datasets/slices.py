"""Seeded samples, and slices: a sample of a data set's queries with the whole corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset


def sample(identifiers: Iterable[str], number: int, *, seed: int, purpose: str) -> list[str]:
    """Return the ``number`` identifiers with the smallest seeded SHA-256, in the order given.

    The sample depends neither on the order nor on the version of a random generator. A larger sample with the
    same seed and purpose contains every smaller one. All identifiers are returned if there are at most
    ``number``.

    >>> sample("abcdef", 3, seed=13, purpose="example")
    ['b', 'd', 'e']
    """
    given = list(identifiers)

    def draw(identifier: str) -> bytes:
        return hashlib.sha256(f"{purpose}\n{seed}\n{identifier}".encode()).digest()

    kept = set(sorted(given, key=draw)[:number])
    return [identifier for identifier in given if identifier in kept]


def cut(dataset: Dataset, queries: int, *, seed: int) -> Dataset:
    """Return a sample of ``queries`` queries with their judgements and exclusions, and the whole corpus.

    A larger slice with the same seed contains every smaller one.

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
