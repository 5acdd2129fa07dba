"""Lucene's English analysis (tokens, stop words, stems), and its document lengths in one byte."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import regex
import Stemmer
from numpy.typing import NDArray

AnalyserName = Literal["lucene", "simple"]

Analyser = Callable[[str], list[str]]
"""Turns a text into its index terms, in order, with repetitions."""

LONGEST = 255
"""Maximum length of a token in UTF-16 code units, as in Lucene; longer words continue as new tokens."""

# These rules follow the grammar of Lucene 9 (StandardTokenizerImpl.jflex), without its ambiguities, so that
# the first match is the longest one. Lucene uses the tables of Unicode 12.1. Here only the symbols below do,
# of which later versions removed some; letters, numbers and marks are those of `regex`.
_PICTOGRAPHS = (
    r"\u00A9\u00AE\u203C\u2049\u2122\u2139\u2194-\u2199\u21A9\u21AA\u231A\u231B\u2328\u2388\u23CF"
    r"\u23E9-\u23F3\u23F8-\u23FA\u24C2\u25AA\u25AB\u25B6\u25C0\u25FB-\u25FE\u2600-\u2605\u2607-\u2612"
    r"\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714\u2716\u271D\u2721\u2728\u2733\u2734\u2744\u2747\u274C"
    r"\u274E\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797\u27A1\u27B0\u27BF\u2934\u2935\u2B05-\u2B07"
    r"\u2B1B\u2B1C\u2B50\u2B55\u3030\u303D\u3297\u3299\U0001F000-\U0001F0FF\U0001F10D-\U0001F10F"
    r"\U0001F12F\U0001F16C-\U0001F171\U0001F17E\U0001F17F\U0001F18E\U0001F191-\U0001F19A"
    r"\U0001F1AD-\U0001F1E5\U0001F201-\U0001F20F\U0001F21A\U0001F22F\U0001F232-\U0001F23A"
    r"\U0001F23C-\U0001F23F\U0001F249-\U0001F3FA\U0001F400-\U0001F53D\U0001F546-\U0001F64F"
    r"\U0001F680-\U0001F6FF\U0001F774-\U0001F77F\U0001F7D5-\U0001F7FF\U0001F80C-\U0001F80F"
    r"\U0001F848-\U0001F84F\U0001F85A-\U0001F85F\U0001F888-\U0001F88F\U0001F8AE-\U0001F8FF"
    r"\U0001F90C-\U0001F93A\U0001F93C-\U0001F945\U0001F947-\U0001FFFD"
)
PICTOGRAPH = regex.compile(f"[{_PICTOGRAPHS}]")
"""One character of Unicode 12.1's Extended_Pictographic."""

_ASCII = re.compile(
    r"(_*(?:[A-Za-z]+(?:[:.'][A-Za-z]+)*|[0-9]+(?:[.,;'][0-9]+)*)+"
    r"(?:_+(?:[A-Za-z]+(?:[:.'][A-Za-z]+)*|[0-9]+(?:[.,;'][0-9]+)*)+)*_*)|_+"
)

_X = r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]*+"
_HEBREW = rf"\p{{WB=Hebrew_Letter}}{_X}"
_SINGLE = rf"\p{{WB=Single_Quote}}{_X}"
_DOUBLE = rf"\p{{WB=Double_Quote}}{_X}"
_QUOTED = rf"{_HEBREW}(?:{_SINGLE}|{_DOUBLE}{_HEBREW})"
_ANY_LETTER = rf"[\p{{WB=ALetter}}\p{{WB=Hebrew_Letter}}]{_X}"
_LETTER = rf"(?!{_QUOTED}){_ANY_LETTER}"
_NUMBER = rf"\p{{WB=Numeric}}{_X}"
_KATAKANA = rf"\p{{WB=Katakana}}{_X}"
_JOIN = rf"\p{{WB=ExtendNumLet}}{_X}"
_MID_LETTER = rf"[\p{{WB=MidLetter}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_X}"
_MID_NUMBER = rf"[\p{{WB=MidNum}}\p{{WB=MidNumLet}}\p{{WB=Single_Quote}}]{_X}"
_RUN = (
    rf"(?:(?:{_KATAKANA})+"
    rf"|(?:{_QUOTED}|{_NUMBER}(?:(?:{_MID_NUMBER})?{_NUMBER})*"
    rf"|{_LETTER}(?:{_LETTER}|{_MID_LETTER}{_ANY_LETTER})*)+)"
)
_WORD = rf"(?:{_JOIN})*{_RUN}(?:(?:{_JOIN})+{_RUN})*(?:{_JOIN})*"

