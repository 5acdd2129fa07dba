"""Reciprocal rank fusion of the candidate lists of several first stages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field, field_validator

from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings, Name
from e2rank_eval.records import CandidateIds, Dataset
from e2rank_eval.retrieval.base import Context, Finder, Found

K = 60
"""From Cormack, Clarke and Buettcher, Reciprocal rank fusion outperforms Condorcet, SIGIR 2009, section 2."""


class FusionSettings(FirstStageSettings):
    """Reciprocal rank fusion of other first stages."""

    searches = False

    retriever: Literal["fusion"]
    of: list[Name] = Field(min_length=2, description="other first stages of this file")

    @field_validator("of")
    @classmethod
    def _distinct(cls, of: list[str]) -> list[str]:
        if len(of) != len(set(of)):
            raise ValueError("a first stage is named twice")
        return of

    @property
    def fused(self) -> list[str]:
        return self.of

    def build(self, context: Context) -> Finder:
        """Return a finder that fuses the lists of the named first stages, each at its own depth.

        A query that a run lacks is ranked by the other first stages.
        """
        parts = {name: context.finder(name) for name in self.of}

        def find(dataset: Dataset) -> Found:
            found = {name: part(dataset) for name, part in parts.items()}
            by_query: dict[str, list[CandidateIds]] = {query_id: [] for query_id in dataset.queries}
            for lists, _ in found.values():
                for one in lists:
                    by_query[one.query_id].append(one)
            listed = {i for lists, _ in found.values() for one in lists for i in one.document_ids}
            places = {identifier: at for at, identifier in enumerate(dataset.corpus) if identifier in listed}
            fused = [fuse(lists, places, context.depth) for lists in by_query.values() if lists]
            origins = {name: origin for name, (_, origin) in found.items() if origin}
            return fused, {"fused": origins} if origins else {}

        return find


def fuse(lists: Sequence[CandidateIds], places: Mapping[str, int], depth: int) -> CandidateIds:
    """Return the best ``depth`` documents by the sum of ``1 / (K + rank)`` over the lists of one query.

    Ranks begin at 1. Ties are in corpus order; ``places`` are the documents' positions in the corpus.
    """
    parts: dict[str, list[float]] = {}
    for one in lists:
        for rank, identifier in enumerate(one.document_ids, start=1):
            parts.setdefault(identifier, []).append(1 / (K + rank))
    # fsum is exact, so equal sums tie whatever the order of the lists.
    scores = {identifier: math.fsum(found) for identifier, found in parts.items()}
    ranked = sorted(scores, key=lambda identifier: (-scores[identifier], places[identifier]))[:depth]
    return CandidateIds(lists[0].query_id, tuple(ranked), tuple(scores[identifier] for identifier in ranked))


FIRST_STAGES.add("fusion", FusionSettings)
