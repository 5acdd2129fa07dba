"""Which of a list's documents its listwise prompt lists in training, drawn anew for every update."""

from __future__ import annotations

import random
from collections.abc import Sequence

from e2rank_eval.config import PromptSettings
from e2rank_eval.records import ListwiseInput
from e2rank_eval.training.lists import TrainingList


def draw_window(settings: PromptSettings, draw: random.Random) -> int | None:
    """Tokens that a batch's prompts may have; None for the model's own window."""
    return draw.choice(settings.windows) if settings.windows else None


def draw_prompts(
    settings: PromptSettings, lists: Sequence[TrainingList], draw: random.Random
) -> list[ListwiseInput]:
    """One listwise input for each list: some of its first documents, in first-stage order.

    With probability ``leave_out`` the positives are not listed, so that the model must also find
    documents that it has not read; a list that has nothing else keeps them.
    """
    return [_prompt(settings, item, draw) for item in lists]


def _prompt(settings: PromptSettings, item: TrainingList, draw: random.Random) -> ListwiseInput:
    listed = list(range(len(item.documents)))
    if draw.random() < settings.leave_out:
        listed = [position for position in listed if position not in item.positives] or listed
    if settings.documents is not None:
        listed = listed[: draw.randint(*settings.documents)]
    return ListwiseInput(item.query, tuple(item.documents[position] for position in listed))
