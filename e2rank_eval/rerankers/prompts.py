"""Prompts of the rerankers that use language models; prompts.yaml has their wordings and sources."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from e2rank_eval.errors import InputError

LETTERS = string.ascii_uppercase
"""Identifiers of first-token decoding, in order; they limit the size of its windows."""

PAIRWISE_ANSWERS = ("A", "B")
"""Answers whose next-token logits are compared: the first document, the second."""

POINTWISE_ANSWERS = ("yes", "no")
"""Answers whose next-token logits are compared: relevant, not relevant."""

RERANK_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
"""Default task of Qwen3-Reranker's published prompt."""

Messages = list[dict[str, str]]
"""The turns of a chat: ``role`` and ``content``."""


@dataclass(frozen=True, slots=True)
class Template:
    """One published wording: ``user`` is the user turn, ``document`` a document in its list.

    ``system`` is the system turn. ``document`` and ``system`` are empty where the wording has none.
    """

    source: str
    user: str
    document: str = ""
    system: str = ""

    def messages(self, **fields: object) -> Messages:
        """Return the turns with ``fields`` filled in."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, {"role": "user", "content": self.user.format(**fields)}]


@cache
def templates(family: str) -> dict[str, Template]:
    """Return the templates of one family, a top-level key of prompts.yaml such as ``rankgpt``, by variant."""
    text = (resources.files("e2rank_eval.rerankers") / "prompts.yaml").read_text(encoding="utf-8")
    return {variant: Template(**fields) for variant, fields in yaml.safe_load(text)[family].items()}


def rankgpt_messages(query: str, documents: Sequence[str]) -> Messages:
    """Return one user turn with ``documents`` numbered from 1; the answer looks like ``[4] > [2] > ...``.

    It has no system turn, as in the paper's baseline.
    """
    template = templates("rankgpt")["single-turn"]
    listing = "\n\n".join(
        template.document.format(number=number, text=text) for number, text in enumerate(documents, start=1)
    )
    return template.messages(count=len(documents), query=query, documents=listing)


def first_messages(query: str, documents: Sequence[str]) -> Messages:
    """Return one user turn with ``documents`` named A, B, C ...; the answer starts with the best one's.

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
    return template.messages(count=len(documents), query=query, documents=listing)


def pairwise_messages(query: str, first: str, second: str) -> Messages:
    """Return one user turn, to be answered with one of :data:`PAIRWISE_ANSWERS`."""
    return templates("pairwise")["prp"].messages(query=query, first=first, second=second)


def pointwise_messages(
    variant: str, query: str, document: str, *, instruction: str = RERANK_INSTRUCTION
) -> Messages:
    """Return the turns of one variant of ``pointwise``.

    The expected answer is one of :data:`POINTWISE_ANSWERS` for ``yes-no`` and ``qwen3-reranker``, and the
    query itself for ``query-likelihood``, whose prompt has only the document. Only ``qwen3-reranker``
    uses the ``instruction``.
    """
    template = templates("pointwise")[variant]
    return template.messages(document=document, query=query, instruction=instruction)


def monot5_input(query: str, document: str) -> str:
    """Return the input text of monoT5, without its end token."""
    return templates("monot5")["single-turn"].user.format(query=query, document=document)
