"""Text to index terms: lower-cased words without Lucene's English stop words, Porter-stemmed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import Stemmer

# org.apache.lucene.analysis.en.EnglishAnalyzer.ENGLISH_STOP_WORD = re.compile(r"\w\w+")
"""Words of two characters or more, which drops what the apostrophe of a possessive leaves behind."""


class Analyser:
    """Terms of a text in order, as Lucene's English analyser makes them but for its Unicode word breaks.

    >>> Analyser().terms("The retrieved documents' rankings")
    ['retriev', 'document', 'rank']
    """

    def __init__(self) -> None:
        self._stemmer = Stemmer.Stemmer("porter")

    def terms(self, text: str) -> list[str]:
        words = [word for word in _WORD.findall(text.lower()) if word not in STOP_WORDS]
        return list(self._stemmer.stemWords(words))

    def terms_of(self, texts: Sequence[str]) -> list[list[str]]:
        return [self.terms(text) for text in texts]
