"""Reads the files of local tasks into the rows that mteb's task classes evaluate."""

from __future__ import annotations

import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset as Rows
from datasets import DatasetDict

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.store.files import read_lines

SEED = 42
"""Of samples: mteb's own seed of tasks."""


@dataclass(frozen=True, slots=True)
class TaskData:
    """``dataset`` in the form that mteb's class of the task's type reads; ``rows``: what is tested on."""

    dataset: Any
    rows: int


def sts(paths: Sequence[Path]) -> TaskData:
    """Scored pairs, ``score TAB sentence TAB sentence`` a line; lines with an empty score are left out."""
    rows = [
        (first, second, _score(score, path, number))
        for path in paths
        for number, (score, first, second) in _fields(path, 3)
        if score.strip()
    ]
    return _pairs(rows)


def sick(paths: Sequence[Path]) -> TaskData:
    """SICK's own form: a header, then id, both sentences, relatedness and judgement, tab-separated."""
    rows = [
        (first, second, _score(score, path, number))
        for path in paths
        for number, (_, first, second, score, _) in _fields(path, 5)
        if number > 1
    ]
    return _pairs(rows)


def labelled(paths: Sequence[Path], sample: int) -> TaskData:
    """``label TAB text`` lines below the three header lines of Orange's format.

    One file is for clustering; two are the train and the test part of a classification. Of the last file
    ``sample`` rows are taken, by label in proportion.
    """
    tables = [
        [(label, text) for number, (label, text) in _fields(path, 2) if number > 3 and text.strip()]
        for path in paths
    ]
    tables[-1] = _stratified(tables[-1], sample)
    names = sorted({label for table in tables for label, _ in table})
    numbers = {name: number for number, name in enumerate(names)}
    parts = [([numbers[label] for label, _ in table], [text for _, text in table]) for table in tables]
    if len(parts) == 1:
        labels, texts = parts[0]
        rows = Rows.from_dict({"sentences": texts, "labels": labels})
        return TaskData(DatasetDict({"test": rows}), len(texts))
    splits = {
        split: Rows.from_dict({"text": texts, "label": labels})
        for split, (labels, texts) in zip(("train", "test"), parts, strict=True)
    }
    return TaskData(DatasetDict(splits), len(parts[-1][1]))


def collection(dataset: Dataset) -> TaskData:
    """A test collection; excluded documents, such as the query itself, are neither judged nor counted."""
    return TaskData({"default": {"test": _collection(dataset, None)}}, len(dataset.queries))


def judged_candidates(dataset: Dataset) -> TaskData:
    """A test collection whose queries' candidates are the documents that were judged for them."""
    top_ranked = {query: sorted(grades) for query, grades in dataset.qrels.items()}
    return TaskData({"default": {"test": _collection(dataset, top_ranked)}}, len(dataset.queries))


def _collection(dataset: Dataset, top_ranked: Mapping[str, list[str]] | None) -> dict[str, Any]:
    return {
        "corpus": Rows.from_list(
            [{"id": d.id, "title": d.title, "text": d.text} for d in dataset.corpus.values()]
        ),
        "queries": Rows.from_list([{"id": q.id, "text": q.text} for q in dataset.queries.values()]),
        "relevant_docs": {
            query: {document: max(0, grade) for document, grade in grades.items()}
            for query, grades in dataset.qrels.items()
        },
        "top_ranked": top_ranked,
    }


def _pairs(rows: Sequence[tuple[str, str, float]]) -> TaskData:
    first, second, scores = zip(*rows, strict=True) if rows else ((), (), ())
    columns = {"sentence1": list(first), "sentence2": list(second), "score": list(scores)}
    return TaskData(DatasetDict({"test": Rows.from_dict(columns)}), len(rows))


def _fields(path: Path, count: int) -> Iterator[tuple[int, list[str]]]:
    for number, line in read_lines(path):
        fields = next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE), [])
        if not fields:
            continue
        if len(fields) == count:
            yield number, fields
        elif not _is_header(fields, number):
            raise InputError(
                f"{len(fields)} fields instead of {count}", path=path, line=number, hint="fetch it again"
            )


def _is_header(fields: Sequence[str], number: int) -> bool:
    """Orange's third header line names roles, fewer than there are columns."""
    return number <= 3 and fields == ["class"]


def _score(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 5:
        raise InputError(f"score {text!r} is no number from 0 to 5", path=path, line=line)
    return value


def _stratified(table: Sequence[tuple[str, str]], size: int) -> list[tuple[str, str]]:
    """``size`` rows, of each label its share (largest remainders), drawn by the seed, in file order."""
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
