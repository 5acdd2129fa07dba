"""BEIR layout: corpus.jsonl, queries.jsonl and qrels as TSV, or a hub card that maps them to its files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from e2rank_eval.datasets.loaders import LOADERS, Loaded, Request
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.collections import read_corpus, read_queries
from e2rank_eval.store.corpus import StreamedCorpus
from e2rank_eval.store.files import read_jsonl, read_lines
from e2rank_eval.store.trec import decode_id, read_qrels


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of a folder in BEIR layout. ``exclusions`` is this suite's own addition."""

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
        When one is missing; names the splits that there are.
    """
    if not folder.is_dir():
        raise InputError("no such folder", path=folder, hint="fix the data set's path in the configuration")
    splits = sorted(path.name.split(".")[0] for path in folder.glob("qrels/*.tsv*"))
    hint = f"splits here: {', '.join(splits)}" if splits else "add qrels.tsv"
    return Folder(
        corpus=_one(folder, ("corpus.jsonl", "corpus.jsonl.gz"), "add corpus.jsonl"),
        queries=_one(folder, ("queries.jsonl", "queries.jsonl.gz"), "add queries.jsonl"),
        qrels=_one(
            folder, (f"qrels/{split}.tsv", f"qrels/{split}.tsv.gz", "qrels.tsv", "qrels.tsv.gz"), hint
        ),
        exclusions=next((path for path in [folder / "exclusions.jsonl"] if path.exists()), None),
    )


def _one(folder: Path, names: tuple[str, ...], hint: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InputError(f"none of {', '.join(names)}", path=folder, hint=hint)


def load(files: Folder, name: str) -> Loaded:
    """Load the data set, and count queries without any judgement, repeated documents and judgements.

    A document that is judged but not in the corpus keeps its judgement: it counts in the ideal
    ranking.

    Raises
    ------
    InputError
        Naming file and line: malformed lines, repeated ids or judgements, an unknown query in the
        qrels; or an empty corpus, no query, no judgement.
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


def _as_in(known: Collection[str], identifier: str) -> str:
    """The id as it is, unless only its decoded form is known, as in a folder that this suite wrote."""
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


def load_card(folder: Path, name: str, split: str) -> Loaded:
    """Load what a hub repository's card, in mteb's layout, maps to corpus, queries and default (judgements).

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


def _requested(request: Request) -> Loaded:
    split = request.options.get("split", "test")
    if (request.folder / "README.md").exists() and not any(request.folder.glob("qrels/*.tsv*")):
        dataset, skipped = load_card(request.folder, request.name, split)
    else:
        dataset, skipped = load(find(request.folder, split), request.name)
    if request.options.get("exclude") == "same-id":
        exclusions = {q: frozenset((q,)) for q in dataset.queries if q in dataset.corpus}
        dataset = replace(dataset, exclusions=exclusions)
    return dataset, skipped


LOADERS.add("beir", _requested)
