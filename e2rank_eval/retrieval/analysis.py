"""Text to index terms: Lucene's English analyser, and a simpler one."""

from __future__ import annotations

import re
from typing import Literal, Protocol

import Stemmer

from e2rank_eval.retrieval.stemming import stem
from e2rank_eval.retrieval.tokenisation import words

# Apache Lucene, org.apache.lucene.analysis.en.EnglishAnalyzer, its default stop set.
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
})  # fmt: skip

_WORD = re.compile(r"\w\w+")
"""Words of two characters or more, which drops what the apostrophe of a possessive leaves behind."""

_POSSESSIVES = tuple(apostrophe + s for apostrophe in "'\u2019\uff07" for s in "sS")


class Analyser(Protocol):
    """Turns a text into index terms."""

    def terms(self, text: str) -> list[str]:
        """The terms of ``text`` in order, repeated ones repeatedly."""
        ...


class LuceneEnglish:
    """Lucene's EnglishAnalyzer, which Anserini indexes with: words, without possessive 's, in lower case,
    without 33 stop words, stemmed by Porter's algorithm.

    >>> LuceneEnglish().terms("The retrieved documents' rankings: Steven\u2019s technology")
    ['retriev', 'document', 'rank', 'steven', 'technolog']
    """

    def terms(self, text: str) -> list[str]:
        lowered = (_lower(word[:-2] if word.endswith(_POSSESSIVES) else word) for word in words(text))
        return [stem(word) for word in lowered if word not in STOP_WORDS]


class Simple:
    """Runs of two or more letters and digits in lower case, without stop words, stemmed by Snowball's Porter.

    >>> Simple().terms("The retrieved documents' rankings: Steven\u2019s technology")
    ['retriev', 'document', 'rank', 'steven', 'technologi']
    """

    def __init__(self) -> None:
        self._stemmer = Stemmer.Stemmer("porter")

    def terms(self, text: str) -> list[str]:
        found = [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
        return list(self._stemmer.stemWords(found))


def analyser(name: Literal["lucene", "simple"]) -> Analyser:
    """The analyser that a configuration names."""
    return LuceneEnglish() if name == "lucene" else Simple()


def _lower(word: str) -> str:
    """Character by character as Java does it: no sigma is final, and the dotted capital I is an i."""
    if word.isascii():
        return word.lower()
    return "".join("i" if character == "\u0130" else character.lower() for character in word)
