"""The registry of loaders, which read fetched files or a library's collections, or generate data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Query
from e2rank_eval.registry import Registry
from e2rank_eval.store.collections import is_visible
from e2rank_eval.store.corpus import StreamedCorpus


@dataclass(frozen=True, slots=True)
class Request:
    """The input of a loader: the data set's id, its entry's options, and the folder of the fetched files.

    Loaders of entries without sources do not read ``folder``; only loaders that generate data use ``seed``.
    """

    name: str
    options: Mapping[str, Any]
    folder: Path
    seed: int = 0


Loaded = tuple[Dataset, dict[str, int]]
"""A data set, and counts of the items that its loader skipped, by reason."""

LOADERS: Registry[Callable[[Request], Loaded]] = Registry("loader", "e2rank_eval.datasets.loaders")


def judged(
    name: str,
    corpus: StreamedCorpus,
    queries: Mapping[str, str],
    qrels: Mapping[str, Mapping[str, int]],
    exclusions: Mapping[str, Collection[str]],
) -> Loaded:
    """Return the data set of the queries that have a judgement, and counts of what was skipped.

    Raises
    ------
    InputError
        When a judged query has no visible text.
    """
    missing = next((q for q in qrels if not is_visible(queries.get(q, ""))), None)
    if missing is not None:
        raise InputError(f"query {missing!r} is judged but has no text", path=name, hint="fetch it again")
    kept = {i: Query(i, text) for i, text in queries.items() if qrels.get(i)}
    excluded = {i: frozenset(exclusions[i]) for i in kept if exclusions.get(i)}
    dataset = Dataset(name, corpus, kept, {i: dict(qrels[i]) for i in kept}, excluded)
    left_out = {"queries without judgements": len(queries) - len(kept)}
    return dataset, left_out | ({"repeated documents": corpus.repeated} if corpus.repeated else {})
