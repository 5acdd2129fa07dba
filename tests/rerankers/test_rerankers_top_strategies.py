"""Strategies for the top of a list: permutations, correct tops under a perfect judge, numbers of calls."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.strategies import Bubble, FullList, Setwise, Strategy, TopDown, run_strategy

sizes = st.integers(2, 25)
top_downs = sizes.flatmap(
    lambda size: st.integers(1, size).flatmap(
        lambda top: st.builds(TopDown, st.just(size), st.just(top), st.none() | st.integers(top, 60))
    )
)
setwises = st.builds(Setwise, sizes, st.integers(1, 210))
bubbles = st.builds(Bubble, st.integers(1, 8))
anything: st.SearchStrategy[Strategy] = top_downs | setwises | bubbles | st.just(FullList())


def run(strategy: Strategy, keys: Sequence[float]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The order that a judge who knows every ``key`` gives, and the windows it was asked for."""
    asked: list[tuple[int, ...]] = []

    def judge(window: Sequence[int]) -> list[int]:
        asked.append(tuple(window))
        return sorted(window, key=lambda position: -keys[position])

    return run_strategy(strategy, len(keys), judge), asked


@given(anything, st.integers(0, 200), st.integers(0, 10**6))
def test_any_judge_however_inconsistent_gives_a_permutation(
    strategy: Strategy, count: int, seed: int
) -> None:
    moods = random.Random(seed)
    calls = 0

    def judge(window: Sequence[int]) -> list[int]:
        nonlocal calls
        calls += 1
        assert len(set(window)) == len(window) > 1
        return moods.sample(list(window), len(window))

    assert sorted(run_strategy(strategy, count, judge)) == list(range(count))
    assert calls <= strategy.calls(count)


@given(st.data(), st.integers(0, 200))
def test_a_perfect_judge_brings_the_promised_top(data: st.DataObject, count: int) -> None:
    keys = data.draw(st.permutations(range(count)))
    unlimited = top_downs.map(lambda one: TopDown(one.size, one.top))
    strategy = data.draw(unlimited | setwises | bubbles)
    top = strategy.passes if isinstance(strategy, Bubble) else strategy.top
    order, asked = run(strategy, keys)
    assert [keys[position] for position in order[:top]] == sorted(keys, reverse=True)[:top]
    if not isinstance(strategy, Bubble):
        assert all(len(window) <= strategy.size for window in asked)


def test_a_good_first_stage_takes_one_round_of_top_down() -> None:
    """Nothing beats the pivot, so each partition is seen once and the order stands."""
    order, asked = run(TopDown(20, 10), [-position for position in range(100)])
    assert order == tuple(range(100))
    assert asked[0] == tuple(range(20))
    assert asked[1:] == [(9, *range(start, min(start + 19, 100))) for start in range(20, 100, 19)]
    assert len(asked) == 1 + 5


def test_top_down_orders_what_beats_the_pivot_in_a_further_window() -> None:
    keys = [-float(position) for position in range(40)]
    keys[35] = 1.0
    order, asked = run(TopDown(20, 10), keys)
    assert order[:11] == (35, *range(10))
    assert asked[-1] == (*range(9), 35)


def test_a_budget_passes_partitions_over_and_keeps_their_order() -> None:
    keys = [float(position) for position in range(100)]
    order, asked = run(TopDown(20, 10, budget=20), keys)
    assert {position for window in asked for position in window} == set(range(39))
    assert order[:2] == (38, 37)
    assert order[-61:] == tuple(range(39, 100))


@pytest.mark.parametrize("count", [0, 1, 2, 20, 21, 39, 40, 100, 200])
def test_top_down_calls_lie_between_one_round_and_the_bound(count: int) -> None:
    strategy = TopDown(20, 10)
    best = 1 + -(-(count - 20) // 19) if count > 20 else int(count > 1)
    for keys in ([float(i) for i in range(count)], [-float(i) for i in range(count)]):
        assert best <= len(run(strategy, keys)[1]) <= strategy.calls(count)
    assert len(run(strategy, [-float(i) for i in range(count)])[1]) == best


def test_setwise_is_heap_sort_with_the_other_documents_below_in_their_order() -> None:
    keys = [3.0, 9.0, 1.0, 7.0, 5.0, 8.0, 2.0]
    order, asked = run(Setwise(size=4, top=2), keys)
    assert asked == [(1, 4, 5, 6), (0, 1, 2, 3), (0, 4, 5, 6), (6, 5, 2, 3), (6, 4, 0)]
    assert order == (1, 5, 0, 2, 3, 4, 6)


def test_setwise_needs_only_the_first_place_of_a_window() -> None:
    keys = random.Random(3).sample(range(80), 80)

    def judge(window: Sequence[int]) -> list[int]:
        best = max(window, key=lambda position: keys[position])
        return [best, *(position for position in window if position != best)]

    order = run_strategy(Setwise(4, 10), 80, judge)
    assert [keys[position] for position in order[:10]] == list(range(79, 69, -1))


@pytest.mark.parametrize(("count", "top", "bound"), [(2, 1, 1), (4, 2, 2), (5, 1, 3), (13, 1, 5)])
def test_setwise_calls_stay_within_the_heights_of_the_heap(count: int, top: int, bound: int) -> None:
    strategy = Setwise(4, top)
    assert strategy.calls(count) == bound
    assert len(run(strategy, [float(i) for i in range(count)])[1]) <= bound


@given(bubbles, st.integers(0, 60))
def test_bubble_calls_are_exact(strategy: Bubble, count: int) -> None:
    _, asked = run(strategy, [0.0] * count)
    assert len(asked) == strategy.calls(count)


def test_bubble_calls_of_the_paper() -> None:
    assert Bubble(10).calls(100) == 10 * 99 - 45
    assert Bubble(10).calls(3) == 3
    assert Bubble(1).calls(1) == Bubble(1).calls(0) == 0


@pytest.mark.parametrize(
    "build",
    [
        lambda: TopDown(1, 1),
        lambda: TopDown(20, 0),
        lambda: TopDown(20, 21),
        lambda: TopDown(20, 10, 9),
        lambda: Setwise(1, 1),
        lambda: Setwise(4, 0),
        lambda: Bubble(0),
    ],
)
def test_sizes_without_meaning_are_refused(build: object) -> None:
    with pytest.raises(InputError):
        build()  # type: ignore[operator]