# The variation selectors U+FE0E and U+FE0F end an emoji, or are part of its sequences.
_MARKS = r"[[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]--[\uFE0E\uFE0F]]*"
_ELEMENT = (
    rf"(?:\u200D*[{_PICTOGRAPHS}]{_MARKS}\uFE0F?"
    rf"|(?:\u200D*\p{{Emoji_Modifier_Base}}{_MARKS})?\p{{Emoji_Modifier}}{_MARKS})"
)
_EMOJI = (
    rf"{_ELEMENT}(?:(?:\u200D{_ELEMENT})*|[\U000E0020-\U000E007E]+\U000E007F)"
    rf"|[0-9#*]{_MARKS}\uFE0F?\u20E3{_MARKS}|(?:\p{{WB=Regional_Indicator}}{_X}){{2}}"
)
# Marks that cannot begin a token; skipped together with an underscore that no word follows.
_UNUSED = r"[[\p{WB=Extend}\p{WB=Format}]--[\p{LB=SA}\p{Emoji_Modifier}]]*+"
_LONGEST_EMOJI = regex.compile(_EMOJI, regex.POSIX | regex.V1)
_TOKEN = regex.compile(
    rf"(?P<word>{_WORD}|(?:\p{{LB=SA}}{_X})+|[\p{{Script=Han}}\p{{Script=Hiragana}}]{_X})"
    rf"|(?P<emoji>{_EMOJI})|(?:\p{{WB=ExtendNumLet}}{_UNUSED})+",
    regex.V1,
)


# The default stop set of Apache Lucene's org.apache.lucene.analysis.en.EnglishAnalyzer.
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
})  # fmt: skip

_POSSESSIVES = tuple(apostrophe + s for apostrophe in "'\u2019\uff07" for s in "sS")

_SIMPLE_WORD = re.compile(r"\w\w+")
"""Words of at least two characters, so that the s of a possessive 's is dropped."""

_PORTER: Any = Stemmer.Stemmer("porter")

_DEPARTS = re.compile(r"(.+)(bl|log)(?:[iy](?:ed|ing)?s?|ies)")
"""Words that end in -bli or -logi after the first step of Porter's algorithm."""

_DOUBLED = re.compile(r"(.*([^aeioulszbdfgmnprt]))\2(?:ed|ing)s?")
"""Verbs with a doubled consonant that Snowball does not reduce, such as trekking."""


def lucene_terms(text: str) -> list[str]:
    """Return the terms of Lucene's EnglishAnalyzer, Anserini's default.

    Words lose their possessive 's and are lowercased; 33 stop words are removed; Porter's algorithm stems.

    >>> lucene_terms("The retrieved documents' rankings: Steven\u2019s technology")
    ['retriev', 'document', 'rank', 'steven', 'technolog']
    """
    lowered = (_lower(word[:-2] if word.endswith(_POSSESSIVES) else word) for word in words(text))
    return [stem(word) for word in lowered if word not in STOP_WORDS]


def simple_terms(text: str) -> list[str]:
    """Return lowercased runs of two or more letters and digits, without stop words, stemmed by Snowball's
    Porter.

    >>> simple_terms("The retrieved documents' rankings: Steven\u2019s technology")
    ['retriev', 'document', 'rank', 'steven', 'technologi']
    """
    return list(
        _PORTER.stemWords([word for word in _SIMPLE_WORD.findall(text.lower()) if word not in STOP_WORDS])
    )


ANALYSERS: dict[AnalyserName, Analyser] = {"lucene": lucene_terms, "simple": simple_terms}


def _lower(word: str) -> str:
    """Lowercase each character as Java does: no final sigma, and the dotted capital I becomes i."""
    if word.isascii():
        return word.lower()
    return "".join("i" if character == "\u0130" else character.lower() for character in word)


