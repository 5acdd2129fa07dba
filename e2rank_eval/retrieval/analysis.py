"""Text to index terms: lower-cased words without Lucene's English stop words, Porter-stemmed."""

from __future__ import annotations

import re

import Stemmer

# Apache Lucene, org.apache.lucene.analysis.en.EnglishAnalyzer, its default stop set.
STOP_WORDS = frozenset({
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it",
    "no", "not", "of", "on", "or", "such", "that", "the", "their", "then", "there", "these", "they",
    "this", "to", "was", "will", "with",
})  # fmt: skip

_WORD = re.compile(r"\w\w+")
"""Words of two characters or more, which drops what the apostrophe of a possessive leaves behind."""


class Analyser:
    """Terms of a text in order, near to Lucene's English analyser, whose word breaks differ in detail.

    >>> Analyser().terms("The retrieved documents' rankings")
    ['retriev', 'document', 'rank']
    """

    def __init__(self) -> None:
        self._stemmer = Stemmer.Stemmer("porter")

    def terms(self, text: str) -> list[str]:
        words = [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
        return list(self._stemmer.stemWords(words))
