"""Ordering by score, with scores rounded so that numerical noise does not break ties."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from e2rank_eval.errors import InputError

LOGIT_STEP = 1e-5
"""Resolution of logits, relative to their spread over a list: batching changes float32 logits by less."""

COSINE_STEP = 1e-6
"""Resolution of cosines, relative to their spread over a list; they are summed in float64."""


def order_by_score(scores: ArrayLike, step: float) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Return positions by descending rounded score, ties in input order, and the rounded scores [n].

    Scores are rounded to the power of ten nearest to ``step`` times their spread (maximum minus minimum).
    Smaller differences, which batching causes, do not affect the order whatever the scale of a model's
    scores, and the order can be recomputed from the rounded scores.

    Raises
    ------
    InputError
        When a score is NaN or infinite.

    >>> order_by_score([0.2000001, 1.0, 0.2000002], 1e-6)
    ((1, 0, 2), (0.2, 1.0, 0.2))
    """
    given = np.asarray(scores, dtype=np.float64)
    if not given.size:
        return (), ()
    if not np.isfinite(given).all():
        number = int(np.argmin(np.isfinite(given))) + 1
        raise InputError(
            f"the score of candidate {number} is not finite",
            hint="check the model's weights, or load it in float32",
        )
    # Noise also grows with the magnitude of the scores, which matters where they are nearly equal.
    spread = max(float(np.ptp(given)), float(np.abs(given).max()) / 10)
    if spread:
        given = np.round(given, -round(math.log10(step * spread))) + 0.0  # no -0.0
    return tuple(np.argsort(-given, kind="stable").tolist()), tuple(given.tolist())
