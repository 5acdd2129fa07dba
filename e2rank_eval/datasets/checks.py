"""Checks of a loaded data set: the registry's counts, properties that can bias results, statistics."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, median

from e2rank_eval.datasets.registry import DatasetEntry
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.store.results import Spread, Statistics

_TOKEN = re.compile(r"\w+|[^\w\s]")


def check_counts(dataset: Dataset, entry: DatasetEntry, own: Path | None = None) -> None:
    """Compare the numbers of documents, queries and judgements with those in the registry.

    ``own`` is the user's folder that took the place of the registry's source.

    Raises
    ------
    InputError
        When one differs, so that the source is not the data set that the registry describes.
    """
    found = {
        "documents": (len(dataset.corpus), entry.documents),
        "queries": (len(dataset.queries), entry.queries),
        "judgements": (sum(map(len, dataset.qrels.values())), entry.judgements),
    }
    for what, (number, expected) in found.items():
        if expected is not None and number != expected:
            hint = "fetch it again; if its source has changed, fix the registry entry"
            if own is not None:
                hint = "rename the folder, or copy the whole data set into it"
            problem = f"{dataset.id} has {number} {what}, the registry expects {expected}"
            raise InputError(problem, path=own, hint=hint)


def findings(dataset: Dataset) -> dict[str, int]:
    """Return counts of properties that can bias an evaluation, including counts of 0.

    ``empty documents`` can only be found by chance; ``documents with a repeated text`` are those after the
    first with this text; ``judged documents not in the corpus`` count in the ideal ranking but cannot be
    retrieved; ``queries that are a document`` retrieve themselves unless excluded; ``queries without a
    relevant document`` score 0 for every system.
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


def statistics(dataset: Dataset) -> Statistics:
    """Return words and tokens per document and query, judgements per query, and judgements by grade.

    Words are split at white space. Tokens are runs of letters and digits, and single punctuation marks: the
    pre-tokens of a subword tokeniser, so a lower bound on the tokens of any model.
    """
    grades = Counter(grade for judged in dataset.qrels.values() for grade in judged.values())
    document_words, document_tokens = _lengths(document.contents for document in dataset.corpus.values())
    query_words, query_tokens = _lengths(query.text for query in dataset.queries.values())
    return Statistics(
        words_per_document=_spread(document_words),
        words_per_query=_spread(query_words),
        tokens_per_document=_spread(document_tokens),
        tokens_per_query=_spread(query_tokens),
        judgements_per_query=_spread([len(judged) for judged in dataset.qrels.values()]),
        grades={str(grade): grades[grade] for grade in sorted(grades)},
    )


def _lengths(texts: Iterable[str]) -> tuple[Sequence[int], Sequence[int]]:
    """Return the numbers of words and tokens of each text, read one by one."""
    words, tokens = array("q"), array("q")
    for text in texts:
        words.append(len(text.split()))
        tokens.append(sum(1 for _ in _TOKEN.finditer(text)))
    return words, tokens


def _spread(values: Sequence[int]) -> Spread:
    return Spread(min=min(values), median=median(values), mean=round(fmean(values), 2), max=max(values))


def _digest(text: str) -> int:
    """Return a 64-bit hash of a text, to compare millions of passages without storing their texts."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())
