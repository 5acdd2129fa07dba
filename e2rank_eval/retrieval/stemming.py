"""Porter's stemmer as Lucene has it, with the author's two later departures from his paper."""

from __future__ import annotations

import re
from functools import lru_cache

# M. F. Porter, An algorithm for suffix stripping, Program 14(3), 1980. The departures: "bli" gives "ble"
# (paper: "abli" gives "able"), and "logi" gives "log"; words of one or two letters stay as they are.
_STEP_2 = (
    ("ational", "ate"), ("tional", "tion"), ("enci", "ence"), ("anci", "ance"), ("izer", "ize"),
    ("bli", "ble"), ("alli", "al"), ("entli", "ent"), ("eli", "e"), ("ousli", "ous"), ("ization", "ize"),
    ("ation", "ate"), ("ator", "ate"), ("alism", "al"), ("iveness", "ive"), ("fulness", "ful"),
    ("ousness", "ous"), ("aliti", "al"), ("iviti", "ive"), ("biliti", "ble"), ("logi", "log"),
)  # fmt: skip
_STEP_3 = (
    ("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""),
    ("ness", ""),
)  # fmt: skip
_STEP_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "sion", "tion", "ou",
    "ism", "ate", "iti", "ous", "ive", "ize",
)  # fmt: skip

_SEQUENCES = re.compile("v+c+")


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str:
    """The stem of a lower-cased ``word``.

    >>> [stem(word) for word in ("relational", "technology", "possibly", "is")]
    ['relat', 'technolog', 'possibl', 'is']
    """
    if len(word) <= 2:
        return word
    word = _plural(word)
    word = _past(word)
    if word.endswith("y") and "v" in _shape(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _STEP_2)
    word = _replaced(word, _STEP_3)
    word = _stripped(word)
    return _tidied(word)


def _shape(text: str) -> str:
    """``v`` for each vowel and ``c`` for each consonant; y is a vowel after a consonant."""
    shape: list[str] = []
    for letter in text:
        vowel = letter in "aeiou" or (letter == "y" and bool(shape) and shape[-1] == "c")
        shape.append("v" if vowel else "c")
    return "".join(shape)


def _measure(text: str) -> int:
    """How many times a vowel sequence is followed by a consonant sequence."""
    return len(_SEQUENCES.findall(_shape(text)))


def _doubled(word: str) -> bool:
    return len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1] == "c"


def _short(word: str) -> bool:
    """Whether it ends consonant, vowel, consonant, the last of which is not w, x or y."""
    return _shape(word)[-3:] == "cvc" and word[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    for suffix in ("ed", "ing"):
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return _completed(rest) if "v" in _shape(rest) else word
    return word


def _completed(rest: str) -> str:
    """What is left of a verb, given back the e or freed of the doubled consonant that -ed or -ing took."""
    if rest.endswith(("at", "bl", "iz")):
        return rest + "e"
    if _doubled(rest):
        return rest if rest[-1] in "lsz" else rest[:-1]
    return rest + "e" if _measure(rest) == 1 and _short(rest) else rest


def _replaced(word: str, suffixes: tuple[tuple[str, str], ...]) -> str:
    for suffix, instead in suffixes:
        if word.endswith(suffix):
            rest = word[: -len(suffix)]
            return rest + instead if _measure(rest) else word
    return word


def _stripped(word: str) -> str:
    for suffix in _STEP_4:
        if word.endswith(suffix):
            rest = word[: -len(suffix)] + (suffix[0] if suffix in ("sion", "tion") else "")
            return rest if _measure(rest) > 1 else word
    return word


def _tidied(word: str) -> str:
    measure = _measure(word)
    # Of the whole word, for both endings: a last vowel adds nothing to the measure.
    if word.endswith("e") and (measure > 1 or (measure == 1 and not _short(word[:-1]))):
        word = word[:-1]
    if word.endswith("l") and _doubled(word) and measure > 1:
        word = word[:-1]
    return word
