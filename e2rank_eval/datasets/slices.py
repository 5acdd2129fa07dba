"""Slices: a few queries of a data set, sampled with a seed, against its whole corpus."""

from __future__ import annotations

from e2rank_eval.datasets.sampling import sample
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset


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
