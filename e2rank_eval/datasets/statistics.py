"""What a data set looks like in numbers: lengths, judgements per query, grades."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean, median
from typing import Any

from e2rank_eval.records import Dataset

_TOKEN = re.compile(r"\w+|[^\w\s]")


def statistics(dataset: Dataset) -> dict[str, Any]:
    """Words and tokens per document and query, judgements per query, number of each grade.

    Words are split at white space. Tokens are runs of letters and digits, and every other mark by
    itself: the pieces that a subword tokeniser starts from, and so fewer than any model counts.
    """
    grades = Counter(grade for judged in dataset.qrels.values() for grade in judged.values())
    return {
        "words_per_document": _spread([len(d.contents.split()) for d in dataset.corpus.values()]),
        "words_per_query": _spread([len(q.text.split()) for q in dataset.queries.values()]),
        "tokens_per_document": _spread([_tokens(d.contents) for d in dataset.corpus.values()]),
        "tokens_per_query": _spread([_tokens(q.text) for q in dataset.queries.values()]),
        "judgements_per_query": _spread([len(judged) for judged in dataset.qrels.values()]),
        "grades": {str(grade): grades[grade] for grade in sorted(grades)},
    }


def _tokens(text: str) -> int:
    return len(_TOKEN.findall(text))


def _spread(values: Sequence[int]) -> dict[str, float]:
    return {
        "min": min(values),
        "median": median(values),
        "mean": round(fmean(values), 2),
        "max": max(values),
    }
