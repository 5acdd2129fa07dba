"""The listwise prompt of single-token decoding, whose documents are named by letters."""

from __future__ import annotations

import string
from collections.abc import Sequence

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.prompts.templates import templates

LETTERS = string.ascii_uppercase
"""Identifiers in order; a window has at most so many documents."""


def first_messages(query: str, documents: Sequence[str]) -> list[dict[str, str]]:
    """One user turn with ``documents`` named A, B, C ..., to be answered with the best one's letter first.

    Raises
    ------
    InputError
        When there are more documents than letters.
    """
    if len(documents) > len(LETTERS):
        raise InputError(
            f"a window of {len(documents)} documents has more than {len(LETTERS)} single-letter identifiers",
            hint="lower the window, or let the model write the order (decoding: generate)",
        )
    template = templates("first")["single-turn"]
    listing = "".join(
        template.document.format(letter=letter, text=text)
        for letter, text in zip(LETTERS, documents, strict=False)
    )
    content = template.user.format(count=len(documents), query=query, documents=listing)
    return [{"role": "user", "content": content}]
