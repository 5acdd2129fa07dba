"""The pointwise prompt, whose answer's first token says whether one document answers the query."""

from __future__ import annotations

from e2rank_eval.prompts.templates import templates

CHOICES = ("yes", "no")
"""Answers whose next-token logits are compared: relevant, not relevant."""


def yes_no_messages(query: str, document: str) -> list[dict[str, str]]:
    """One user turn, to be answered with one of :data:`CHOICES` (templates.yaml, ``pointwise``)."""
    content = templates("pointwise")["yes-no"].user.format(document=document, query=query)
    return [{"role": "user", "content": content}]
