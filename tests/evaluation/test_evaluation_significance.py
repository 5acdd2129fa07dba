"""Tests, power and intervals compared with scipy, enumeration, simulation and values computed by hand."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.evaluation.significance import (
    bootstrap_interval,
    effect_size,
    holm,
    mean,
    minimum_detectable_difference,
    paired_t_p,
    randomisation_p,
    wins_ties_losses,
)


def differences(n: int, seed: int, shift: float = 0.1) -> list[float]:
    return (np.random.default_rng(seed).normal(shift, 0.3, n)).tolist()


def scipy_p(values: list[float], resamples: float) -> float:
    found = scipy.stats.permutation_test(
        (np.array(values), np.zeros(len(values))),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=resamples,
        vectorized=True,
        rng=np.random.default_rng(1),
    )
    return float(found.pvalue)


@pytest.mark.parametrize("seed", range(5))
def test_all_sign_patterns_give_scipys_exact_p(seed: int) -> None:
    values = differences(10, seed)
    assert randomisation_p([values], seed=0) == pytest.approx(scipy_p(values, np.inf), abs=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_sampled_sign_patterns_agree_with_scipy_and_with_the_exact_p(seed: int) -> None:
    long = differences(40, seed, shift=0.05)
    assert randomisation_p([long], seed=0) == pytest.approx(scipy_p(long, 50_000), abs=0.01)
    short = differences(14, seed)
    exact = randomisation_p([short], seed=0)
    assert randomisation_p([short], seed=0, permutations=16_000) == pytest.approx(exact, abs=0.015)


def test_a_sampled_p_is_never_zero_and_is_repeatable() -> None:
    values = [[0.5 + 0.001 * i for i in range(60)]]
    assert randomisation_p(values, seed=3, permutations=999) == 1 / 1000
    noisy = [differences(50, 7)]
    assert randomisation_p(noisy, seed=3) == randomisation_p(noisy, seed=3)


@pytest.mark.parametrize("sizes", [(6,), (4, 5), (2, 3, 4), (1, 8)])
def test_strata_are_flipped_within_and_averaged_over_collections(sizes: tuple[int, ...]) -> None:
    strata = [differences(n, n) for n in sizes]
    flat = [value / (len(stratum) * len(strata)) for stratum in strata for value in stratum]
    patterns = itertools.product((1, -1), repeat=len(flat))
    sums = [sum(sign * value for sign, value in zip(signs, flat, strict=True)) for signs in patterns]
    expected = sum(abs(one) >= abs(sum(flat)) - 1e-12 for one in sums) / len(sums)
    assert mean(strata) == pytest.approx(sum(flat))
    assert randomisation_p(strata, seed=0) == pytest.approx(expected)


def test_queries_that_do_not_differ_change_no_p() -> None:
    values = differences(8, 2)
    assert randomisation_p([values + [0.0] * 500], seed=0) == randomisation_p([values], seed=0)


def test_the_test_rejects_a_true_null_at_its_level() -> None:
    rng = np.random.default_rng(5)
    p = [randomisation_p([rng.normal(0, 1, 10).tolist()], seed=0) for _ in range(600)]
    assert 0.025 <= np.mean(np.array(p) <= 0.05) <= 0.075


@pytest.mark.parametrize("n", [2, 3, 6, 43, 200])
def test_the_paired_t_test_is_scipys(n: int) -> None:
    values = np.array(differences(n, n))
    theirs = scipy.stats.ttest_rel(values, np.zeros(n)).pvalue
    assert paired_t_p([values.tolist()]) == pytest.approx(theirs, rel=1e-9)


def test_the_t_test_over_two_collections_is_welchs() -> None:
    one, two = differences(12, 1), [3 * value for value in differences(30, 2)]
    theirs = scipy.stats.ttest_ind(one, [-value for value in two], equal_var=False).pvalue
    assert paired_t_p([one, two]) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("strata", [[[0.0] * 9], [[0.0] * 9, [0.0] * 4]])
def test_identical_systems_do_not_differ_significantly(strata: list[list[float]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert randomisation_p(strata, seed=0) == 1.0
        assert paired_t_p(strata) == 1.0
        assert effect_size(strata) == 0.0


@pytest.mark.parametrize("strata", [[[0.1] * 9], [[0.1, 0.1], [0.3, 0.3]], [[0.1, 0.2, 0.4], [0.3]]])
def test_without_a_variance_there_is_no_t_test_and_no_effect_size(strata: list[list[float]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert paired_t_p(strata) is None
        assert effect_size(strata) is None
        assert randomisation_p(strata, seed=0) <= 1.0


def test_effect_size_is_the_mean_in_standard_deviations() -> None:
    assert effect_size([[1.0, 2.0, 3.0]]) == pytest.approx(2.0)
    assert effect_size([[1.0, 2.0, 3.0], [0.0, 2.0]]) == pytest.approx(1.5 / np.sqrt((1 + 2) / 2))
    assert effect_size([[1.0, 2.0, 3.0], [0.0, 2.0]], [3, 1]) == pytest.approx(1.75 / np.sqrt((3 + 2) / 4))


@pytest.mark.parametrize("n", [12, 43, 225])
def test_the_minimum_detectable_difference_is_found_with_the_stated_power(n: int) -> None:
    rng = np.random.default_rng(7)
    deviation = 0.2
    sample = rng.normal(0, 1, n)
    sample = deviation * (sample - sample.mean()) / sample.std(ddof=1)
    found = minimum_detectable_difference(sample.tolist())
    assert found is not None
    drawn = rng.normal(found, deviation, (4000, n))
    p = scipy.stats.ttest_1samp(drawn, 0.0, axis=1).pvalue
    # The quantiles' sum is an approximation of the noncentral t: within 3 points of power from 12 queries on.
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.03)


def test_without_a_variance_there_is_no_minimum_detectable_difference() -> None:
    for values in ([0.1], [0.1, 0.1, 0.1], [0.0, 0.0]):
        assert minimum_detectable_difference(values) is None


def test_holm_equals_examples_computed_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, None, 0.6, None]) == [1.0, None, 1.0, None]
    assert holm([None]) == [None]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_never_lowers_a_p_keeps_their_order_and_stays_below_bonferroni(p_values: list[float]) -> None:
    corrected = [p for p in holm(p_values) if p is not None]
    pairs = sorted(zip(p_values, corrected, strict=True))
    assert all(p <= c <= min(1.0, p * len(p_values)) for p, c in pairs)
    assert [c for _, c in pairs] == sorted(corrected)


def test_the_bootstrap_interval_agrees_with_scipys() -> None:
    values = np.random.default_rng(4).beta(2, 2, 60)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(2)
    ).confidence_interval
    ours = bootstrap_interval([values.tolist()], seed=13)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.004)
    assert ours == bootstrap_interval([values.tolist()], seed=13)


def test_the_bootstrap_over_collections_weighs_collections_alike() -> None:
    wide, narrow = [0.0, 1.0] * 5, [0.5] * 1000
    low, high = bootstrap_interval([wide, narrow], seed=1)
    alone = bootstrap_interval([wide], seed=1)
    assert (low, high) == pytest.approx([(end + 0.5) / 2 for end in alone], abs=0.03)


def test_the_interval_of_one_query_is_its_value() -> None:
    assert bootstrap_interval([[0.25]], seed=0) == (0.25, 0.25)


def test_rounding_is_neither_a_win_nor_a_loss() -> None:
    assert wins_ties_losses([[0.1, 0.0, -0.2], [0.3 - (0.1 + 0.2), 0.5]]) == (2, 2, 1)


def test_an_empty_collection_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one query"):
        randomisation_p([[0.1], []], seed=0)
