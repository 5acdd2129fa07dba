"""The wordings of templates.yaml, read once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml


@dataclass(frozen=True, slots=True)
class Template:
    """One published wording: ``user`` is the user turn, ``document`` one listed document, if it lists any.

    ``system`` is the system turn; empty where the wording has none.
    """

    source: str
    user: str
    document: str = ""
    system: str = ""

    def listing(self, documents: Sequence[str], separator: str, **fields: str) -> str:
        """The documents numbered from 1 and joined by ``separator``."""
        return separator.join(
            self.document.format(number=number, text=text, **fields)
            for number, text in enumerate(documents, start=1)
        )


@cache
def templates(family: str) -> dict[str, Template]:
    """Templates of one family (a top-level key of templates.yaml, such as ``rankgpt``) by variant name."""
    text = (resources.files("e2rank_eval.rerankers.prompts") / "templates.yaml").read_text(encoding="utf-8")
    return {variant: Template(**fields) for variant, fields in yaml.safe_load(text)[family].items()}
