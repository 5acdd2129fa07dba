"""Reading and writing of TREC runs and relevance judgements; the readers are strict."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_lines, write_lines

HIGHEST_GRADE = 100_000
"""trec_eval allocates 8 bytes for each grade up to the highest, and fails silently from 2^31 on."""

_GRADE_NAMES = ("score", "grade", "relevance", "label", "rel")
"""Names of the last of three columns in headers of judgements."""

_OTHER_KIND = {6: "this is a run, give judgements", 4: "these are judgements, give a run"}
"""What a file is by its number of columns, where the other kind is expected."""

_ASCII_SPACE = " \t\v\f"
_WHITE_SPACE = re.compile(r"[ \t\v\f]+")
"""Separators of columns; other white space, such as U+00A0, belongs to an id."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}(\.0*)?")
_RANK = re.compile(r"[0-9]{1,18}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""ASCII only: Python would also accept underscores and digits of other scripts."""


class Qrels(dict[str, dict[str, int]]):
    """``qrels[query_id][document_id]`` is the grade; ``lines`` counts judgements, with repeated ones."""

    lines = 0

    @property
    def repeated(self) -> int:
        """The number of repeated judgements, which are kept once."""
        return self.lines - sum(map(len, self.values()))


@dataclass(frozen=True, slots=True)
class Run:
    """``scores[query_id][document_id]`` as in the file, and ``ranks`` where the rank column has numbers."""

    scores: dict[str, dict[str, float]]
    ranks: dict[str, dict[str, int]] = field(default_factory=dict, compare=False)

    def order(self, query_id: str) -> list[str]:
        """Return a query's documents by score, then rank, then trec_eval's tie rule: greater id first."""
        scores, ranks = self.scores[query_id], self.ranks.get(query_id, {})
        return sorted(sorted(scores, reverse=True), key=lambda d: (-scores[d], ranks.get(d, 0)))

    def contradictions(self) -> int:
        """Return the number of queries in which a document with a higher score has a worse rank."""
        found = 0
        for query_id, ranks in self.ranks.items():
            order, scores = self.order(query_id), self.scores[query_id]
            found += any(
                scores[a] > scores[b] and ranks.get(a, 0) > ranks.get(b, 0) for a, b in pairwise(order)
            )
        return found

    def __repr__(self) -> str:
        return f"Run({len(self.scores):,} queries, {sum(map(len, self.scores.values())):,} documents)"


def encode_id(identifier: str) -> str:
    """Percent-encode white space, which separates TREC columns but occurs in BRIGHT's ids, and ``%``."""
    return "".join(quote(c, safe="") if c.isspace() or c == "%" else c for c in identifier)


_LAST_SPACE = 0x3000
"""No later character is white space."""

_ENCODED = {
    encode_id(character): character for character in map(chr, range(_LAST_SPACE + 1))
    if character.isspace() or character == "%"
}  # fmt: skip
_ENCODED_ONE = re.compile("|".join(sorted(_ENCODED, key=len, reverse=True)))


def decode_id(field: str) -> str:
    """Undo :func:`encode_id` only: other codes, such as ``%2C``, belong to the id.

    >>> decode_id("a%20b%25"), decode_id("Mars_%28planet%29")
    ('a b%', 'Mars_%28planet%29')
    """
    return _ENCODED_ONE.sub(lambda match: _ENCODED[match[0]], field) if "%" in field else field


def write_run(path: Path, rankings: Iterable[tuple[str, Sequence[str]]], tag: str) -> None:
    """Write ``(query_id, document_ids best first)`` pairs with scores n, n-1, ..., 1.

    These scores have no ties, so that no evaluator reorders the run.
    """
    tag = encode_id(tag)
    write_lines(
        path,
        (
            f"{encode_id(query_id)} Q0 {encode_id(document_id)} {rank} {len(document_ids) - rank + 1} {tag}"
            for query_id, document_ids in rankings
            for rank, document_id in enumerate(document_ids, start=1)
        ),
    )


def read_run(path: Path) -> Run:
    """Read a run in TREC format, or in MS MARCO's (query, document, rank), where scores are -rank.

    Columns are separated by ASCII white space. Blank lines, and comments that begin with ``#``, are skipped.

    Raises
    ------
    InputError
        Naming file and line: a wrong number of columns, a repeated document, a score that is not a finite
        number, or in three columns a rank that is not an integer or is repeated.
    """
    scores: dict[str, dict[str, float]] = {}
    ranks: dict[str, dict[str, int]] = {}
    taken: set[tuple[str, float]] = set()
    for number, fields in _rows(path, (6, 3), "query Q0 document rank score tag"):
        query_id, document_id = decode_id(fields[0]), decode_id(fields[-4 if len(fields) == 6 else 1])
        rank = fields[3 if len(fields) == 6 else 2]
        score = _score(fields[4], path, number) if len(fields) == 6 else -_score(rank, path, number)
        if len(fields) == 3:
            if not _RANK.fullmatch(rank) or (query_id, score) in taken:
                raise InputError(
                    f"{rank!r} is not a rank that query {query_id!r} has once", path=path, line=number,
                    hint="the last of three columns is the rank; write scores as the fifth of six columns",
                )  # fmt: skip
            taken.add((query_id, score))
        ranking = scores.setdefault(query_id, {})
        if document_id in ranking:
            raise InputError(
                f"document {document_id!r} appears twice for query {query_id!r}",
                path=path, line=number, hint="remove one of the two lines",
            )  # fmt: skip
        ranking[document_id] = score
        if _RANK.fullmatch(rank):
            ranks.setdefault(query_id, {})[document_id] = int(rank)
    if not scores:
        raise InputError("the run is empty", path=path, hint="check that the system wrote it")
    return Run(scores, ranks)


def is_run(path: Path) -> bool:
    """Whether the first row of a file has six columns, as runs in TREC format have and judgements do not."""
    return len(next((fields for _, _, fields in _split_lines(path)), ())) == 6


def _split_lines(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """Yield number, text and fields of each line that is neither empty nor a comment."""
    for number, line in read_lines(path):
        fields = _WHITE_SPACE.split(line.strip(_ASCII_SPACE))
        if fields != [""] and not _is_comment(fields):
            yield number, line, fields


def _rows(path: Path, widths: tuple[int, int], form: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and fields of a table without header; all lines have as many fields as the first."""
    columns = 0
    for number, line, fields in _split_lines(path):
        if columns == 0:
            _check_first(line, fields, widths, path, number, form)
            columns = len(fields)
        if len(fields) != columns:
            raise InputError(
                f"{len(fields)} columns instead of {columns}", path=path, line=number, hint=f"write: {form}"
            )
        yield number, fields


def _is_comment(fields: Sequence[str]) -> bool:
    """Whether a line is a comment; a line whose id begins with ``#`` is not, as it has a number."""
    return fields[0].startswith("#") and not any(map(_NUMBER.fullmatch, fields[1:]))


def _check_first(
    line: str, fields: Sequence[str], widths: tuple[int, int], path: Path, number: int, form: str
) -> None:
    """Raise InputError, naming the fault, if the first line shows a wrong format."""
    if len(fields) not in widths:
        hint = f"write: {form}"
        if line.count(",") + 1 in widths:
            hint = "columns are separated by commas; separate them by tabs"
        elif len(fields) in _OTHER_KIND:
            hint = f"{_OTHER_KIND[len(fields)]}: {form}"
        wanted = " or ".join(map(str, sorted(widths)))
        raise InputError(f"{len(fields)} columns instead of {wanted}", path=path, line=number, hint=hint)
    if not any(map(_NUMBER.fullmatch, (field.strip('"') for field in fields[1:]))):
        hint = "remove this line"
        if len(fields) == 3 and 6 in widths:
            hint += ", or give a run, if these are judgements"
        raise InputError(f"{line[:60]!r} looks like a header", path=path, line=number, hint=hint)
    if fields[0].startswith('"') and fields[0].endswith('"'):
        raise InputError("the fields are quoted", path=path, line=number, hint="write them without quotes")


def _score(field: str, path: Path, number: int) -> float:
    score = float(field) if _NUMBER.fullmatch(field) else math.nan
    if not math.isfinite(score):
        raise InputError(
            f"score {field!r} is not a finite number", path=path, line=number, hint="fix the score"
        )
    return score


def write_qrels(path: Path, qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Write judgements in BEIR's format: a header, then query-id, corpus-id, score, tab-separated."""
    lines = ["query-id\tcorpus-id\tscore"]
    for query_id, grades in qrels.items():
        lines += [f"{encode_id(query_id)}\t{encode_id(d)}\t{grade}" for d, grade in grades.items()]
    write_lines(path, lines)


def read_qrels(path: Path, *, decode: bool = True) -> Qrels:
    """Read judgements in TREC format (query, iteration, document, grade) or BEIR's (header, three columns).

    A file with a tab-separated header is split at tabs, so that ids can contain spaces; others at ASCII white
    space. ``decode`` undoes :func:`encode_id`; it is False for files of other origin, whose ids must match a
    corpus. A judgement that is repeated with the same grade is kept once, and counted.

    Raises
    ------
    InputError
        Naming file and line: wrong number of columns, two grades of one document, a grade that is not an
        integer or exceeds :data:`HIGHEST_GRADE`.
    """
    qrels = Qrels()
    for number, fields in _judgements(path):
        query_id, document_id = fields[0], fields[-2]
        if decode:
            query_id, document_id = decode_id(query_id), decode_id(document_id)
        grades, grade = qrels.setdefault(query_id, {}), _grade(fields, path, number)
        if grades.setdefault(document_id, grade) != grade:
            raise InputError(
                f"query {query_id!r} and document {document_id!r} have two grades, {grades[document_id]} "
                f"and {grade}", path=path, line=number, hint="remove one of the two lines",
            )  # fmt: skip
        qrels.lines += 1
    if not qrels:
        raise InputError("no judgement in the file", path=path, hint="check the file")
    return qrels


def _judgements(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and fields of judgements, in BEIR's format with a header or in TREC's without."""
    lines = read_lines(path)
    start = next(((n, line) for n, line in lines if line.strip()), None)
    names = [] if start is None else [name.strip('"').lower() for name in start[1].split()]
    if start is None or len(names) != 3 or names[-1] not in _GRADE_NAMES:
        yield from _rows(path, (4, 3), "query iteration document grade")
        return
    separator = "\t" if start[1].count("\t") == 2 else None
    for number, line in lines:
        fields = line.split("\t") if separator else _WHITE_SPACE.split(line.strip(_ASCII_SPACE))
        if not line.strip() or _is_comment(fields):
            continue
        if len(fields) != 3:
            hint = "write: query, document and grade, separated as in the header"
            raise InputError(f"{len(fields)} columns instead of 3", path=path, line=number, hint=hint)
        yield number, [*fields[:2], fields[2].strip()]


def _grade(fields: Sequence[str], path: Path, number: int) -> int:
    field = fields[-1]
    if not _INTEGER.fullmatch(field):
        raise InputError(
            f"grade {field!r} is not an integer", path=path, line=number, hint="write an integer"
        )
    grade = int(field.partition(".")[0])
    if abs(grade) > HIGHEST_GRADE:
        raise InputError(
            f"grade {field} in column {len(fields)} exceeds {HIGHEST_GRADE:,}", path=path, line=number,
            hint="write the relevance there, not a count or a time; trec_eval allocates memory by the grade",
        )  # fmt: skip
    return grade
