"""The beginnings of a collection's documents, for pages that show what was ranked."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from e2rank_eval.store.files import read_jsonl

LONGEST = 400
"""Characters of a document's text that are shown."""

Excerpt = tuple[str, str]
"""(title, beginning of the text)."""


def read_excerpts(corpus: Path, wanted: Set[str]) -> dict[str, Excerpt]:
    """Excerpts by id of the ``wanted`` documents; the corpus is passed through, never held in memory.

    Raises
    ------
    InputError
        When the corpus is missing or malformed.
    """
    rows = (row for _, row in read_jsonl(corpus))
    return {row["_id"]: (row.get("title", ""), _begin(row["text"])) for row in rows if row["_id"] in wanted}


def _begin(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "…"
