"""E2Rank's inputs: the listwise prompt in its three published variants, and the query-only one."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.prompts.templates import templates

LISTWISE_INSTRUCTION = (
    "Given a web search query and some relevant documents, rerank the documents that answer the query"
)
"""The one instruction that the official evaluation gives every listwise prompt, whatever the data set."""

VARIANTS = ("eval", "readme", "training")


def render_listwise(variant: str, query: str, documents: Sequence[str], *, end_of_text: str) -> str:
    """The user turn that lists ``documents`` in order before ``query``; the chat template is the caller's.

    ``eval`` is what the paper's numbers were made with; ``readme`` and ``training`` differ from it in
    white space, wording and where ``end_of_text`` stands (templates.yaml quotes all three).

    Raises
    ------
    InputError
        For an unknown variant.

    >>> print(render_listwise("eval", "who?", ["He.", "She."], end_of_text="<|endoftext|>"))
    Given a web search query and some relevant documents, rerank the documents that answer the query:
    Documents:
    [1] He.
    [2] She.
    Search Query: who?
    """
    known = templates("e2rank")
    if variant not in known:
        raise InputError(f"unknown listwise prompt {variant!r}", hint=f"known: {', '.join(known)}")
    template = known[variant]
    return template.user.format(
        instruction=LISTWISE_INSTRUCTION,
        documents=template.listing(documents, "\n", end_of_text=end_of_text),
        query=query,
        end_of_text=end_of_text,
    )


def query_input(instruction: str | None, query: str) -> str:
    """A query to retrieve with, before its end-of-text token; the query alone where no instruction is given.

    >>> query_input("Find the answer", "who?")
    'Instruct: Find the answer\\nQuery:who?'
    """
    if instruction is None:
        return query
    return templates("query")["instructed"].user.format(instruction=instruction, query=query)
