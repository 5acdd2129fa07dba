"""The split of the work on a data set among several jobs, and the receipt that each job writes."""

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
    """Job ``number`` (from 1) of ``of``, which does every ``of``-th piece of work."""

    number: int
    of: int

    def has(self, piece: int) -> bool:
        """Return whether piece ``piece`` (from 0) belongs to this job; each piece belongs to one job.

        >>> [Part(2, 3).has(piece) for piece in range(6)]
        [False, True, False, False, True, False]
        """
        return piece % self.of == self.number - 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


WHOLE = Part(1, 1)


def parse_part(text: str) -> Part:
    """Return the part in a command-line argument, such as ``2/4``.

    Raises
    ------
    InputError
        When the text is not a valid part.
    """
    match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"invalid part: {text!r}", hint="write number and count, such as 2/4")
    return Part(int(match[1]), int(match[2]))


def write_receipt(path: Path, part: Part, done: Mapping[str, Any]) -> None:
    """Record that a part's work is in the cache, in a file whose bytes depend only on that work."""
    write_json(path, {"part": str(part), **done})
