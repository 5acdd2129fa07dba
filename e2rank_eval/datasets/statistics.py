"""What a data set looks like in numbers: lengths, judgements per query, grades."""

from __future__ import annotations

import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
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
    document_words, document_tokens = _lengths(document.contents for document in dataset.corpus.values())
    query_words, query_tokens = _lengths(query.text for query in dataset.queries.values())
    return {
        "words_per_document": _spread(document_words),
        "words_per_query": _spread(query_words),
        "tokens_per_document": _spread(document_tokens),
        "tokens_per_query": _spread(query_tokens),
        "judgements_per_query": _spread([len(judged) for judged in dataset.qrels.values()]),
        "grades": {str(grade): grades[grade] for grade in sorted(grades)},
    }


def _lengths(texts: Iterable[str]) -> tuple[Sequence[int], Sequence[int]]:
    """Words and tokens of each text, of which none is kept."""
    words, tokens = array("q"), array("q")
    for text in texts:
        words.append(len(text.split()))
        tokens.append(sum(1 for _ in _TOKEN.finditer(text)))
    return words, tokens


def _spread(values: Sequence[int]) -> dict[str, float]:
    return {
        "min": min(values),
        "median": median(values),
        "mean": round(fmean(values), 2),
        "max": max(values),
    }
