"""Truncation of texts: to a number of words or tokens, or to a fair share of a token budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2rank_eval.models.timing import tokenising

DOCUMENT_WORDS = 1024
"""Limit of the official evaluation on a document, in white-space words, before it is tokenised."""


def share_budget(lengths: Sequence[int], budget: int) -> list[int]:
    """Return the number of tokens of each text after a fair cut to ``budget`` tokens in total.

    Water-filling: every text keeps ``min(length, level)`` tokens with the highest integer ``level`` that
    fits. All cut texts keep the same number, and fewer tokens than there are cut texts stay unused.

    Raises
    ------
    ValueError
        When ``budget`` is negative.

    >>> share_budget([3, 50, 40], 43)
    [3, 20, 20]
    """
    if budget < 0:
        raise ValueError(f"budget {budget} is negative")
    spare = budget
    for shorter, length in enumerate(sorted(lengths)):
        level = spare // (len(lengths) - shorter)
        if length > level:
            return [min(one, level) for one in lengths]
        spare -= length
    return list(lengths)


def cut_words(text: str) -> str:
    """Return the first :data:`DOCUMENT_WORDS` words of ``text``, or ``text`` itself if it has no more.

    White space between words is kept, so that a short text is identical to that in a dense index (the
    official script replaces each run of white space by one space).
    """
    pieces = text.split(None, DOCUMENT_WORDS)
    if len(pieces) <= DOCUMENT_WORDS:
        return text
    return text[: len(text) - len(pieces[-1])].rstrip()


def cut_tokens(tokenizer: Any, text: str, tokens: int) -> str:
    """Return the prefix of ``text`` up to its ``tokens``-th token, or ``text`` itself if it has no more.

    A prefix can have more tokens alone than within the text (if it ends within a word or a multi-byte
    character); the cut then moves back until it has at most ``tokens``.
    """
    if tokens <= 0:
        return ""
    ends = token_ends(tokenizer, [text])[0]
    if len(ends) <= tokens:
        return text
    for end in reversed(ends[:tokens]):
        if len(token_ends(tokenizer, [text[:end]])[0]) <= tokens:
            return text[:end]
    return ""


@tokenising()
def token_ends(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return for each text the end offsets of its tokens; special tokens in it are split as plain text."""
    if not texts:
        return []
    found = tokenizer(
        list(texts),
        add_special_tokens=False,
        split_special_tokens=True,
        return_offsets_mapping=True,
        truncation=False,
        verbose=False,
    )["offset_mapping"]
    return [[end for _, end in offsets] for offsets in found]