@lru_cache(maxsize=1 << 18)
def stem(word: str) -> str:
    """Return the stem of a lowercased ``word`` by Lucene's variant of Porter's algorithm.

    It differs from Snowball's "porter", the algorithm of 1980: words of two letters are unchanged, -bli
    becomes -ble (instead of -abli -able), -logi becomes -log, and after removing -ed or -ing any doubled
    consonant except l, s and z is reduced to one.

    >>> [stem(word) for word in ("relational", "technology", "possibly", "trekking", "is")]
    ['relat', 'technolog', 'possibl', 'trek', 'is']
    """
    if len(word) <= 2:
        return word
    departs, doubled = _DEPARTS.fullmatch(word), _DOUBLED.fullmatch(word)
    if departs is not None and "vc" in _shape(departs[1]):
        # No later step changes -log, and the second step does not change -ble.
        if departs[2] == "log":
            return departs[1] + "log"
        word = departs[1] + "ble"
    elif doubled is not None and re.fullmatch(".*v.*c", _shape(doubled[1] + doubled[2])):
        word = doubled[1]
    return str(_PORTER.stemWord(word))


def _shape(text: str) -> str:
    """Return ``v`` for each vowel and ``c`` for each consonant; y is a vowel after a consonant."""
    shape = ""
    for letter in text:
        vowel = letter in "aeiou" or (letter == "y" and shape.endswith("c"))
        shape += "v" if vowel else "c"
    return shape


_FREE = 24
"""Lengths below this are encoded exactly; of larger ones, 4 significant bits of the excess are kept."""


def _length(byte: int) -> int:
    """Return the smallest length that is encoded as this byte (Lucene's SmallFloat.byte4ToInt)."""
    if byte < _FREE:
        return byte
    bits, shift = (byte - _FREE) & 7, (byte - _FREE >> 3) - 1
    return _FREE + (bits if shift < 0 else (bits | 8) << shift)


_LENGTHS = np.array([_length(byte) for byte in range(256)], dtype=np.float64)


def quantised(lengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round ``lengths`` [n] down to those that Lucene can encode in one byte; up to 40 they are exact.

    >>> quantised(np.array([23.0, 40.0, 41.0, 57.0, 100.0, 1000.0])).astype(int).tolist()
    [23, 40, 40, 56, 96, 984]
    """
    return np.asarray(_LENGTHS[np.searchsorted(_LENGTHS, lengths, side="right") - 1])


def words(text: str) -> list[str]:
    """Return the tokens of Lucene's StandardTokenizer, in order and as written.

    >>> words("O'Reilly's R2D2, v1.2_b (21,5%) \u6c49\u5b57")
    ["O'Reilly's", 'R2D2', 'v1.2_b', '21,5', '\u6c49', '\u5b57']
    """
    found = list(filter(None, _ASCII.findall(text))) if text.isascii() else _with_emoji(text)
    if all(_units(word) <= LONGEST for word in found):
        return found
    return [piece for word in found for piece in _pieces(word)]


def _with_emoji(text: str) -> list[str]:
    found = []
    position = 0
    while (match := _TOKEN.search(text, position)) is not None:
        position = match.end()
        # Some letters, such as the circled M, are also pictographs; the longer match wins.
        if match.lastgroup == "emoji" or PICTOGRAPH.match(match[0]):
            emoji = _LONGEST_EMOJI.match(text, match.start())
            position = max(position, emoji.end() if emoji else 0)
        if match.lastgroup is not None:
            found.append(text[match.start() : position])
    return found


def _pieces(word: str) -> list[str]:
    """Cut a long token as Lucene's scanner does, whose buffer has :data:`LONGEST` units."""
    pieces = []
    start = 0
    while start < len(word):
        match = _TOKEN.match(word, start, _cut(word, start))
        if match is not None and match.lastgroup is not None:
            pieces.append(match[0])
        start = match.end() if match is not None and match.lastgroup is not None else start + 1
    return pieces


def _cut(word: str, start: int) -> int:
    end = min(len(word), start + LONGEST)
    while _units(word[start:end]) > LONGEST:
        end -= 1
    return end


def _units(text: str) -> int:
    """Return the number of UTF-16 code units."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)
