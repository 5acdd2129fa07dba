"""Groups under a token budget."""

from __future__ import annotations

from itertools import pairwise

from e2rank_eval.models.language_models.batching import batches
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.integers(1, 500)), st.integers(1, 2000))
def test_every_position_once_within_the_budget(lengths: list[int], budget: int) -> None:
    groups = batches(lengths, budget)
    assert sorted(position for group in groups for position in group) == list(range(len(lengths)))
    for group in groups:
        assert len(group) == 1 or len(group) * max(lengths[position] for position in group) <= budget


@given(st.lists(st.integers(1, 500)), st.integers(1, 2000))
def test_groups_hold_neighbours_in_length_and_are_filled(lengths: list[int], budget: int) -> None:
    groups = batches(lengths, budget)
    for group, following in pairwise(groups):
        longest = max(lengths[position] for position in group)
        assert min(lengths[position] for position in group) >= max(lengths[p] for p in following)
        assert (len(group) + 1) * longest > budget
