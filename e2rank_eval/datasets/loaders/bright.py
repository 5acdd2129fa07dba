"""BRIGHT, one split: parquet files of documents, of examples with judgements, and of rewritten queries."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.loaders import LOADERS, Loaded, Request
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.files import read_lines

_NOTHING = "N/A"
"""Written in place of ids where a query excludes none, or a split has no whole pages."""


def load(
    folder: Path,
    name: str,
    *,
    split: str,
    documents: str = "documents",
    queries: str = "examples",
    qrels: Path | None = None,
) -> Loaded:
    """Load the split with passages or whole pages, and with original or rewritten queries.

    ``documents`` and ``queries`` name configurations of the hub's repository. A rewritten query
    is in its configuration's field ``query``, as the benchmark's own run.py reads it. ``qrels``
    is a file of judgements in TREC form that replaces the examples' gold ids; it may write
    white space in ids as an underscore.

    Raises
    ------
    InputError
        When a file is missing or not parquet, lacks a field, repeats an id with another text, or
        excludes a relevant document; when judgements or rewritten queries do not fit the examples.
    """
    gold = "gold_ids_long" if documents == "long_documents" else "gold_ids"
    corpus, repeated = _corpus(folder, documents, split)
    examples = {
        str(row["id"]): row for row in _rows(folder, "examples", split, ["id", "query", "excluded_ids", gold])
    }
    texts = {i: row["query"] for i, row in examples.items()}
    if queries != "examples":
        texts = _rewritten(folder, queries, split, examples)
    own = {i: dict.fromkeys(_ids(row[gold]), 1) for i, row in examples.items()}
    judged = own if qrels is None else _read_qrels(qrels, corpus, examples)
    exclusions = {i: frozenset(_ids(row["excluded_ids"])) for i, row in examples.items()}
    for i, excluded in exclusions.items():
        both = excluded & judged.get(i, {}).keys()
        if both:
            raise InputError(
                f"document {min(both)!r} is both relevant to and excluded for query {i!r}", path=name
            )
    kept = [i for i in examples if judged.get(i)]
    dataset = Dataset(
        id=name,
        corpus=corpus,
        queries={i: Query(i, texts[i]) for i in kept},
        qrels={i: judged[i] for i in kept},
        exclusions={i: exclusions[i] for i in kept if exclusions[i]},
    )
    left_out = {"queries without judgements": len(examples) - len(kept), "repeated documents": repeated}
    return dataset, left_out


def _corpus(folder: Path, configuration: str, split: str) -> tuple[dict[str, Document], int]:
    corpus: dict[str, Document] = {}
    repeated = 0
    for row in _rows(folder, configuration, split, ["id", "content"]):
        document = Document(str(row["id"]), row["content"] or "")
        if corpus.setdefault(document.id, document) != document:
            raise InputError(
                f"document {document.id!r} has two texts", path=f"{configuration}/{split}",
                hint="fetch it again",
            )  # fmt: skip
        repeated += 1
    return corpus, repeated - len(corpus)


def _rewritten(folder: Path, configuration: str, split: str, examples: Collection[str]) -> dict[str, str]:
    texts = {str(row["id"]): row["query"] for row in _rows(folder, configuration, split, ["id", "query"])}
    missing = next((i for i in examples if not texts.get(i)), None)
    if missing is not None:
        raise InputError(
            f"no text for query {missing!r}", path=f"{configuration}/{split}", hint="fetch it again"
        )
    return texts


def _ids(values: Iterable[Any] | None) -> list[str]:
    return [str(value) for value in values or () if value not in (None, "", _NOTHING)]


def _rows(folder: Path, configuration: str, split: str, fields: list[str]) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as parquet  # type: ignore[import-untyped]
    from pyarrow import ArrowInvalid

    paths = sorted(folder.glob(f"{configuration}/{split}-*.parquet"))
    if not paths:
        raise InputError(f"no {configuration}/{split}-*.parquet", path=folder, hint="fetch it again")
    for path in paths:
        try:
            with parquet.ParquetFile(path) as file:
                lacking = set(fields) - set(file.schema_arrow.names)
                if lacking:
                    raise InputError(
                        f"no field {min(lacking)!r}", path=path, hint="compare the data set's card"
                    )
                for batch in file.iter_batches(batch_size=1024, columns=fields):
                    yield from batch.to_pylist()
        except ArrowInvalid as error:
            raise InputError(f"not a parquet file ({error})", path=path, hint="fetch it again") from error


def _read_qrels(path: Path, corpus: Collection[str], queries: Collection[str]) -> dict[str, dict[str, int]]:
    """Read judgements, their ids taken as they are: some of BRIGHT's own ids hold percent signs."""
    underscored = {re.sub(r"\s", "_", i): i for i in corpus}
    qrels: dict[str, dict[str, int]] = {}
    for number, line in read_lines(path):
        fields = line.split()
        if len(fields) != 4 or fields[0] not in queries or not fields[3].lstrip("-").isdigit():
            raise InputError(
                f"not a judgement of a query of this split: {line[:60]!r}", path=path, line=number,
                hint="write: query iteration document grade",
            )  # fmt: skip
        document = fields[2] if fields[2] in corpus else underscored.get(fields[2], fields[2])
        qrels.setdefault(fields[0], {})[document] = int(fields[3])
    return qrels


def _requested(request: Request) -> Loaded:
    options = dict(request.options)
    qrels = options.pop("qrels", None)
    path = request.additions / qrels if qrels is not None and request.additions is not None else None
    return load(request.folder, request.name, qrels=path, **options)


LOADERS.add("bright", _requested)
