"""The smallest difference that a paired test on a collection's queries could be expected to find."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

POWER = 0.8
"""The share of repetitions in which the difference would be found; Cohen's (1988) convention."""

LEVEL = 0.05

_RELATIVE_ZERO = 1e-12
"""Below this share of the values at hand, a deviation is rounding."""


def smallest_difference(
    differences: Sequence[float], *, level: float = LEVEL, power: float = POWER
) -> float | None:
    """The true mean difference that a two-sided paired t-test at ``level`` finds with ``power``.

    delta = (t_{1 - level/2, n-1} + t_{power, n-1}) s / sqrt(n), with s the standard deviation of
    the per-query differences (power analysis of the paired t-test, Sakai 2018,
    Laboratory Experiments in Information Retrieval, chapter 7; central t quantiles stand for the
    noncentral distribution, an approximation). In the unit of ``differences``. None below two
    queries, or where every query differs by as much.
    """
    from scipy.special import stdtrit

    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return None
    deviation = float(values.std(ddof=1))
    if deviation <= _RELATIVE_ZERO * float(np.abs(values).max()):
        return None
    freedom = len(values) - 1
    quantiles = stdtrit(freedom, 1 - level / 2) + stdtrit(freedom, power)
    return float(quantiles) * deviation / math.sqrt(len(values))
