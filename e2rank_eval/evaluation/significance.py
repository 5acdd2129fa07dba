"""Statistics of paired per-query differences, for one collection or the mean over several.

Every function takes ``strata``: one sequence of per-query values for each collection. The statistic
is the macro-average over collections of the mean over each one's queries; with one collection it is the plain
mean over queries. Queries are resampled or sign-flipped within their own collection only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Strata = Sequence[Sequence[float]]
Floats = NDArray[np.float64]

PERMUTATIONS = 100_000
RESAMPLES = 10_000

_BLOCK_CELLS = 1 << 22
"""Random numbers drawn at once; bounds memory at tens of megabytes for any number of queries."""

_RELATIVE_ZERO = 1e-12
"""A difference below this share of the largest values is treated as rounding."""


def _arrays(strata: Strata) -> list[Floats]:
    arrays = [np.asarray(values, dtype=np.float64) for values in strata]
    if not arrays or any(values.ndim != 1 or len(values) == 0 for values in arrays):
        raise ValueError("every collection needs at least one query")
    return arrays


def _blocks(rows: int, cells_per_row: int) -> Iterator[int]:
    size = max(1, _BLOCK_CELLS // max(1, cells_per_row))
    for start in range(0, rows, size):
        yield min(size, rows - start)


def mean(strata: Strata) -> float:
    """Return the macro-average: the mean of the means over the queries of each collection."""
    return math.fsum(math.fsum(values) / len(values) for values in strata) / len(strata)


def bootstrap_interval(strata: Strata, *, seed: int) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of :func:`mean`, queries drawn with replacement.

    With a single query, both ends are its value.
    """
    arrays = _arrays(strata)
    rng = np.random.default_rng(seed)
    means = []
    for rows in _blocks(RESAMPLES, max(len(values) for values in arrays)):
        drawn = [values[rng.integers(0, len(values), (rows, len(values)))].mean(axis=1) for values in arrays]
        means.append(np.mean(drawn, axis=0))
    tail = 50 * (1 - 0.95)
    low, high = np.percentile(np.concatenate(means), [tail, 100 - tail])
    return float(low), float(high)


def randomisation_p(differences: Strata, *, seed: int, permutations: int = PERMUTATIONS) -> float:
    """Return the two-sided p of the paired randomisation test, which flips the signs of differences.

    Under the null hypothesis the two systems' values of a query are exchangeable (Fisher). If there are
    at most ``permutations`` sign patterns of the n non-zero differences, all 2^n are enumerated, and p is
    the share of patterns at least as extreme as the observed one; otherwise
    ``permutations`` patterns are drawn and p = (extreme + 1) / (permutations + 1).
    """
    arrays = _arrays(differences)
    # A zero difference contributes nothing under either sign, so dropping it does not change p.
    shares = np.concatenate([values / (len(values) * len(arrays)) for values in arrays])
    shares = shares[shares != 0]
    if len(shares) == 0:
        return 1.0
    total = shares.sum()
    threshold = abs(total) - _RELATIVE_ZERO * np.abs(shares).sum()

    def extreme(positive: NDArray[np.uint8]) -> int:
        return int(np.count_nonzero(np.abs(2 * (positive.astype(np.float64) @ shares) - total) >= threshold))

    if len(shares) < 63 and 2 ** len(shares) <= permutations:
        return extreme(_all_patterns(len(shares))) / float(2 ** len(shares))
    rng = np.random.default_rng(seed)
    count = sum(extreme(_patterns(rng, rows, len(shares))) for rows in _blocks(permutations, len(shares)))
    return (count + 1) / (permutations + 1)


def _all_patterns(n: int) -> NDArray[np.uint8]:
    numbers = np.arange(2**n, dtype=np.int64)[:, None]
    return ((numbers >> np.arange(n)) & 1).astype(np.uint8)


