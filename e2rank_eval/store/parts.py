"""One of several jobs that share the work on a data set: which pieces are its own, and its receipt."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import write_json


@dataclass(frozen=True, slots=True)
class Part:
    """Job ``number`` (from 1) of ``of``: every ``of``-th piece of work is its own."""

    number: int
    of: int

    def has(self, piece: int) -> bool:
        """Return whether piece ``piece`` (from 0) is this job's; each piece is one job's.

        >>> [Part(2, 3).has(piece) for piece in range(6)]
        [False, True, False, False, True, False]
        """
        return piece % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Part(1, 1)


def parse_part(text: str) -> Part:
    """Return the part that a command line names, such as ``2/4``.

    Raises
    ------
    InputError
        When it is not one.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"invalid part: {text!r}", hint="write number and count, such as 2/4")
    return Part(int(match[1]), int(match[2]))


def write_receipt(path: Path, part: Part, done: Mapping[str, Any]) -> None:
    """Record that a part's work is in the cache; the same work writes the same bytes."""
    write_json(path, {"part": str(part), **done})
