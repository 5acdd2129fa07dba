"""A hub repository in mteb's layout, whose card maps corpus, queries and default (judgements) to files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.corpus import StreamedCorpus


def load(folder: Path, name: str, split: str) -> tuple[Dataset, dict[str, int]]:
    """The judged queries of ``split``, and how many queries it leaves out for want of a judgement.

    The library datasets reads the files that the card (README.md) names for each configuration,
    whatever their format; nothing is fetched.

    Raises
    ------
    InputError
        When the card lacks a configuration, or rows lack a field or repeat an id.
    """
    corpus = StreamedCorpus(partial(_documents, folder, split), folder, hint="fetch it again")
    texts: dict[str, str] = {}
    for row in _rows(folder, split, "queries", "query"):
        texts[_new(str(_field(row, "_id", "id")), texts, folder)] = str(_field(row, "text"))
    qrels: dict[str, dict[str, int]] = {}
    for row in _rows(folder, split, "default", "qrels"):
        grades = qrels.setdefault(str(_field(row, "query-id")), {})
        grades[str(_field(row, "corpus-id"))] = int(_field(row, "score"))
    missing = next((q for q in qrels if q not in texts), None)
    if missing is not None:
        raise InputError(f"query {missing!r} is judged but has no text", path=folder, hint="fetch it again")
    judged = {i: Query(i, text) for i, text in texts.items() if i in qrels}
    dataset = Dataset(name, corpus, judged, {i: qrels[i] for i in judged})
    return dataset, {"queries without judgements": len(texts) - len(judged)}


def _documents(folder: Path, split: str) -> Iterator[tuple[None, Document]]:
    for row in _rows(folder, split, "corpus"):
        identifier = str(_field(row, "_id", "id"))
        yield None, Document(identifier, row.get("text") or "", row.get("title") or "")


def _rows(folder: Path, split: str, *configurations: str) -> Iterator[dict[str, Any]]:
    """Rows of the first of ``configurations`` that the card has, in ``split`` or in its only other split."""
    import datasets

    try:
        known = datasets.get_dataset_config_names(str(folder))
        configuration = next((one for one in configurations if one in known), configurations[0])
        splits = datasets.get_dataset_split_names(str(folder), configuration)
        named = split if split in splits else splits[0]
        rows = datasets.load_dataset(str(folder), configuration, split=named, streaming=True)
    except (ValueError, FileNotFoundError, datasets.exceptions.DatasetsError) as error:
        raise InputError(
            f"no configuration {configurations[0]!r} that can be read ({error})", path=folder,
            hint="compare the repository's README.md",
        ) from error  # fmt: skip
    if named != split and len(splits) > 1:
        raise InputError(
            f"configuration {configuration!r} has no split {split!r}", path=folder,
            hint=f"splits: {', '.join(splits)}",
        )  # fmt: skip
    yield from rows


def _field(row: dict[str, Any], *names: str) -> Any:
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise InputError(f"a row without {' or '.join(names)}", path=", ".join(row), hint="fetch it again")


def _new(identifier: str, seen: dict[str, Any], folder: Path) -> str:
    if identifier in seen:
        raise InputError(f"id {identifier!r} is used twice", path=folder, hint="fetch it again")
    return identifier
