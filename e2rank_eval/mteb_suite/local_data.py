"""Reads the files of local tasks into the rows that mteb's task classes evaluate."""

from __future__ import annotations

import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset as Rows
from datasets import DatasetDict

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.store.files import read_lines

SEED = 42
"""The seed of samples: mteb's own seed of tasks."""


def scored_pairs(paths: Sequence[Path], columns: Sequence[str], *, header: bool) -> DatasetDict:
    """Read tab-separated ``columns``, among them score, first and second, but no line without a score."""
    pairs: dict[str, list[Any]] = {"sentence1": [], "sentence2": [], "score": []}
    for path in paths:
        for number, fields in _fields(path, len(columns), skipped=int(header)):
            row = dict(zip(columns, fields, strict=True))
            if row["score"].strip():
                pairs["sentence1"].append(row["first"])
                pairs["sentence2"].append(row["second"])
                pairs["score"].append(_score(row["score"], path, number))
    return DatasetDict({"test": Rows.from_dict(pairs)})


def labelled_texts(paths: Sequence[Path], sample: int) -> DatasetDict:
    """Read ``label TAB text`` lines below the three header lines of Orange's format.

    One file is for clustering; two are the train and the test part of a classification. Of the last file
    ``sample`` rows are taken, by label in proportion.
    """
    tables = [
        [(label, text) for _, (label, text) in _fields(path, 2, skipped=3) if text.strip()] for path in paths
    ]
    tables[-1] = _stratified(tables[-1], sample)
    names = sorted({label for table in tables for label, _ in table})
    parts = [([names.index(label) for label, _ in table], [text for _, text in table]) for table in tables]
    if len(parts) == 1:
        labels, texts = parts[0]
        return DatasetDict({"test": Rows.from_dict({"sentences": texts, "labels": labels})})
    splits = zip(("train", "test"), parts, strict=True)
    return DatasetDict(
        {split: Rows.from_dict({"text": texts, "label": labels}) for split, (labels, texts) in splits}
    )


def collection(dataset: Dataset, *, judged_only: bool) -> dict[str, Any]:
    """Return a test collection; excluded documents, such as the query itself, are neither judged nor counted.

    With ``judged_only`` the candidates of a query are the documents that were judged for it.
    """
    documents = [{"id": d.id, "title": d.title, "text": d.text} for d in dataset.corpus.values()]
    split = {
        "corpus": Rows.from_list(documents),
        "queries": Rows.from_list([{"id": q.id, "text": q.text} for q in dataset.queries.values()]),
        "relevant_docs": {
            query: {document: max(0, grade) for document, grade in grades.items()}
            for query, grades in dataset.qrels.items()
        },
        "top_ranked": {q: sorted(grades) for q, grades in dataset.qrels.items()} if judged_only else None,
    }
    return {"default": {"test": split}}


def _fields(path: Path, count: int, *, skipped: int) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and tab-separated fields of each line below ``skipped`` ones."""
    for number, line in read_lines(path):
        fields = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE), [])
        if not fields or number <= skipped:
            continue
        if len(fields) != count:
            raise InputError(
                f"{len(fields)} fields instead of {count}", path=path, line=number, hint="fetch it again"
            )
        yield number, fields


def _score(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 5:
        raise InputError(f"score {text!r} is not a number from 0 to 5", path=path, line=line)
    return value


def _stratified(table: Sequence[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """Draw ``size`` rows, of each label its share (largest remainders), by the seed, in file order."""
    if size >= len(table):
        return list(table)
    places: dict[str, list[int]] = defaultdict(list)
    for place, (label, _) in enumerate(table):
        places[label].append(place)
    exact = {label: size * len(found) / len(table) for label, found in places.items()}
    shares = {label: math.floor(share) for label, share in exact.items()}
    by_remainder = sorted(exact, key=lambda label: (shares[label] - exact[label], label))
    for label in by_remainder[: size - sum(shares.values())]:
        shares[label] += 1
    draw = random.Random(SEED)
    taken = [place for label in sorted(places) for place in draw.sample(places[label], shares[label])]
    return [table[place] for place in sorted(taken)]
