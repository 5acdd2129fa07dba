"""Prompts equal the published wordings to the character, and inserted text is never parsed as a template."""

from __future__ import annotations

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.prompts import VARIANTS, query_input, render_listwise
from e2rank_eval.rerankers.prompts import pointwise_messages, rankgpt_messages, templates

END = "<|endoftext|>"
HEAD = (
    "Given a web search query and some relevant documents, rerank the documents that answer the query:\n"
    "Documents:\n"
)


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        ("eval", HEAD + "[1] a b\n[2] c\nSearch Query: q?"),
        ("readme", HEAD + f"[1] a b{END}\n[2] c{END}Search Query:q?"),
        ("training", HEAD + f"[1] a b\n[2] c\nQuery: q?{END}"),
    ],
)
def test_listwise_prompt_is_the_official_one(variant: str, expected: str) -> None:
    assert render_listwise(variant, "q?", ["a b", "c"], end_of_text=END) == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_braces_in_texts_survive(variant: str) -> None:
    rendered = render_listwise(variant, "{query} {0}", ["{instruction} {", "}"], end_of_text=END)
    assert "{query} {0}" in rendered
    assert "[1] {instruction} {" in rendered
    assert "[2] }" in rendered


def test_unknown_variant_names_those_known() -> None:
    with pytest.raises(InputError, match="eval, readme, training"):
        render_listwise("evaluation", "q", [], end_of_text=END)


def test_query_input() -> None:
    assert query_input("Find it", "who?") == "Instruct: Find it\nQuery:who?"
    assert query_input(None, "who?") == "who?"


def test_rankgpt_prompt() -> None:
    (message,) = rankgpt_messages("why {x}", ["one", "two", "three"])
    lines = message["content"].split("\n")
    assert message["role"] == "user"
    assert lines[0] == (
        "I will provide you with 3 passages, each indicated by a numerical identifier []. "
        "Rank the passages based on their relevance to the search query: why {x}."
    )
    assert lines[1:8] == ["", "[1] one", "", "[2] two", "", "[3] three", ""]
    assert lines[8] == "Search Query: why {x}."
    assert lines[9].startswith("Rank the 3 passages above based on their relevance to the search query. All")
    assert lines[9].endswith(
        "[4] > [2] > ..., Only respond with the ranking results, do not say anything else or explain."
    )
    assert len(lines) == 10


def test_pointwise_prompt() -> None:
    (message,) = pointwise_messages("yes-no", "who {}", "He {text}.")
    assert (
        message["content"] == "Document: He {text}.\n\nQuery: who {}\n\nDoes the document answer the query?"
    )


@pytest.mark.parametrize("family", ["rankgpt", "pointwise"])
def test_every_wording_names_its_source(family: str) -> None:
    assert all(template.source for template in templates(family).values())
