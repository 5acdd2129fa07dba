"""TREC runs and relevance judgements: the strict readers and the only writers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_lines, write_text

Qrels = dict[str, dict[str, int]]

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""ASCII only: Python itself would also read underscores and the digits of other scripts."""


@dataclass(frozen=True, slots=True)
class Run:
    """``scores[query_id][document_id]``, as a file gives them."""

    scores: dict[str, dict[str, float]]

    def __repr__(self) -> str:
        return f"Run({len(self.scores):,} queries, {sum(map(len, self.scores.values())):,} documents)"


def encode_id(identifier: str) -> str:
    """Percent-encode white space and ``%``: TREC files are split at white space, and BRIGHT ids hold it."""
    return "".join(quote(c, safe="") if c.isspace() or c == "%" else c for c in identifier)


_LAST_SPACE = 0x3000
"""No later character is white space."""

_ENCODED = {
    encode_id(character): character for character in map(chr, range(_LAST_SPACE + 1))
    if character.isspace() or character == "%"
}  # fmt: skip
_ENCODED_ONE = re.compile("|".join(sorted(_ENCODED, key=len, reverse=True)))


def decode_id(field: str) -> str:
    """Undo :func:`encode_id`, and no more: in files that others wrote a ``%2C`` belongs to the id.

    >>> decode_id("a%20b%25"), decode_id("Mars_%28planet%29")
    ('a b%', 'Mars_%28planet%29')
    """
    return _ENCODED_ONE.sub(lambda match: _ENCODED[match[0]], field) if "%" in field else field


def write_run(path: Path, rankings: Iterable[tuple[str, Sequence[str]]], tag: str) -> None:
    """Write ``(query_id, document_ids best first)`` pairs with scores n, n-1, ..., 1.

    Rank-derived, strictly decreasing scores: no tie can arise, so no evaluator reorders the run.
    """
    lines = []
    for query_id, document_ids in rankings:
        for rank, document_id in enumerate(document_ids, start=1):
            score = len(document_ids) - rank + 1
            lines.append(f"{encode_id(query_id)} Q0 {encode_id(document_id)} {rank} {score} {tag}\n")
    write_text(path, "".join(lines))


def read_run(path: Path) -> Run:
    """Read a TREC run, plain or gzipped.

    Raises
    ------
    InputError
        Naming file and line: not six columns, a repeated document, a score that is not a finite number.
    """
    scores: dict[str, dict[str, float]] = {}
    for number, line in read_lines(path):
        if not line.strip():
            continue
        fields = line.split()
        if len(fields) != 6:
            raise InputError(
                f"{len(fields)} columns instead of 6", path=path, line=number,
                hint="write: query Q0 document rank score tag",
            )  # fmt: skip
        query_id, document_id, score = (
            decode_id(fields[0]),
            decode_id(fields[2]),
            _score(fields[4], path, number),
        )
        ranking = scores.setdefault(query_id, {})
        if document_id in ranking:
            raise InputError(
                f"document {document_id!r} appears twice for query {query_id!r}",
                path=path, line=number, hint="remove one of the two lines",
            )  # fmt: skip
        ranking[document_id] = score
    if not scores:
        raise InputError("the run is empty", path=path, hint="check that the system wrote it")
    return Run(scores)


def _score(field: str, path: Path, number: int) -> float:
    score = float(field) if _NUMBER.fullmatch(field) else math.nan
    if not math.isfinite(score):
        raise InputError(
            f"score {field!r} is not a finite number", path=path, line=number, hint="fix the score"
        )
    return score


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements in BEIR's form: a header, then query-id, corpus-id, score, tab-separated."""
    lines = ["query-id\tcorpus-id\tscore\n"]
    for query_id, grades in qrels.items():
        lines += [f"{encode_id(query_id)}\t{encode_id(d)}\t{grade}\n" for d, grade in grades.items()]
    write_text(path, "".join(lines))


def read_qrels(path: Path, *, decode: bool = True) -> Qrels:
    """Read judgements in TREC form (query, iteration, document, grade) or BEIR's (with a header).

    BEIR's with tabs in its header is split at tabs, so that ids may hold spaces; all else at white
    space. ``decode`` undoes :func:`encode_id`: not for files that others wrote and whose ids are
    compared with a corpus.

    Raises
    ------
    InputError
        Naming file and line: wrong number of columns, a repeated line, a grade that is not an integer.
    """
    qrels: Qrels = {}
    columns = 0
    separator: str | None = None
    for number, line in read_lines(path):
        fields = line.split(separator)
        if not line.strip():
            continue
        if columns == 0:
            columns = len(fields)
            if columns not in (3, 4):
                raise InputError(
                    f"{columns} columns instead of 3 or 4", path=path, line=number,
                    hint="write: query iteration document grade",
                )  # fmt: skip
            if columns == 3 and fields[-1].lower() in ("score", "grade", "relevance"):
                separator = "\t" if line.count("\t") == 2 else None
                continue
        if len(fields) != columns:
            raise InputError(f"{len(fields)} columns instead of {columns}", path=path, line=number)
        query_id, document_id = fields[0], fields[-2]
        if decode:
            query_id, document_id = decode_id(query_id), decode_id(document_id)
        grades = qrels.setdefault(query_id, {})
        if document_id in grades:
            raise InputError(
                f"query {query_id!r} and document {document_id!r} are judged twice",
                path=path, line=number, hint="remove one of the two lines",
            )  # fmt: skip
        grades[document_id] = _grade(fields[-1].strip(), path, number)
    if not qrels:
        raise InputError("no judgement in the file", path=path, hint="check the file")
    return qrels


def _grade(field: str, path: Path, number: int) -> int:
    if not _INTEGER.fullmatch(field):
        raise InputError(
            f"grade {field!r} is not an integer", path=path, line=number, hint="write an integer"
        )
    return int(field)
