"""Cosines that the authors of models published for a few texts (published.yaml), by registry name."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from e2rank_eval.config.reading import read_entries
from e2rank_eval.config.systems import Strict
from e2rank_eval.models.encoders.prompts import VARIANTS

_FILE = Path(__file__).with_name("published.yaml")

PLAIN = "query-only"
"""The prompt that is each query by itself."""


class Published(Strict):
    """What a model gave its authors: ``cosines[prompt]`` [queries, documents], and where that is printed."""

    source: str
    queries: list[str] = Field(min_length=1)
    documents: list[str] = Field(min_length=1)
    cosines: dict[str, list[list[float]]] = Field(min_length=1)
    tolerance: dict[str, float] = Field(description="largest difference, by the type that the weights run in")

    @model_validator(mode="after")
    def _is_complete(self) -> Published:
        for prompt, rows in self.cosines.items():
            if [len(row) for row in rows] != [len(self.documents)] * len(self.queries):
                raise ValueError(f"cosines.{prompt}: one row for each query, one number for each document")
            if prompt not in (PLAIN, *VARIANTS):
                raise ValueError(f"cosines.{prompt}: not a prompt; known: {', '.join((PLAIN, *VARIANTS))}")
        return self


def published_cosines() -> dict[str, Published]:
    """Return what is published of models of the registry."""
    return read_entries(Published, [_FILE])
