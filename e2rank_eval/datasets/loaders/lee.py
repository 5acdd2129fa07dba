"""Loader of the Lee, Pincombe and Welsh (2005) texts, each a query against the other 49, graded by people."""

from __future__ import annotations

import math
from pathlib import Path

from e2rank_eval.datasets.loaders import LOADERS
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.files import number_within

TEXTS = "lee.cor"
SIMILARITIES = "similarities0-1.txt"

_TOLERANCE = 1e-9
"""Means such as 0.7 are not exact in binary, but half a grade must round up."""


def load(folder: Path) -> Dataset:
    """Read the texts (latin-1, one per line) and their mean similarities (upper triangle, 0 to 1).

    Raises
    ------
    InputError
        Naming file and line, when the two files differ in the number of texts, or a similarity is not a
        number from 0 to 1.
    """
    # Not splitlines, which also splits at other control characters of latin-1.
    texts = [
        line.strip() for line in (folder / TEXTS).read_text(encoding="latin-1").split("\n") if line.strip()
    ]
    similarities = _read_similarities(folder / SIMILARITIES, len(texts))
    ids = [str(number) for number in range(1, len(texts) + 1)]
    return Dataset(
        id="lee",
        corpus={i: Document(i, text) for i, text in zip(ids, texts, strict=True)},
        queries={i: Query(i, text) for i, text in zip(ids, texts, strict=True)},
        qrels={
            q: {d: grade(similarities[row][column]) for column, d in enumerate(ids) if d != q}
            for row, q in enumerate(ids)
        },
        exclusions={i: frozenset((i,)) for i in ids},
    )


def grade(similarity: float) -> int:
    """Return the relevance grade, 0 to 4, of a mean similarity: floor(5 s - 0.5), half a grade rounded up.

    People rated pairs from 1 to 5, and the published mean is divided by 5; the grade is the rounded mean
    rating minus 1.

    >>> [grade(s) for s in (0.2, 0.3, 0.5, 0.7, 1.0)]
    [0, 1, 2, 3, 4]
    """
    return min(4, max(0, math.floor(5 * similarity - 0.5 + _TOLERANCE)))


def _read_similarities(path: Path, number: int) -> list[list[float]]:
    lines = path.read_text(encoding="latin-1").splitlines()
    rows = [
        [number_within(field, 1, "similarity", path, n) for field in line.split()]
        for n, line in enumerate(lines, start=1)
    ]
    if len(rows) != number:
        raise InputError(f"{len(rows)} rows for {number} texts", path=path, hint="fetch the data set again")
    for n, row in enumerate(rows, start=1):
        if len(row) != number:
            raise InputError(
                f"{len(row)} columns for {number} texts", path=path, line=n, hint="fetch the data set again"
            )
    # Pairs are stored above the diagonal; below it are zeros.
    return [[rows[min(i, j)][max(i, j)] for j in range(number)] for i in range(number)]


LOADERS.add("lee", lambda request: (load(request.folder), {}))
