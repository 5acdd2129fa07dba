"""The text of E2Rank's inputs: the listwise prompt in three published variants, and the plain query."""

from __future__ import annotations

from collections.abc import Sequence

from e2rank_eval.errors import InputError

LISTWISE_INSTRUCTION = (
    "Given a web search query and some relevant documents, rerank the documents that answer the query"
)
"""The instruction of every listwise prompt in the official evaluation, for all data sets."""

_LISTWISE = {
    # Alibaba-NLP/E2Rank at c72cc0a, src/eval.py, EvalModel.listwise_prompt_template
    "eval": ("[{number}] {text}", "{instruction}:\nDocuments:\n{documents}\nSearch Query: {query}"),
    # Alibaba-NLP/E2Rank at 16cc424, README.md, get_listwise_prompt. The end-of-text token is part of each
    # document because the README appends it before listing them.
    "readme": (
        "[{number}] {text}{end_of_text}",
        "{instruction}:\nDocuments:\n{documents}Search Query:{query}",
    ),
    # Alibaba-NLP/E2Rank at c72cc0a, src/data.py, MixedRankDataset and MixedRankDataCollator
    "training": (
        "[{number}] {text}",
        "{instruction}:\nDocuments:\n{documents}\nQuery: {query}{end_of_text}",
    ),
}
"""Templates of a listed document and of the user turn, by variant."""

VARIANTS = tuple(_LISTWISE)


def render_listwise(variant: str, query: str, documents: Sequence[str], *, end_of_text: str) -> str:
    """Return the user turn that lists ``documents`` in order before ``query``, without the chat template.

    The paper's results were obtained with ``eval``; ``readme`` and ``training`` differ from it in white
    space, wording and the position of ``end_of_text``.

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
    if variant not in _LISTWISE:
        raise InputError(f"unknown listwise prompt {variant!r}", hint=f"known: {', '.join(VARIANTS)}")
    document, user = _LISTWISE[variant]
    listed = [
        document.format(number=number, text=text, end_of_text=end_of_text)
        for number, text in enumerate(documents, start=1)
    ]
    return user.format(
        instruction=LISTWISE_INSTRUCTION, documents="\n".join(listed), query=query, end_of_text=end_of_text
    )


def query_input(instruction: str | None, query: str) -> str:
    """Return a plain query's input text without end-of-text token; without instruction, the query itself.

    The wording is that of Alibaba-NLP/E2Rank at 16cc424, README.md, get_detailed_instruct.

    >>> query_input("Find the answer", "who?")
    'Instruct: Find the answer\\nQuery:who?'
    """
    return query if instruction is None else f"Instruct: {instruction}\nQuery:{query}"
