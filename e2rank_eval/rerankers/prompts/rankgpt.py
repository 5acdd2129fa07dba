"""The RankGPT-style listwise prompt, which asks a chat model to write the ranking of a window."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.rerankers.prompts.templates import templates


def rankgpt_messages(query: str, documents: Sequence[str]) -> list[dict[str, str]]:
    """One user turn with ``documents`` numbered from 1; the answer looks like ``[4] > [2] > ...``.

    Wording: templates.yaml, ``rankgpt``. It has no system turn, as in the paper's baseline.
    """
    template = templates("rankgpt")["single-turn"]
    listing = template.listing(documents, "\n\n")
    content = template.user.format(count=len(documents), query=query, documents=listing)
    return [{"role": "user", "content": content}]
