"""Published scores of other models on MTEB(eng, v1), MTEB(eng, v2) and BRIGHT, as rows beside ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from e2rank_eval.store.files import read_json

PATH = Path(__file__).with_name("published.json")
"""embeddings-benchmark/results at f4cc6c8b, in the public domain (CC0-1.0)."""


@dataclass(frozen=True, slots=True)
class PublishedScores:
    """One revision of a model: mteb's main score x 100 by task, the mean over a task's subsets.

    ``revision`` is ``external`` or ``no_revision_available`` where the source has no commit: such a row
    is not joined with another of the same model, which may be of other weights.
    """

    model: str
    revision: str
    scores: Mapping[str, float]


@cache
def published_scores() -> tuple[PublishedScores, ...]:
    """Every row, by model and revision."""
    return tuple(PublishedScores(**row) for row in read_json(PATH)["rows"])
