"""Straightforward reference implementations of retrieval."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence


def bm25_scores(
    corpus: Sequence[Sequence[str]], query: Sequence[str], k1: float, b: float, length: Callable[[int], int]
) -> list[float]:
    """Lucene's BM25 of one query, over lists of terms, as written in its documentation.

    ``length`` rounds a document's length; documents without terms are not in Lucene's statistics.
    """
    size = sum(bool(document) for document in corpus)
    mean_length = sum(len(document) for document in corpus) / size
    frequency = Counter(term for document in corpus for term in set(document))
    scores = []
    for document in corpus:
        counts = Counter(document)
        score = 0.0
        for term in query:
            if counts[term]:
                idf = math.log(1 + (size - frequency[term] + 0.5) / (frequency[term] + 0.5))
                norm = k1 * (1 - b + b * length(len(document)) / mean_length)
                score += idf * counts[term] / (counts[term] + norm)
        scores.append(score)
    return scores


def ndcg_at_10(qrels: dict[str, dict[str, int]], rankings: dict[str, Sequence[str]]) -> float:
    """Mean nDCG@10 x 100 over all judged queries; gain = grade, discount log2(rank + 1), as trec_eval."""
    total = 0.0
    for query_id, grades in qrels.items():
        gains = [max(0, grades.get(document_id, 0)) for document_id in rankings.get(query_id, ())[:10]]
        ideal = sorted((max(0, grade) for grade in grades.values()), reverse=True)[:10]
        best = sum(gain / math.log2(rank + 2) for rank, gain in enumerate(ideal))
        total += sum(gain / math.log2(rank + 2) for rank, gain in enumerate(gains)) / best if best else 0.0
    return 100 * total / len(qrels)
