"""Reads a permutation out of whatever a language model wrote, counting every repair by kind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

REPAIRS = {
    "thinking": "a <think> block was passed over",
    "empty": "nothing was written",
    "cut_off": "the output ended at the token limit",
    "other_brackets": "identifiers stood in other brackets, or several in one pair",
    "bare_numbers": "identifiers stood in no brackets",
    "prose": "there was text besides identifiers",
    "unreadable": "no identifier could be read",
    "out_of_range": "identifiers that no document has",
    "repeated": "identifiers that had been named before",
    "missing": "documents that were not named, appended in their former order",
}
"""What each kind counts: outputs, save the last three, which count identifiers or documents."""

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)|\A.*</think>", re.DOTALL)
_SQUARE = re.compile(r"\[\s*([0-9]+)\s*\]")
_OTHER_BRACKETS = re.compile(r"[\[({<【]\s*[0-9]+(?:\s*[,>]\s*[0-9]+)*\s*[\])}>】]")
_CHAIN = re.compile(r"(?<![0-9])[0-9]+(?:\s*>\s*[0-9]+)+")
_NUMBERS_ONLY = re.compile(r"[0-9\s>,;|]+")
_NUMBER = re.compile(r"[0-9]+")
_UNFINISHED = re.compile(r"[\[({<【]?\s*[0-9]+\Z")
_LONGEST_NUMBER = 9


@dataclass(frozen=True, slots=True)
class Parsed:
    """``order`` is a permutation of ``range(n)``; ``repairs`` counts by the kinds of :data:`REPAIRS`."""

    order: tuple[int, ...]
    repairs: Mapping[str, int]


def parse_permutation(text: str, n: int, *, finished: bool = True) -> Parsed:
    """The order that ``text`` gives to ``n`` documents numbered from 1; never fails, never invents.

    Read are identifiers in square brackets; where there are none, in other brackets; where there are
    none either, bare numbers, provided that the text holds nothing else or chains them with ``>``.
    The first mention counts. ``finished`` is false where a token limit cut the text: a number at its
    very end may then be the start of a longer one and is not read.

    >>> parse_permutation("[3] > [1]", 3).order
    (2, 0, 1)
    >>> parse_permutation("[2] > [7] > [2]", 2).repairs
    {'out_of_range': 1, 'repeated': 1, 'missing': 1}
    """
    repairs: Counter[str] = Counter()
    if n == 0:
        return Parsed((), {})
    answer = _THINKING.sub("", text)
    repairs["thinking"] = int(answer != text)
    repairs["cut_off"] = int(not finished)
    if not finished:
        answer = _UNFINISHED.sub("", answer)
    numbers, form, rest = _identifiers(answer)
    if form:
        repairs[form] = 1
    repairs["prose"] = int(any(character.isalnum() for character in rest))
    order = _first_mentions(numbers, n, repairs)
    if not order:
        repairs["unreadable" if answer.strip() else "empty"] = 1
    named = set(order)
    missing = [position for position in range(n) if position not in named]
    repairs["missing"] = len(missing)
    return Parsed((*order, *missing), {kind: repairs[kind] for kind in REPAIRS if repairs[kind]})


def _identifiers(answer: str) -> tuple[Sequence[str], str | None, str]:
    """The numbers written as identifiers, the kind of repair that took, and the text besides them."""
    if found := _SQUARE.findall(answer):
        return found, None, _SQUARE.sub("", answer)
    if found := _OTHER_BRACKETS.findall(answer):
        return _NUMBER.findall(" ".join(found)), "other_brackets", _OTHER_BRACKETS.sub("", answer)
    if _NUMBERS_ONLY.fullmatch(answer) and (found := _NUMBER.findall(answer)):
        return found, "bare_numbers", ""
    if found := _CHAIN.findall(answer):
        return _NUMBER.findall(max(found, key=len)), "bare_numbers", _CHAIN.sub("", answer)
    return [], None, answer


def _first_mentions(numbers: Sequence[str], n: int, repairs: Counter[str]) -> list[int]:
    order: list[int] = []
    seen: set[int] = set()
    for number in numbers:
        # Python refuses to read numbers of thousands of digits, which a looping model does write.
        position = int(number) - 1 if len(number) <= _LONGEST_NUMBER else n
        if not 0 <= position < n:
            repairs["out_of_range"] += 1
        elif position in seen:
            repairs["repeated"] += 1
        else:
            seen.add(position)
            order.append(position)
    return order
