"""Document lengths as Lucene's index keeps them: in one byte, exact up to 40 terms."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FREE = 24
"""Lengths below it have a byte each; the encoding of what is above leaves so many free."""


def encode(length: int) -> int:
    """The byte of a length (Lucene's SmallFloat.intToByte4): 4 significant bits beyond :data:`_FREE`.

    Raises
    ------
    ValueError
        When ``length`` is negative or exceeds 31 bits.
    """
    if not 0 <= length < 1 << 31:
        raise ValueError(f"{length} is no length of 31 bits")
    if length < _FREE:
        return length
    rest = length - _FREE
    shift = rest.bit_length() - 4
    return _FREE + (rest if shift < 0 else (rest >> shift) & 7 | (shift + 1) << 3)


def decode(byte: int) -> int:
    """The smallest length that has this byte.

    >>> [decode(encode(length)) for length in (23, 40, 41, 57, 100, 1000)]
    [23, 40, 40, 56, 96, 984]
    """
    if byte < _FREE:
        return byte
    bits, shift = (byte - _FREE) & 7, (byte - _FREE >> 3) - 1
    return _FREE + (bits if shift < 0 else (bits | 8) << shift)


_LENGTHS = np.array([decode(byte) for byte in range(256)], dtype=np.float64)


def quantised(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each of ``lengths`` [n] rounded down to the next one that has a byte."""
    return np.asarray(_LENGTHS[np.searchsorted(_LENGTHS, lengths, side="right") - 1])
