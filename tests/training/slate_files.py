"""Slates that a small model can learn: the relevant document repeats the query's word."""

from __future__ import annotations

import random
from pathlib import Path

from e2rank_eval.training.slates import Slate, write_slates

WORDS = ["wing", "heat", "gravity", "planet", "capital", "flow", "shield", "drag", "body", "sun"]


def toy_slates(count: int, *, documents: int = 4, source: str = "toy", seed: int = 1) -> list[Slate]:
    """``documents`` texts to a query, each of another word; the one of the query's is best."""
    draw = random.Random(seed)
    slates = []
    for _ in range(count):
        words = draw.sample(WORDS, documents)
        asked = draw.randrange(documents)
        order = sorted(range(documents), key=lambda place: (place != asked, place))
        ranks = tuple(order.index(place) + 1 for place in range(documents))
        texts = tuple(f"the {word} of number {draw.randrange(99)}" for word in words)
        slates.append(Slate(f"what is {words[asked]}", texts, ranks, source))
    return slates


def write_toy(path: Path, count: int = 24, **options: int) -> Path:
    write_slates(path, toy_slates(count, **options))
    return path
