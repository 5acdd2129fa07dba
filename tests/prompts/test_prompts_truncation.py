"""Fair shares of a token budget and the cut to a number of words, by their properties."""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.models import truncation
from e2rank_eval.models.truncation import cut_words, share_budget

lengths = st.lists(st.integers(0, 3000), max_size=40)
budgets = st.integers(0, 20_000)


@given(lengths, budgets)
def test_shares_fit_and_waste_less_than_one_token_each(lengths: list[int], budget: int) -> None:
    shares = share_budget(lengths, budget)
    cut = [share for share, length in zip(shares, lengths, strict=True) if share < length]
    assert all(0 <= share <= length for share, length in zip(shares, lengths, strict=True))
    assert sum(shares) <= budget
    assert not cut or sum(shares) > budget - len(cut)


@given(lengths, budgets)
def test_cut_texts_keep_the_same_and_no_text_keeps_more(lengths: list[int], budget: int) -> None:
    shares = share_budget(lengths, budget)
    cut = {share for share, length in zip(shares, lengths, strict=True) if share < length}
    assert len(cut) <= 1
    assert not cut or max(shares) == cut.pop()


@given(lengths, budgets, st.integers(0, 5000))
def test_a_larger_budget_takes_from_none(lengths: list[int], budget: int, more: int) -> None:
    small, large = share_budget(lengths, budget), share_budget(lengths, budget + more)
    assert all(a <= b for a, b in zip(small, large, strict=True))


@given(lengths, budgets)
def test_shares_do_not_depend_on_the_order(lengths: list[int], budget: int) -> None:
    assert share_budget(lengths[::-1], budget) == share_budget(lengths, budget)[::-1]


def test_a_negative_budget_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        share_budget([1], -1)


@given(st.lists(st.sampled_from(["a", "bc", " ", "\n", "\t", "\u00a0", "\u2003", ""])), st.integers(0, 12))
def test_cut_words_keeps_exactly_the_first_words(parts: list[str], limit: int) -> None:
    text = "".join(parts)
    with patch.object(truncation, "DOCUMENT_WORDS", limit):
        cut = cut_words(text)
    assert cut.split() == text.split()[:limit]
    assert text.startswith(cut)
    if len(text.split()) <= limit:
        assert cut == text


def test_documents_are_cut_at_1024_words_by_default() -> None:
    assert cut_words("word " * 1024) == "word " * 1024
    assert cut_words("word " * 1025) == "word " * 1023 + "word"
