"""Windows over lists of any length: coverage, order, number of calls, lock-step."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.strategies import FullList, SlidingWindow, Strategy, run_strategy, run_together

sliding_windows = st.integers(2, 25).flatmap(
    lambda size: st.builds(SlidingWindow, st.just(size), st.integers(1, size))
)


def run(strategy: Strategy, keys: Sequence[float]) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    """The order that a judge who knows every ``key`` gives, and the windows it was asked for."""
    asked: list[tuple[int, ...]] = []

    def judge(window: Sequence[int]) -> list[int]:
        asked.append(tuple(window))
        return sorted(window, key=lambda position: -keys[position])

    return run_strategy(strategy, len(keys), judge), asked


@given(sliding_windows, st.lists(st.floats(0, 1), max_size=120))
def test_any_judge_gives_a_permutation_in_the_calls_foretold(
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
    """Windows overlap by size - step, and so many documents can rise from the bottom to the top."""
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


def test_later_windows_hold_what_earlier_ones_moved_up() -> None:
    order, asked = run(SlidingWindow(2, 1), [0, 0.5, 1])
    assert asked == [(1, 2), (0, 2)]
    assert order == (2, 0, 1)


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


@pytest.mark.parametrize(("size", "step"), [(1, 1), (0, 0), (20, 0), (20, -1), (20, 21)])
def test_sizes_that_would_loop_or_pass_documents_over_are_refused(size: int, step: int) -> None:
    with pytest.raises(InputError):
        SlidingWindow(size, step)
