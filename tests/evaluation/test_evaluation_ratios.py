"""Ratios of times: paired, unaffected by load on both sides, and withheld where they are uncertain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.evaluation import samples
from e2rank_eval.store.results import Latency, Timing


@pytest.mark.parametrize(
    ("size", "known"), [(1, {50}), (19, {50}), (20, {50, 90}), (99, {50, 90}), (100, {50, 90, 99})]
)
def test_percentiles_need_samples(size: int, known: set[int]) -> None:
    found = {p: samples.percentile([float(i) for i in range(size)], p) for p in (50, 90, 99)}
    assert {p for p, value in found.items() if value is not None} == known
    assert found[50] == (size - 1) / 2


@given(st.lists(st.floats(0.01, 100), min_size=8, max_size=30), st.floats(0.1, 50), st.integers(0, 5))
def test_load_on_both_sides_of_a_round_does_not_change_the_ratio(
    loads: list[float], ratio: float, seed: int
) -> None:
    found = samples.paired_ratio([ratio * load for load in loads], loads, seed=seed)
    assert found is not None
    assert (found.value, *found.interval) == pytest.approx((ratio, ratio, ratio))
    assert found.narrow
    assert samples.paired_ratio(loads[:7], loads[:7], seed=seed) is None


def test_the_interval_covers_the_median_ratio_at_its_level() -> None:
    rng = np.random.default_rng(13)
    inside = 0
    for seed in range(200):
        ratios = 3 * rng.lognormal(0, 0.2, size=15)
        found = samples.paired_ratio(ratios, np.ones(15), seed=seed)
        assert found is not None
        inside += found.interval[0] <= 3 <= found.interval[1]
    assert inside >= 180


def latency(times: dict[tuple[str, str], Sequence[float]], busy: str | None = None) -> Latency:
    timings = [
        Timing(
            reranker=reranker, mode=mode, wall={"total": tuple(seconds)}, cpu={"total": tuple(seconds)},
            tokenising=0, prompt_tokens=0, document_tokens=0, output_tokens=0, candidates=1,
        )
        for (reranker, mode), seconds in times.items()
    ]  # fmt: skip
    return Latency(
        dataset="toy", first_stage="bm25", clock="cpu", queries=3, rounds=8, wanted=8, budget=60,
        timings=tuple(timings), sweep=(), skipped=(), load_seconds=0, peak_memory_bytes=None,
        device="A Plain Processor", threads=2, passive_waits=True, busy=busy,
    )  # fmt: skip


STEADY = [1.0, 1.1, 0.9, 1.0, 1.2, 1.0, 0.95, 1.0, 1.05]
WILD = [0.1, 3.0, 0.2, 2.0, 0.1, 4.0, 0.3, 5.0, 0.2]


@pytest.mark.parametrize("busy", [None, "machine busy: load 1.8 on 2 cores"])
def test_a_ratio_or_the_reason_for_its_absence_is_given(busy: str | None) -> None:
    slow = [4 * one for one in STEADY]
    measured = latency(
        {
            ("a", "online"): STEADY, ("b", "online"): WILD, ("c", "online"): slow,
            ("d", "online"): STEADY, ("d", "stored"): [30 * one for one in STEADY],
        },
        busy,
    )  # fmt: skip
    assert samples.misordered(measured, seed=13) == ["d"]
    assert samples.baseline(measured, seed=13).reranker == "c"
    a, b, c, *d = samples.speed_ups(measured, seed=13)
    assert isinstance(a, samples.Ratio)
    assert isinstance(c, samples.Ratio)
    assert (a.value, c.value) == pytest.approx((4, 1))
    assert b == (samples.BUSY if busy else samples.VARIES)
    assert d == [samples.ERROR, samples.ERROR]


def test_fewer_than_eight_pairs_give_no_ratio_and_no_error() -> None:
    few = latency({("a", "online"): STEADY[:7], ("a", "stored"): [9 * one for one in STEADY[:7]]})
    assert samples.speed_ups(few, seed=13) == [samples.FEW, samples.FEW]
    assert samples.misordered(few, seed=13) == []
