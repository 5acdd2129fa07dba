"""Seeded samples that depend on the items alone: not on their order, nor on a generator's version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def sample(identifiers: Iterable[str], number: int, *, seed: int, purpose: str) -> list[str]:
    """``number`` of the identifiers, in the order given: those whose seeded SHA-256 is smallest.

    A larger sample of the same seed and purpose holds every smaller one. All identifiers are
    returned where there are no more than ``number``.

    >>> sample("abcdef", 3, seed=13, purpose="example")
    ['b', 'd', 'e']
    """
    given = list(identifiers)

    def draw(identifier: str) -> bytes:
        return hashlib.sha256(f"{purpose}\n{seed}\n{identifier}".encode()).digest()

    kept = set(sorted(given, key=draw)[:number])
    return [identifier for identifier in given if identifier in kept]
