"""Files of data sets and candidate lists, in one layout for all data sets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.records import Candidate, CandidateIds, CandidateList, Dataset, Document, Query
from e2rank_eval.store.corpus import StreamedCorpus, selected
from e2rank_eval.store.files import read_jsonl, write_jsonl
from e2rank_eval.store.trec import read_qrels, write_qrels

_SURROGATE = re.compile("[\ud800-\udfff]")
_HINT_TWICE = "rename or remove one of the two"


def write_dataset(folder: Path, dataset: Dataset) -> None:
    """Write corpus.jsonl.gz, queries.jsonl, qrels.tsv and exclusions.jsonl into ``folder``."""
    write_jsonl(
        folder / "corpus.jsonl.gz",
        ({"_id": d.id, "title": d.title, "text": d.text} for d in dataset.corpus.values()),
    )
    write_jsonl(folder / "queries.jsonl", ({"_id": q.id, "text": q.text} for q in dataset.queries.values()))
    write_qrels(folder / "qrels.tsv", dataset.qrels)
    write_jsonl(
        folder / "exclusions.jsonl",
        ({"query_id": q, "document_ids": sorted(ids)} for q, ids in dataset.exclusions.items()),
    )


def read_dataset(folder: Path, name: str) -> Dataset:
    """Read a data set that :func:`write_dataset` wrote; the corpus stays on disk.

    Raises
    ------
    InputError
        For malformed files, naming file and line.
    """
    queries = read_queries(folder / "queries.jsonl")
    return Dataset(
        id=name,
        corpus=read_corpus(folder / "corpus.jsonl.gz"),
        queries=queries,
        qrels=read_qrels(folder / "qrels.tsv"),
        exclusions=read_exclusions(folder / "exclusions.jsonl", queries),
    )


def read_corpus(path: Path) -> StreamedCorpus:
    """Read documents by id in file order, from JSONL with ``_id``, ``text`` and an optional ``title``.

    Pyserini's keys ``id`` and ``contents`` are accepted, and integers as ids. The whole file is checked here,
    and each pass over the documents reads it again.

    Raises
    ------
    InputError
        Naming file and line: not JSON, no id, an id with two contents, no text; or an empty corpus.
    """
    return StreamedCorpus(partial(_documents, path), path, hint=_HINT_TWICE)


def _documents(path: Path) -> Iterator[tuple[int, Document]]:
    for number, row in read_jsonl(path):
        identifier = _identifier(row, path, number, ())
        key = "contents" if "text" not in row and "contents" in row else "text"
        text, title = _string(row, key, path, number), _string(row, "title", path, number, "")
        yield number, Document(identifier, text, title)


def read_queries(path: Path) -> dict[str, Query]:
    """Read queries by id in file order, from JSONL with ``_id`` and ``text``.

    Raises
    ------
    InputError
        As :func:`read_corpus`; also for a query without a visible character.
    """
    queries: dict[str, Query] = {}
    for number, row in read_jsonl(path):
        identifier = _identifier(row, path, number, queries)
        text = _string(row, "text", path, number)
        if not is_visible(text):
            raise InputError(
                f"query {identifier!r} is empty", path=path, line=number, hint="write its text or remove it"
            )
        queries[identifier] = Query(identifier, text)
    if not queries:
        raise InputError("no queries", path=path, hint="add queries")
    return queries


def read_exclusions(path: Path, queries: Collection[str]) -> dict[str, frozenset[str]]:
    """Read excluded documents by query id, from JSONL with ``query_id`` and ``document_ids``.

    Raises
    ------
    InputError
        Naming file and line: a query that is not in ``queries`` or is repeated, no list of ids.
    """
    exclusions: dict[str, frozenset[str]] = {}
    for number, row in read_jsonl(path):
        query_id, document_ids = str(row.get("query_id")), row.get("document_ids")
        if query_id not in queries or query_id in exclusions or not isinstance(document_ids, list):
            raise InputError(
                f"unknown or repeated query {query_id!r}, or no list of document_ids", path=path, line=number,
                hint='write {"query_id": "...", "document_ids": [...]}',
            )  # fmt: skip
        exclusions[query_id] = frozenset(map(str, document_ids))
    return exclusions


def is_visible(text: str) -> bool:
    """Whether a text has a character other than white space, control and zero-width characters."""
    return any(unicodedata.category(character) not in ("Cc", "Cf", "Zs", "Zl", "Zp") for character in text)


def _identifier(row: Mapping[str, Any], path: Path, number: int, seen: Collection[str]) -> str:
    identifier = row.get("_id", row.get("id"))
    if isinstance(identifier, int) and not isinstance(identifier, bool):
        identifier = str(identifier)
    if not isinstance(identifier, str) or not identifier:
        raise InputError("no id", path=path, line=number, hint='give it a non-empty string "_id"')
    _check_text(identifier, "_id", path, number)
    if identifier in seen:
        raise InputError(f"id {identifier!r} is used twice", path=path, line=number, hint=_HINT_TWICE)
    return identifier


def _string(row: Mapping[str, Any], key: str, path: Path, number: int, default: str | None = None) -> str:
    value = row.get(key, default)
    if value is None and key == "title":
        return ""
    if not isinstance(value, str):
        raise InputError(f'"{key}" is not a string', path=path, line=number, hint=f'write "{key}": "..."')
    _check_text(value, key, path, number)
    return value


def _check_text(value: str, key: str, path: Path, number: int) -> None:
    """Refuse half a surrogate pair, which JSON can encode but UTF-8 and tokenizers cannot."""
    half = _SURROGATE.search(value)
    if half is not None:
        raise InputError(
            f'"{key}" holds half a surrogate pair, \\u{ord(half.group()):04x}', path=path, line=number,
            hint="remove it or write the whole character",
        )  # fmt: skip


def write_candidates(path: Path, lists: Iterable[CandidateIds | CandidateList]) -> None:
    """Write one line per query, with ids and scores (6 decimals) in rank order."""
    write_jsonl(
        path,
        (
            {
                "query_id": one.query_id,
                "document_ids": list(one.document_ids),
                "scores": [round(score, 6) for score in one.scores],
            }
            for one in lists
        ),
    )


def read_candidate_ids(path: Path, corpus: Collection[str] | None = None) -> dict[str, CandidateIds]:
    """Read candidate ids and scores by query id, as :func:`write_candidates` wrote them.

    Raises
    ------
    InputError
        Naming file and line: different numbers of ids and scores, a repeated query or document, or a document
        that ``corpus``, if given, lacks.
    """
    lists: dict[str, CandidateIds] = {}
    for number, row in read_jsonl(path):
        query_id, ids, scores = row.get("query_id"), row.get("document_ids"), row.get("scores")
        if not isinstance(query_id, str) or not isinstance(ids, list) or not isinstance(scores, list):
            raise InputError("query_id, document_ids or scores is missing", path=path, line=number)
        if query_id in lists:
            raise InputError(f"query {query_id!r} appears twice", path=path, line=number)
        if len(ids) != len(scores) or len(set(ids)) != len(ids):
            raise InputError(
                "a document repeats, or ids and scores differ in number", path=path, line=number,
                hint="build the candidates again",
            )  # fmt: skip
        unknown = None if corpus is None else next((i for i in ids if i not in corpus), None)
        if unknown is not None:
            raise InputError(
                f"document {unknown!r} is not in the corpus", path=path, line=number,
                hint="build the candidates from this corpus",
            )  # fmt: skip
        lists[query_id] = CandidateIds(query_id, tuple(ids), tuple(map(float, scores)))
    return lists


def read_candidates(path: Path, corpus: Mapping[str, Document]) -> dict[str, CandidateList]:
    """Read candidate lists by query id, with documents from ``corpus``, which is read at most once.

    Raises
    ------
    InputError
        As :func:`read_candidate_ids`.
    """
    lists = read_candidate_ids(path, corpus)
    documents = selected(corpus, {i for one in lists.values() for i in one.document_ids})
    return {query_id: with_documents(one, documents) for query_id, one in lists.items()}


def with_documents(ids: CandidateIds, documents: Mapping[str, Document]) -> CandidateList:
    """Return the list with its documents; raises KeyError if ``documents`` lacks one."""
    pairs = zip(ids.document_ids, ids.scores, strict=True)
    return CandidateList(ids.query_id, tuple(Candidate(documents[i], score) for i, score in pairs))


def read_queries_with_candidates(path: Path, dataset: Dataset) -> tuple[list[Query], list[CandidateList]]:
    """Return the queries of ``dataset`` that have candidates in ``path``, in file order, with those lists.

    Raises
    ------
    InputError
        As :func:`read_candidates`; also for a query that the data set lacks.
    """
    lists = list(read_candidates(path, dataset.corpus).values())
    unknown = next((one.query_id for one in lists if one.query_id not in dataset.queries), None)
    if unknown is not None:
        raise InputError(
            f"query {unknown!r} is not in data set {dataset.id!r}", path=path, hint="retrieve again"
        )
    return [dataset.queries[one.query_id] for one in lists], lists
