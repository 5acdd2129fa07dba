"""Late interaction over a small corpus: MaxSim with every document, whose matrices stay in memory."""

from __future__ import annotations

from typing import Literal

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FIRST_STAGES, FirstStageSettings
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset
from e2rank_eval.retrieval.base import Context, Exhaustive, Finder, Retriever

MOST_DOCUMENTS = 50_000
"""About 5 GB, where a document has 200 tokens and a vector 128 dimensions."""


class LateInteractionRetrievalSettings(FirstStageSettings):
    """Late interaction (ColBERT) over every document of a small corpus."""

    retriever: Literal["late-interaction"]
    model: Reference

    def build(self, context: Context) -> Finder:
        # Imported here: torch takes seconds to load.
        from e2rank_eval.models.encoders.late_interaction import LateInteraction

        encoder = LateInteraction(context.models.resolve(self.model, "late-interaction"))

        def searching(dataset: Dataset) -> Retriever:
            if len(dataset.corpus) > MOST_DOCUMENTS:
                raise InputError(
                    f"{dataset.id} has {len(dataset.corpus):,} documents, more than the {MOST_DOCUMENTS:,} "
                    "whose token vectors are searched",
                    hint="rerank another first stage by the family late-interaction",
                )
            return Exhaustive(dataset.corpus.values(), encoder)

        return context.searching(searching)


FIRST_STAGES.add("late-interaction", LateInteractionRetrievalSettings)
