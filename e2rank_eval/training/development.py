"""How well scores order lists that were set aside: what training is watched and stopped by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.store.trec import Run
from e2rank_eval.training.lists import TrainingList


def development_scores(
    lists: Sequence[TrainingList], scores: Sequence[NDArray[np.floating]]
) -> dict[str, float]:
    """``score``: nDCG@10 with a list's positives as the relevant ones; ``pairs``: share ordered rightly.

    ``scores[i]`` [c] belong to the documents of list i. A pair that the teacher orders and the scores
    tie counts half. Both are means over lists, from 0 to 1.
    """
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, (item, row) in enumerate(zip(lists, scores, strict=True)):
        run[str(number)] = {str(place): float(score) for place, score in enumerate(row)}
        qrels[str(number)] = {str(place): int(place in item.positives) for place in range(len(row))}
    found = evaluate(Run(run), qrels, ("nDCG@10",))
    ordered = [_ordered(item.ranks, row) for item, row in zip(lists, scores, strict=True)]
    return {"score": found.mean["nDCG@10"], "pairs": float(np.mean(ordered))}


def _ordered(ranks: Sequence[int], scores: NDArray[np.floating]) -> float:
    above = np.less.outer(np.array(ranks), np.array(ranks))
    differences = np.subtract.outer(scores, scores)[above]
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))
