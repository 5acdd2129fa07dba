"""Late interaction reranking: MaxSim between the query's and a candidate's token vectors, as ColBERT's."""

from __future__ import annotations

from typing import Literal

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import FAMILIES, Lengths, RerankerSettings, Tokens
from e2rank_eval.rerankers.base import RerankContext, Reranker


class LateInteractionSettings(RerankerSettings):
    """MaxSim between the token vectors of the query and of each candidate, as ColBERT's."""

    model_kinds = ("late-interaction",)
    own_colour = "#56b4e9"

    family: Literal["late-interaction"]
    model: Reference

    def build(self, context: RerankContext) -> Reranker:
        """Load the model; raises InputError for one that ``LateInteraction`` refuses."""
        from e2rank_eval.models.encoders.late_interaction import LateInteraction
        from e2rank_eval.rerankers.separate import SeparateReranker

        encoder = LateInteraction(context.models.resolve(self.model, "late-interaction"))
        return SeparateReranker(encoder, self)

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        return Tokens(depth * lengths.document + lengths.query)


FAMILIES.add("late-interaction", LateInteractionSettings)
