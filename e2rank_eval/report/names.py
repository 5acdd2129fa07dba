"""How systems and collections are called wherever a reader meets them."""

from __future__ import annotations

from e2rank_eval.config import Configuration, E2RankSettings, FeedbackSettings
from e2rank_eval.models.registry import registered_model

UNTRAINED = "untrained"
"""The mark of a model that is used for what it was never trained for."""

UNTRAINED_NOTE = (
    "Untrained: a listwise prompt on a backbone that was never trained for E2Rank, or vectors of a model "
    "that was never trained to embed."
)


def label(configuration: Configuration, reranker: str) -> str:
    """The reranker's configured label, or its name."""
    return configuration.rerankers[reranker].label or reranker


def first_stage_label(configuration: Configuration, first_stage: str) -> str:
    return configuration.first_stages[first_stage].label or first_stage


def is_untrained(configuration: Configuration, reranker: str) -> bool:
    """Whether a model embeds here what it was never trained to: a listwise prompt, or texts at all."""
    settings = configuration.rerankers[reranker]
    if not isinstance(settings, E2RankSettings | FeedbackSettings):
        return False
    model = registered_model(settings.model)
    if isinstance(settings, E2RankSettings) and settings.prompt != "query-only":
        return not model.trained_for_e2rank
    return not model.trained_for_embedding


def full_name(configuration: Configuration, reranker: str) -> str:
    """The label, followed by "untrained" where that is so."""
    mark = f", {UNTRAINED}" if is_untrained(configuration, reranker) else ""
    return label(configuration, reranker) + mark
