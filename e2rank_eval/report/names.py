"""How systems and collections are called wherever a reader meets them."""

from __future__ import annotations

from e2rank_eval.configuration import Configuration, E2RankSettings
from e2rank_eval.registry import entries

UNTRAINED = "untrained"
"""The mark of a listwise prompt on a model that was never trained to read one."""

UNTRAINED_NOTE = "Untrained: the listwise prompt on a backbone that was never trained for E2Rank."


def label(configuration: Configuration, reranker: str) -> str:
    """The reranker's configured label, or its name."""
    return configuration.rerankers[reranker].label or reranker


def first_stage_label(configuration: Configuration, first_stage: str) -> str:
    return configuration.first_stages[first_stage].label or first_stage


def is_untrained(configuration: Configuration, reranker: str) -> bool:
    """Whether this is E2Rank's listwise prompt on a backbone that was not trained for E2Rank."""
    settings = configuration.rerankers[reranker]
    if not isinstance(settings, E2RankSettings) or settings.prompt == "query-only":
        return False
    return not entries.model(settings.model).trained_for_e2rank


def full_name(configuration: Configuration, reranker: str) -> str:
    """The label, followed by "untrained" where that is so."""
    mark = f", {UNTRAINED}" if is_untrained(configuration, reranker) else ""
    return label(configuration, reranker) + mark
