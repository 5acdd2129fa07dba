"""The pairwise prompt, whose answer's first token says which of two documents is the more relevant."""

from __future__ import annotations

from e2rank_eval.rerankers.prompts.templates import templates

CHOICES = ("A", "B")
"""Answers whose next-token logits are compared: the first document, the second."""


def pairwise_messages(query: str, first: str, second: str) -> list[dict[str, str]]:
    """One user turn, to be answered with one of :data:`CHOICES` (templates.yaml, ``pairwise``)."""
    content = templates("pairwise")["prp"].user.format(query=query, first=first, second=second)
    return [{"role": "user", "content": content}]
