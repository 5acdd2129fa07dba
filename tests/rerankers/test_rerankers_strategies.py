"""Strategies over lists of any length: permutations, coverage, correct tops, numbers of calls, lock-step."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.strategies import (
    Bubble,
    FullList,
    Setwise,
    SlidingWindow,
    Strategy,
    TopDown,
    run_strategy,
    run_together,
)

sliding_windows = st.integers(2, 25).flatmap(
    lambda size: st.builds(SlidingWindow, st.just(size), st.integers(1, size))
)


sizes = st.integers(2, 25)
top_downs = sizes.flatmap(
    lambda size: st.integers(1, size).flatmap(
        lambda top: st.builds(TopDown, st.just(size), st.just(top), st.none() | st.integers(top, 60))
    )
)
setwises = st.builds(Setwise, sizes, st.integers(1, 210))
bubbles = st.builds(Bubble, st.integers(1, 8))
fixed: st.SearchStrategy[Strategy] = sliding_windows | bubbles | st.just(FullList())
anything: st.SearchStrategy[Strategy] = fixed | top_downs | setwises


def run(strategy: Strategy, keys: Sequence[float]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The order that a judge who knows every ``key`` gives, and the windows it was asked for."""
    asked: list[tuple[int, ...]] = []

    def judge(window: Sequence[int]) -> list[int]:
        asked.append(tuple(window))
        return sorted(window, key=lambda position: -keys[position])

    return run_strategy(strategy, len(keys), judge), asked


@given(sliding_windows, st.lists(st.floats(0, 1), max_size=120))
def test_any_judge_gives_a_permutation_in_the_predicted_calls(
    strategy: SlidingWindow, keys: list[float]
) -> None:
    order, asked = run(strategy, keys)
    assert sorted(order) == list(range(len(keys)))
    assert len(asked) == strategy.calls(len(keys))
    assert all(len(window) == min(strategy.size, len(keys)) for window in asked[:-1])
    assert all(1 < len(window) <= strategy.size for window in asked)
    seen = {position for window in asked for position in window}
    # Windows that do not overlap can leave the top document by itself, with nothing to compare it to.
    alone = strategy.step == strategy.size and len(keys) % strategy.size == 1
    assert seen == set(range(int(alone), len(keys))) or len(keys) < 2


@given(sliding_windows, st.permutations(range(60)))
def test_a_perfect_judge_brings_the_best_to_the_top(strategy: SlidingWindow, keys: list[int]) -> None:
    """Windows overlap by size - step documents, the number that can rise from the bottom to the top."""
    order, asked = run(strategy, keys)
    carried = strategy.size - strategy.step
    assert [keys[position] for position in order[:carried]] == list(range(59, 59 - carried, -1))
    assert set(asked[-1]) == set(order[: len(asked[-1])])


def test_windows_of_the_paper_are_those_of_rankgpt() -> None:
    _, asked = run(SlidingWindow(20, 10), [-position for position in range(100)])
    assert asked == [tuple(range(start, start + 20)) for start in range(80, -1, -10)]


@pytest.mark.parametrize(
    ("strategy", "count", "windows"),
    [
        (SlidingWindow(4, 3), 9, [(5, 6, 7, 8), (2, 3, 4, 5), (0, 1, 2)]),
        (SlidingWindow(4, 4), 9, [(5, 6, 7, 8), (1, 2, 3, 4)]),
        (SlidingWindow(20, 10), 25, [tuple(range(5, 25)), tuple(range(15))]),
    ],
)
def test_where_step_does_not_divide_the_last_window_is_what_remains(
    strategy: SlidingWindow, count: int, windows: list[tuple[int, ...]]
) -> None:
    _, asked = run(strategy, [-position for position in range(count)])
    assert asked == windows


@pytest.mark.parametrize(
    ("count", "calls"), [(0, 0), (1, 0), (2, 1), (20, 1), (21, 2), (30, 2), (31, 3), (100, 9)]
)
def test_number_of_calls(count: int, calls: int) -> None:
    strategy = SlidingWindow(20, 10)
    assert strategy.calls(count) == calls
    assert len(run(strategy, [0.0] * count)[1]) == calls
    assert FullList().calls(count) == len(run(FullList(), [0.0] * count)[1]) == int(count > 1)


@given(st.permutations(range(30)))
def test_full_list_is_the_judges_own_order(keys: list[int]) -> None:
    order, _ = run(FullList(), keys)
    assert [keys[position] for position in order] == sorted(keys, reverse=True)


@given(sliding_windows, st.lists(st.lists(st.floats(0, 1), max_size=50), max_size=5))
def test_lists_together_are_ordered_as_one_by_one(strategy: SlidingWindow, lists: list[list[float]]) -> None:
    rounds = 0

    def judge(windows: Sequence[tuple[int, tuple[int, ...]]]) -> list[list[int]]:
        nonlocal rounds
        rounds += 1
        return [sorted(window, key=lambda p, keys=lists[i]: -keys[p]) for i, window in windows]

    together = run_together(strategy, [len(keys) for keys in lists], judge)
    assert together == [run(strategy, keys)[0] for keys in lists]
    assert rounds == max((strategy.calls(len(keys)) for keys in lists), default=0)


@pytest.mark.parametrize("answer", [[0, 0], [0], [0, 1, 2], [1, 2], []])
def test_a_judge_that_returns_no_permutation_is_stopped(answer: list[int]) -> None:
    for strategy in (SlidingWindow(2, 1), FullList()):
        with pytest.raises(ValueError, match="not a permutation of the window"):
            run_strategy(strategy, 2, lambda _: answer)


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


def test_a_budget_skips_partitions_and_keeps_their_order() -> None:
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


def test_bubble_calls_of_the_paper() -> None:
    assert Bubble(10).calls(100) == 10 * 99 - 45
    assert Bubble(10).calls(3) == 3
    assert Bubble(1).calls(1) == Bubble(1).calls(0) == 0


@given(fixed, st.integers(0, 60), st.integers(0, 10**6))
def test_calls_are_exact_where_answers_do_not_decide_them(strategy: Strategy, count: int, seed: int) -> None:
    _, asked = run(strategy, random.Random(seed).sample(range(count), count))
    assert len(asked) == strategy.calls(count)


@pytest.mark.parametrize(
    ("strategy", "arguments"),
    [
        *((SlidingWindow, one) for one in [(1, 1), (0, 0), (20, 0), (20, -1), (20, 21)]),
        *((TopDown, one) for one in [(1, 1), (20, 0), (20, 21), (20, 10, 9)]),
        *((Setwise, one) for one in [(1, 1), (4, 0)]),
        (Bubble, (0,)),
    ],
    ids=str,
)
def test_sizes_that_would_loop_or_skip_documents_are_refused(
    strategy: type[Strategy], arguments: tuple[int, ...]
) -> None:
    with pytest.raises(InputError):
        strategy(*arguments)
