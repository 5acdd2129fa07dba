"""Truncation of texts: to a number of words or tokens, or to a fair share of a token budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2rank_eval.models.timing import tokenising

DOCUMENT_WORDS = 1024
"""White-space words that the official evaluation keeps of a document before it is tokenised."""


def share_budget(lengths: Sequence[int], budget: int) -> list[int]:
    """Return the tokens that each text may keep so that together they keep at most ``budget``.

    Water-filling: every text keeps ``min(length, level)`` with the highest whole ``level`` that fits,
    so short texts give their spare to long ones, all cut texts keep the same, and fewer tokens than
    there are cut texts stay unused.

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


def cut_words(text: str, limit: int = DOCUMENT_WORDS) -> str:
    """Return ``text`` up to its ``limit``-th white-space word; unchanged where it has no more words.

    White space between the words kept stays as it is, so that a text short enough is the very text
    that a dense index was built from (the official script also turns each run of it into one space).

    >>> cut_words("one  two three", 2)
    'one  two'
    """
    pieces = text.split(None, limit)
    if len(pieces) <= limit:
        return text
    return text[: len(text) - len(pieces[-1])].rstrip()


def cut_tokens(tokenizer: Any, text: str, tokens: int) -> str:
    """Return the start of ``text``, cut after its ``tokens``-th token; unchanged where it has no more.

    A start can take more tokens by itself than it did within the text (in the middle of a word, or
    of a character of several bytes); the cut then moves back until it takes ``tokens`` at most.
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
    """Return for each text, none of whose tokens is a special one, the offsets at which its tokens end."""
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
