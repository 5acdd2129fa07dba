"""Batches cover every sequence once and keep its padded length its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.models.batching import padded_length, plan_batches

LENGTHS = st.lists(st.integers(1, 500), max_size=60)


@given(LENGTHS, st.integers(16, 3000), st.integers(0, 600))
def test_every_sequence_is_in_one_batch_of_its_own_padded_length(
    lengths: list[int], batch_tokens: int, least_tokens: int
) -> None:
    batches = plan_batches(lengths, 500, batch_tokens=batch_tokens, least_tokens=least_tokens)
    assert sorted(p for batch in batches for p in batch.positions) == list(range(len(lengths)))
    for batch in batches:
        assert {padded_length(lengths[p], 500) for p in batch.positions} == {batch.length}
        assert len(batch.positions) == 1 or len(batch.positions) * batch.length <= batch_tokens
        rows = len(batch.positions) + batch.filler
        assert rows * batch.length >= least_tokens
        assert batch.filler == 0 or (rows - 1) * batch.length < least_tokens


@given(st.integers(1, 500))
def test_padding_is_short_and_within_the_window(tokens: int) -> None:
    assert tokens <= padded_length(tokens, 500) <= min(500, tokens + 15)