def _patterns(rng: np.random.Generator, rows: int, n: int) -> NDArray[np.uint8]:
    octets = rng.integers(0, 256, (rows, -(-n // 8)), dtype=np.uint8)
    return np.unpackbits(octets, axis=1, count=n)


def paired_t_p(differences: Strata) -> float | None:
    """Return the two-sided p of the paired t-test; 1 for systems that never differ.

    Over several collections the variances of their means add up and the degrees of freedom are
    Welch and Satterthwaite's; with one collection this is Student's test. None where the test is
    undefined: a collection of one query, or a difference that is the same for every query.
    """
    from scipy.special import stdtr

    arrays = _arrays(differences)
    if not any(values.any() for values in arrays):
        return 1.0
    error = _squared_errors(arrays)
    if error is None:
        return None
    freedom = error.sum() ** 2 / sum(e**2 / (len(v) - 1) for e, v in zip(error, arrays, strict=True))
    t = sum(float(values.mean()) for values in arrays) / math.sqrt(error.sum())
    return float(2 * stdtr(freedom, -abs(t)))


def effect_size(differences: Strata, weights: Sequence[float] | None = None) -> float | None:
    """Return Cohen's d_z: the mean difference in standard deviations of the differences.

    Over several collections: the mean of their means over the root of their mean variance, both weighted.
    0 for systems that never differ; None where :func:`paired_t_p` is undefined.
    """
    arrays = _arrays(differences)
    if not any(values.any() for values in arrays):
        return 0.0
    error = _squared_errors(arrays)
    if error is None:
        return None
    variance = np.average([e * len(v) for e, v in zip(error, arrays, strict=True)], weights=weights)
    return float(np.average([v.mean() for v in arrays], weights=weights) / math.sqrt(variance))


def _squared_errors(arrays: Sequence[Floats]) -> Floats | None:
    """Return the squared standard error of each collection's mean; None if all are zero or one is unknown."""
    if any(len(values) < 2 for values in arrays):
        return None
    error = np.array([values.var(ddof=1) / len(values) for values in arrays])
    largest = max(float(np.abs(values).max()) for values in arrays)
    return error if math.sqrt(error.sum()) > _RELATIVE_ZERO * largest else None


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return Holm's step-down correction over the p values that are not None, in the order given.

    >>> holm([0.01, None, 0.04, 0.03])
    [0.03, None, 0.06, 0.06]
    """
    present = sorted((p, position) for position, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    so_far = 0.0
    for rank, (p, position) in enumerate(present):
        so_far = max(so_far, min(1.0, p * (len(present) - rank)))
        corrected[position] = so_far
    return corrected


def wins_ties_losses(differences: Strata) -> tuple[int, int, int]:
    """Return the numbers of queries with a gain, no difference (up to rounding), and a loss."""
    values = np.concatenate(_arrays(differences))
    wins, losses = int((values > _RELATIVE_ZERO).sum()), int((values < -_RELATIVE_ZERO).sum())
    return wins, len(values) - wins - losses, losses


def minimum_detectable_difference(differences: Sequence[float]) -> float | None:
    """Return the true mean difference that a two-sided paired t-test at level 0.05 finds with power 0.8.

    delta = (t_{0.975, n-1} + t_{0.8, n-1}) s / sqrt(n), with s the standard deviation of
    the per-query differences (power analysis of the paired t-test, Sakai 2018,
    Laboratory Experiments in Information Retrieval, chapter 7; central t quantiles approximate the
    noncentral distribution). In the unit of ``differences``. None below two
    queries, or where all differences are equal.
    """
    from scipy.special import stdtrit

    values = np.asarray(differences, dtype=np.float64)
    if len(values) < 2:
        return None
    deviation = float(values.std(ddof=1))
    if deviation <= _RELATIVE_ZERO * float(np.abs(values).max()):
        return None
    freedom = len(values) - 1
    quantiles = stdtrit(freedom, 0.975) + stdtrit(freedom, 0.8)
    return float(quantiles) * deviation / math.sqrt(len(values))
