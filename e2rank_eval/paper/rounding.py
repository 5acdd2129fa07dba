"""Exact arithmetic on printed numbers: what values can stand behind the digits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed number: the true one is at most ``half`` away from ``value``, both ends included."""

    value: Fraction
    half: Fraction

    @classmethod
    def of(cls, text: str, decimals: int) -> Printed:
        """``text`` as a number rounded to ``decimals`` places."""
        return cls(Fraction(text), Fraction(1, 2 * 10**decimals))

    def agrees(self, other: Printed) -> bool:
        """Whether one true value can stand behind both."""
        return abs(self.value - other.value) <= self.half + other.half


def decimals(text: str) -> int:
    """Places after the point, as printed.

    >>> decimals("38.30")
    2
    """
    return len(text.partition(".")[2])


def row_decimals(texts: Iterable[str]) -> int:
    """Places that a row was rounded to: the most that one of its numbers needs.

    Some rows take figures over from sources with fewer digits and fill up with zeros, others drop
    a last zero; both hide behind :func:`decimals` of a single number.

    >>> row_decimals(["53.10", "61.30", "64.70"]), row_decimals(["38.3", "69.52"])
    (1, 2)
    """
    return max(len(text.partition(".")[2].rstrip("0")) for text in texts)


def weighted_mean(parts: Sequence[Printed], weights: Sequence[int]) -> Printed:
    """The mean of printed numbers, with the farthest that rounding can take it."""
    total = sum(weights)
    pairs = list(zip(parts, weights, strict=True))
    return Printed(
        sum((part.value * weight for part, weight in pairs), Fraction()) / total,
        sum((part.half * weight for part, weight in pairs), Fraction()) / total,
    )


def one_digit_changes(text: str) -> Iterator[str]:
    """Every number that differs from ``text`` in exactly one digit.

    >>> len(list(one_digit_changes("4.2")))
    18
    """
    for place, old in enumerate(text):
        if old.isdigit():
            yield from (text[:place] + new + text[place + 1 :] for new in "0123456789" if new != old)


def shown(value: Fraction, places: int) -> str:
    """``value`` to ``places`` decimals, halves away from zero.

    >>> shown(Fraction(21, 200), 2)
    '0.11'
    """
    scaled = abs(value) * 10**places
    whole = int(scaled + Fraction(1, 2))
    digits = f"{whole:0{places + 1}d}"
    text = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return f"-{text}" if value < 0 and whole else text
