"""Training lists that a small model can learn: the relevant document repeats the query's word."""

from __future__ import annotations

import random
from pathlib import Path

from e2rank_eval.training.lists import TrainingList, write_lists

WORDS = ["wing", "heat", "gravity", "planet", "capital", "flow", "shield", "drag", "body", "sun"]


def toy_lists(count: int, *, documents: int = 4, source: str = "toy", seed: int = 1) -> list[TrainingList]:
    """Return lists of ``documents`` texts, each with another word; the text with the query's word is best."""
    draw = random.Random(seed)
    lists = []
    for _ in range(count):
        words = draw.sample(WORDS, documents)
        asked = draw.randrange(documents)
        order = sorted(range(documents), key=lambda place: (place != asked, place))
        ranks = tuple(order.index(place) + 1 for place in range(documents))
        texts = tuple(f"the {word} of number {draw.randrange(99)}" for word in words)
        lists.append(TrainingList(f"what is {words[asked]}", texts, ranks, source))
    return lists


def write_toy(path: Path, count: int = 24, **options: int) -> Path:
    write_lists(path, toy_lists(count, **options))
    return path
