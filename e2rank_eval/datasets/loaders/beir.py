"""BEIR layout: corpus.jsonl, queries.jsonl and qrels as TSV, plain or gzipped."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from e2rank_eval.datasets.loaders import LOADERS, Loaded
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.store.collections import read_corpus, read_queries
from e2rank_eval.store.files import read_jsonl, read_lines
from e2rank_eval.store.trec import decode_id, read_qrels


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder in BEIR layout; ``exclusions`` is an addition of this suite."""

    corpus: Path
    queries: Path
    qrels: Path
    exclusions: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        found = (self.corpus, self.queries, self.qrels, self.exclusions)
        return tuple(path for path in found if path is not None)


def find(folder: Path, split: str) -> Folder:
    """Return the files of ``folder``, plain or gzipped; qrels/<split>.tsv takes precedence over qrels.tsv.

    Raises
    ------
    InputError
        When one is missing; the message lists the existing splits.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, hint="fix the data set's path in the configuration")
    splits = sorted(path.name.split(".")[0] for path in folder.glob("qrels/*.tsv*"))
    hint = f"splits here: {', '.join(splits)}" if splits else "add qrels.tsv"
    return Folder(
        corpus=_jsonl(folder, "corpus"),
        queries=_jsonl(folder, "queries"),
        qrels=_one(
            folder, (f"qrels/{split}.tsv", f"qrels/{split}.tsv.gz", "qrels.tsv", "qrels.tsv.gz"), hint
        ),
        exclusions=_exclusions(folder),
    )


def _jsonl(folder: Path, stem: str) -> Path:
    return _one(folder, (f"{stem}.jsonl", f"{stem}.jsonl.gz"), f"add {stem}.jsonl")


def _exclusions(folder: Path) -> Path | None:
    path = folder / "exclusions.jsonl"
    return path if path.exists() else None


def _one(folder: Path, names: tuple[str, ...], hint: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"none of {', '.join(names)}", path=folder, hint=hint)


def load(files: Folder, name: str) -> Loaded:
    """Load the data set; count queries without judgements, repeated documents and repeated judgements.

    Judgements of documents that the corpus lacks are kept, as they count in the ideal ranking.

    Raises
    ------
    InputError
        Naming file and line: malformed lines, contradictory repeats, an unknown query in the qrels; or an
        empty corpus, no query, no judgement.
    """
    corpus = read_corpus(files.corpus)
    queries = read_queries(files.queries)
    judgements = read_qrels(files.qrels, decode=False)
    qrels = {
        _as_in(queries, query_id): {
            _as_in(corpus, document_id): grade for document_id, grade in grades.items()
        }
        for query_id, grades in judgements.items()
    }
    unknown = next((query_id for query_id in qrels if query_id not in queries), None)
    if unknown is not None:
        raise InputError(
            f"query {unknown!r} is judged but not in {files.queries.name}", path=files.qrels,
            line=_line_of(unknown, files.qrels), hint="add the query or remove its judgements",
        )  # fmt: skip
    judged = {query_id: query for query_id, query in queries.items() if query_id in qrels}
    dataset = Dataset(
        id=name,
        corpus=corpus,
        queries=judged,
        qrels={query_id: qrels[query_id] for query_id in judged},
        exclusions=_read_exclusions(files.exclusions, queries),
    )
    repeated = {"repeated documents": corpus.repeated, "repeated judgements": judgements.repeated}
    skipped = {"queries without judgements": len(queries) - len(judged)}
    return dataset, skipped | {what: number for what, number in repeated.items() if number}


def load_unjudged(folder: Path, name: str) -> Dataset:
    """Load a folder that has no judgements; raises InputError as :func:`load` does."""
    queries = read_queries(_jsonl(folder, "queries"))
    exclusions = _read_exclusions(_exclusions(folder), queries)
    return Dataset(name, read_corpus(_jsonl(folder, "corpus")), queries, {}, exclusions)


def _as_in(known: Collection[str], identifier: str) -> str:
    """Return the id, or its decoded form if only that is known, as in folders that this suite wrote."""
    decoded = decode_id(identifier)
    return decoded if identifier not in known and decoded in known else identifier


def _line_of(query_id: str, path: Path) -> int | None:
    for number, line in read_lines(path):
        if line.startswith((f"{query_id}\t", f"{query_id} ")):
            return number
    return None


def _read_exclusions(path: Path | None, queries: Collection[str]) -> dict[str, frozenset[str]]:
    if path is None:
        return {}
    exclusions: dict[str, frozenset[str]] = {}
    for number, row in read_jsonl(path):
        query_id, document_ids = row.get("query_id"), row.get("document_ids")
        if not isinstance(query_id, str) or query_id not in queries or not isinstance(document_ids, list):
            raise InputError(
                f"unknown query {query_id!r}, or no list of document_ids", path=path, line=number,
                hint='write {"query_id": "...", "document_ids": [...]}',
            )  # fmt: skip
        exclusions[query_id] = frozenset(document_ids)
    return exclusions


LOADERS.add(
    "beir",
    lambda request: load(find(request.folder, request.options.get("split", "test")), request.name),
)
