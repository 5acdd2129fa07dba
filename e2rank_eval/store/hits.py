"""Reading of candidate lists in JSON lines, in the formats of RankLLM, Pyserini and E2Rank's authors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.collections import is_visible
from e2rank_eval.store.files import read_jsonl
from e2rank_eval.store.trec import Run

_TEXTS = ("text", "contents", "content", "segment", "passage", "body")
_FORM = (
    'write {"query": {"qid", "text"}, "candidates": [{"docid", "score", "doc"}]} or {"query", "hits": [...]}'
)


@dataclass(frozen=True, slots=True)
class Hits:
    """One query's documents and scores in file order; texts are empty if the file has none."""

    line: int
    query_id: str
    query: str
    documents: tuple[Document, ...]
    scores: tuple[float, ...]


def read_hits(path: Path) -> list[Hits]:
    """Read one candidate list per line; empty lists are skipped.

    A line has RankLLM's ``query.qid`` and ``candidates``, or ``query`` and ``hits`` with a ``qid`` each.

    Raises
    ------
    InputError
        Naming file and line: an invalid layout, a repeated query or document, ranks that do not ascend.
    """
    found: dict[str, Hits] = {}
    for number, row in read_jsonl(path):
        try:
            json.dumps(row, ensure_ascii=False).encode()  # refuses half a surrogate pair
            hits = _hits(row, number)
        except (KeyError, TypeError, ValueError) as error:
            problem = f"not a candidate list ({type(error).__name__}: {error})"
            raise InputError(problem, path=path, line=number, hint=_FORM) from error
        if hits is None:
            continue
        ids = {document.id for document in hits.documents}
        if hits.query_id in found or len(ids) < len(hits.documents):
            what = f"query {hits.query_id!r}" if hits.query_id in found else "a document"
            raise InputError(f"{what} appears twice", path=path, line=number, hint="remove one")
        found[hits.query_id] = hits
    return list(found.values())


def _hits(row: Mapping[str, Any], line: int) -> Hits | None:
    query, listed = row["query"], row["candidates"] if "candidates" in row else row["hits"]
    if not isinstance(listed, list):
        raise TypeError("no list of documents")
    if not listed:
        return None
    ids = {_id(query, "qid")} if isinstance(query, dict) else {_id(one, "qid") for one in listed}
    if len(ids) > 1:
        raise ValueError("hits of several queries")
    ranks = [one["rank"] for one in listed if "rank" in one]
    if ranks != sorted(ranks):
        raise ValueError("ranks that do not ascend")
    text = query.get("text") if isinstance(query, dict) else query
    documents = tuple(Document(_id(one, "docid"), *_text(one)) for one in listed)
    scores = tuple(float(one["score"]) for one in listed)
    if not all(map(math.isfinite, scores)):
        raise ValueError("a score that is not a finite number")
    return Hits(line, ids.pop(), str(text or ""), documents, scores)


def _id(holder: Mapping[str, Any], key: str) -> str:
    if holder[key] in (None, ""):
        raise ValueError(f"no {key}")
    return str(holder[key])


def _text(hit: Mapping[str, Any]) -> tuple[str, str]:
    """Return text and title of a hit, from ``doc`` (a text or an object), or else from the hit itself."""
    holder = hit.get("doc") or hit
    if isinstance(holder, str):
        return holder, ""
    if not isinstance(holder, dict):
        raise TypeError("a doc that is neither a text nor an object")
    text = next((holder[key] for key in _TEXTS if holder.get(key)), "")
    return str(text), str(holder.get("title") or "")


def hits_as_run(hits: Sequence[Hits]) -> Run:
    """Return the lists as a run with their order as ranks."""
    scores, ranks = {}, {}
    for one in hits:
        ids = [document.id for document in one.documents]
        scores[one.query_id] = dict(zip(ids, one.scores, strict=True))
        ranks[one.query_id] = {identifier: rank for rank, identifier in enumerate(ids, start=1)}
    return Run(scores, ranks)


def hits_as_dataset(hits: Sequence[Hits], path: Path) -> Dataset:
    """Return the queries and documents of the lists in ``path`` as a data set without judgements.

    Raises
    ------
    InputError
        Naming file and line, when a query or document has no text, or a document has two texts.
    """
    corpus: dict[str, Document] = {}
    for one in hits:
        problems = [] if is_visible(one.query) else [f"query {one.query_id!r} has no text"]
        for document in one.documents:
            if not document.contents:
                problems.append(f"document {document.id!r} has no text")
            elif corpus.setdefault(document.id, document) != document:
                problems.append(f"document {document.id!r} has another text on an earlier line")
        if problems:
            raise InputError(problems[0], path=path, line=one.line, hint="name its data set")
    return Dataset(path.name, corpus, {one.query_id: Query(one.query_id, one.query) for one in hits}, {})
