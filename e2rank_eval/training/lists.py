"""Training lists: a query with documents that a teacher ranked, as JSON lines."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_jsonl, write_jsonl


@dataclass(frozen=True, slots=True)
class TrainingList:
    """A query and its documents in first-stage order; ``ranks[i]`` is the rank of document i, from 1 (best).

    Ranks may tie: documents that the teacher did not rank share the last rank. ``labelled`` are the positions
    of the documents known to be relevant, independently of the teacher.
    """

    query: str
    documents: tuple[str, ...]
    ranks: tuple[int, ...]
    source: str = "unknown"
    labelled: tuple[int, ...] = ()

    @property
    def positives(self) -> tuple[int, ...]:
        """Return the positions of the labelled documents, or of the teacher's best if none is labelled."""
        return self.labelled or tuple(place for place, rank in enumerate(self.ranks) if rank == 1)

    @property
    def best(self) -> int:
        """Return the position of the best document, the first one in a tie."""
        return self.ranks.index(1)

    def cut(self, documents: int) -> TrainingList:
        """Return the list with ``documents`` documents, in their order: its positives, then the first others.

        If there are too many positives, the last place still goes to another document, or all would tie.
        """
        if len(self.documents) <= documents:
            return self
        positives = self.positives
        first = positives[: documents - 1]
        left = (place for place in range(len(self.documents)) if place not in first)
        others = sorted(left, key=lambda place: (place in positives, place))
        kept = sorted([*first, *others[: documents - len(first)]])
        return TrainingList(
            self.query,
            tuple(self.documents[place] for place in kept),
            dense_ranks([self.ranks[place] for place in kept]),
            self.source,
            tuple(new for new, place in enumerate(kept) if place in self.labelled),
        )


class _Line(BaseModel):
    """The published form (Alibaba-NLP/E2Rank_ranking_datasets); a ranking may group ties in lists."""

    model_config = ConfigDict(extra="ignore", strict=True)

    query: str = Field(min_length=1)
    document: list[str] = Field(min_length=2)
    ranking: list[int | list[int]] = Field(min_length=1)
    source: str = "unknown"
    positives: list[int] = []


def read_lists(path: Path) -> list[TrainingList]:
    """Read the training lists of a JSONL file, in file order.

    Each line has ``query``, ``document`` (two or more texts), ``ranking`` (their numbers from 1, best
    first) and ``source``. Documents missing from a ranking tie below those that it names; a list in
    place of a number groups documents that tie. ``positives`` may number the documents known to be
    relevant.

    Raises
    ------
    InputError
        For a missing or wrong field, a number that is repeated or out of range, or a list whose documents
        all tie, with file and line; or for a file without training lists.
    """
    lists = [_parsed(row, path, number) for number, row in read_jsonl(path)]
    if not lists:
        raise InputError("there is no training list", path=path, hint="add lines, or name another file")
    return lists


def _parsed(row: dict[str, Any], path: Path, number: int) -> TrainingList:
    try:
        line = _Line.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][:2])
        raise InputError(
            f"{key}: {first['msg']}", path=path, line=number,
            hint='write {"query": "...", "document": ["...", "..."], "ranking": [2, 1], "source": "..."}',
        ) from error  # fmt: skip
    groups = [one if isinstance(one, list) else [one] for one in line.ranking]
    named = [position for group in groups for position in group]
    count = len(line.document)
    wrong = next((n for at, n in enumerate(named) if not 1 <= n <= count or n in named[:at]), None)
    if wrong is not None or not all(groups):
        what = "holds an empty group" if wrong is None else f"names {wrong} twice or beyond {count} documents"
        raise InputError(
            f"ranking {what}", path=path, line=number, hint="name each document at most once, from 1"
        )
    places = {position: rank for rank, group in enumerate(groups, start=1) for position in group}
    ranks = tuple(places.get(position, len(groups) + 1) for position in range(1, count + 1))
    if len(set(ranks)) < 2:
        raise InputError("all documents tie", path=path, line=number, hint="remove the line")
    if not all(1 <= position <= count for position in line.positives):
        raise InputError(f"positives are not all from 1 to {count}", path=path, line=number, hint="fix them")
    labelled = tuple(position - 1 for position in sorted(set(line.positives)))
    return TrainingList(line.query, tuple(line.document), ranks, line.source, labelled)


def write_lists(path: Path, lists: Iterable[TrainingList]) -> None:
    """Write training lists in the format of :func:`read_lists`."""
    write_jsonl(path, map(list_fields, lists))


def list_fields(item: TrainingList) -> dict[str, Any]:
    """Return the JSON fields of a list."""
    groups: dict[int, list[int]] = {rank: [] for rank in sorted(set(item.ranks))}
    for position, rank in enumerate(item.ranks, start=1):
        groups[rank].append(position)
    ranking = [group[0] if len(group) == 1 else group for group in groups.values()]
    fields = {
        "query": item.query,
        "document": list(item.documents),
        "ranking": ranking,
        "source": item.source,
    }
    return fields | ({"positives": [place + 1 for place in item.labelled]} if item.labelled else {})


def dense_ranks(values: Sequence[float]) -> tuple[int, ...]:
    """Return ranks from 1 by ascending value; equal values share a rank, and no rank is skipped.

    >>> dense_ranks([30, 10, 10])
    (2, 1, 1)
    """
    known = {value: rank for rank, value in enumerate(sorted(set(values)), start=1)}
    return tuple(known[value] for value in values)


def folded(query: str) -> str:
    """Return a query in a normal form: lower case, single spaces, no final punctuation.

    >>> folded("Who  wrote it ?")
    'who wrote it'
    """
    return " ".join(query.casefold().split()).rstrip("?. ")


def graded_list(
    query: str, documents: Sequence[str], grades: Sequence[int], source: str
) -> TrainingList | None:
    """Return the documents in this order, ranked by their grades; grades of 1 and above are labelled.

    Grades below 0 count as 0. None if all grades are equal, since such a list has no training signal.
    """
    grades = [max(0, grade) for grade in grades]
    if len(set(grades)) < 2:
        return None
    labelled = tuple(place for place, grade in enumerate(grades) if grade > 0)
    return TrainingList(query, tuple(documents), dense_ranks([-grade for grade in grades]), source, labelled)


def sample_sources(lists: Sequence[TrainingList], limit: int | None, seed: int) -> list[TrainingList]:
    """Draw at most ``limit`` lists of each source (None: all) by ``seed``, keeping their order.

    The paper draws at most 10,000 lists of each of its sources (appendix B).
    """
    if limit is None:
        return list(lists)
    positions: dict[str, list[int]] = {}
    for position, item in enumerate(lists):
        positions.setdefault(item.source, []).append(position)
    kept: list[int] = []
    for source, members in positions.items():
        kept += random.Random(f"{seed} {source}").sample(members, min(limit, len(members)))
    return [lists[position] for position in sorted(kept)]
