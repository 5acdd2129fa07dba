"""Pointwise prompts, which show a language model the query and one document."""

from __future__ import annotations

from e2rank_eval.rerankers.prompts.templates import templates

CHOICES = ("yes", "no")
"""Answers whose next-token logits are compared: relevant, not relevant."""

RERANK_INSTRUCTION = "Given a web search query, retrieve relevant passages that answer the query"
"""What Qwen3-Reranker's own prompt asks for where no task is named."""


def pointwise_messages(
    variant: str, query: str, document: str, *, instruction: str = RERANK_INSTRUCTION
) -> list[dict[str, str]]:
    """The turns of one variant of ``pointwise`` in templates.yaml.

    ``yes-no`` and ``qwen3-reranker`` are to be answered with one of :data:`CHOICES`,
    ``query-likelihood``, which does not name the query, with the query itself. Only
    ``qwen3-reranker`` shows the ``instruction``.
    """
    template = templates("pointwise")[variant]
    content = template.user.format(document=document, query=query, instruction=instruction)
    system = [{"role": "system", "content": template.system}] if template.system else []
    return [*system, {"role": "user", "content": content}]


def yes_no_messages(query: str, document: str) -> list[dict[str, str]]:
    """One user turn, to be answered with one of :data:`CHOICES`."""
    return pointwise_messages("yes-no", query, document)


def monot5_input(query: str, document: str) -> str:
    """What monoT5 reads, before its end token."""
    return templates("monot5")["single-turn"].user.format(query=query, document=document)
