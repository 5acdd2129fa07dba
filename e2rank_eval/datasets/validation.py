"""Checks of a loaded data set: against the registry's counts, and for what can bend its numbers."""

from __future__ import annotations

import hashlib

from e2rank_eval.datasets.registry import DatasetEntry
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset


def check_counts(dataset: Dataset, entry: DatasetEntry) -> None:
    """Compare numbers of documents, queries and judgements with those the registry states.

    Raises
    ------
    InputError
        When one differs: the source is not what the registry describes.
    """
    found = {
        "documents": (len(dataset.corpus), entry.documents),
        "queries": (len(dataset.queries), entry.queries),
        "judgements": (sum(map(len, dataset.qrels.values())), entry.judgements),
    }
    for what, (number, expected) in found.items():
        if expected is not None and number != expected:
            raise InputError(
                f"{dataset.id} has {number} {what}, the registry expects {expected}",
                hint="fetch it again; if its source has changed, fix the registry entry",
            )


def findings(dataset: Dataset) -> dict[str, int]:
    """Counts of what does not stop an evaluation but can bend its numbers; a count of 0 is stated too.

    ``empty documents`` can only be found by chance; ``documents with a repeated text`` are those
    beyond the first of each text; ``judged documents not in the corpus`` count in the ideal ranking
    but can never be retrieved; ``queries that are a document`` find themselves unless excluded;
    ``queries without a relevant document`` score zero whatever the system.
    """
    answers: dict[int, set[str]] = {_digest(q.text.strip()): set() for q in dataset.queries.values()}
    seen: set[int] = set()
    empty = repeated = 0
    judged = {document for grades in dataset.qrels.values() for document in grades}
    for document in dataset.corpus.values():
        if not document.contents:
            empty += 1
            continue
        text = _digest(document.contents)
        repeated += text in seen
        seen.add(text)
        if text in answers:
            answers[text].add(document.id)
    return {
        "empty documents": empty,
        "documents with a repeated text": repeated,
        "judged documents not in the corpus": sum(i not in dataset.corpus for i in judged),
        "queries that are a document": sum(
            bool(
                answers.get(_digest(query.text.strip()), set())
                - dataset.exclusions.get(query.id, frozenset())
            )
            for query in dataset.queries.values()
        ),
        "queries without a relevant document": sum(
            max(grades.values()) <= 0 for grades in dataset.qrels.values()
        ),
    }


def _digest(text: str) -> int:
    """64 bits that stand for a text: millions of passages are compared without holding them twice."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
