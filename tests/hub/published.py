"""Real texts in the layouts that BEIR, mteb, BRIGHT and MS MARCO publish."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow
from pyarrow import parquet

from e2rank_eval.records import Dataset

CARD = """---
configs:
- config_name: default
  data_files:
  - {split: test, path: qrels/test.jsonl}
- config_name: corpus
  data_files:
  - {split: corpus, path: corpus.jsonl}
- config_name: queries
  data_files:
  - {split: queries, path: queries.jsonl}
---
A test collection.
"""


def lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def beir_files(dataset: Dataset) -> dict[str, bytes]:
    """The members of a BEIR zip, without their folder."""
    corpus = (
        {"_id": d.id, "title": d.title, "text": d.text, "metadata": {}} for d in dataset.corpus.values()
    )
    judged = [f"{q}\t{d}\t{grade}" for q, grades in dataset.qrels.items() for d, grade in grades.items()]
    return {
        "corpus.jsonl": lines(corpus),
        "queries.jsonl": lines(
            {"_id": q.id, "text": q.text, "metadata": {}} for q in dataset.queries.values()
        ),
        "qrels/test.tsv": ("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n").encode(),
    }


def beir_zip(dataset: Dataset, name: str, **further: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in beir_files(dataset).items():
            archive.writestr(f"{name}/{path}", content)
        for path, content in further.items():
            archive.writestr(path, content)
    return buffer.getvalue()


def mteb_repository(dataset: Dataset) -> dict[str, bytes]:
    """The files of a hub repository in mteb's layout."""
    files = beir_files(dataset)
    rows = [
        {"query-id": q, "corpus-id": d, "score": float(grade)}
        for q, grades in dataset.qrels.items()
        for d, grade in grades.items()
    ]
    return {
        "README.md": CARD.encode(),
        "corpus.jsonl": files["corpus.jsonl"],
        "queries.jsonl": files["queries.jsonl"],
        "qrels/test.jsonl": lines(rows),
    }


def parquet_file(columns: Mapping[str, Sequence[Any]]) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.table(dict(columns)), buffer)
    return buffer.getvalue()


def bright_repository(dataset: Dataset, split: str, rewritten: Mapping[str, str]) -> dict[str, bytes]:
    """The files of one split in BRIGHT's layout: ``N/A`` where a query excludes nothing."""
    queries = list(dataset.queries.values())
    gold = [[d for d, grade in dataset.qrels[q.id].items() if grade > 0] for q in queries]
    excluded = [sorted(dataset.exclusions.get(q.id, ())) or ["N/A"] for q in queries]
    examples = {
        "query": [q.text for q in queries],
        "reasoning": ["" for _ in queries],
        "id": [q.id for q in queries],
        "excluded_ids": excluded,
        "gold_ids_long": [["N/A"] for _ in queries],
        "gold_ids": gold,
        "gold_answer": ["" for _ in queries],
    }
    documents = list(dataset.corpus.values())
    corpus = {"id": [d.id for d in documents], "content": [d.contents for d in documents]}
    name = f"{split}-00000-of-00001.parquet"
    return {
        f"documents/{name}": parquet_file(corpus),
        f"examples/{name}": parquet_file(examples),
        f"gpt4_reason/{name}": parquet_file(examples | {"query": [rewritten[q.id] for q in queries]}),
    }


def msmarco_collection(dataset: Dataset) -> bytes:
    """collectionandqueries.tar.gz, as far as it is read."""
    rows = "".join(f"{d.id}\t{' '.join(d.contents.split())}\n" for d in dataset.corpus.values()).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in {"collection.tsv": rows, "qrels.dev.small.tsv": b"1\t0\t1\t1\n"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def msmarco_queries(queries: Mapping[str, str]) -> bytes:
    return gzip.compress("".join(f"{i}\t{text}\n" for i, text in queries.items()).encode())


def trec_qrels(qrels: Mapping[str, Mapping[str, int]]) -> bytes:
    return "".join(f"{q} Q0 {d} {g}\n" for q, grades in qrels.items() for d, g in grades.items()).encode()


def entry(loader: str, *sources: dict[str, Any], **kept: Any) -> dict[str, Any]:
    """A registry entry of the test's own."""
    facts = {"title": "Texts", "description": "real texts", "licence": "none", "show_text": False}
    return facts | {"loader": loader, "sources": list(sources)} | kept
