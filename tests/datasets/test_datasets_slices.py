"""Slices hold a seeded part of the queries and all that belongs to them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.datasets.slices import cut, sample
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query

identifiers = st.lists(st.text(min_size=1, max_size=5), unique=True, min_size=1, max_size=30)
seeds = st.integers(min_value=0, max_value=2**40)


def _dataset(query_ids: list[str]) -> Dataset:
    return Dataset(
        id="toy",
        corpus={"d": Document("d", "text")},
        queries={i: Query(i, f"query {i}") for i in query_ids},
        qrels={i: {"d": n} for n, i in enumerate(query_ids)},
        exclusions={i: frozenset({"x"}) for i in query_ids[::2]},
    )


@given(identifiers, seeds, st.data())
def test_a_slice_is_a_part_with_its_judgements_and_exclusions(query_ids, seed, data):
    dataset = _dataset(query_ids)
    number = data.draw(st.integers(min_value=1, max_value=len(query_ids)))
    part = cut(dataset, number, seed=seed)
    assert len(part.queries) == number
    assert part.queries.items() <= dataset.queries.items()
    assert part.qrels == {i: dataset.qrels[i] for i in part.queries}
    assert part.exclusions == {i: e for i, e in dataset.exclusions.items() if i in part.queries}
    assert part.corpus is dataset.corpus
    assert list(part.queries) == [i for i in query_ids if i in part.queries]
    if number < len(query_ids):
        assert part.queries.keys() <= cut(dataset, number + 1, seed=seed).queries.keys()


@given(identifiers, seeds, st.integers(min_value=0, max_value=30), st.randoms())
def test_a_sample_does_not_depend_on_the_order_given(items, seed, number, random):
    shuffled = list(items)
    random.shuffle(shuffled)
    kept = sample(items, number, seed=seed, purpose="test")
    assert set(kept) == set(sample(shuffled, number, seed=seed, purpose="test"))


def test_samples_of_different_seeds_and_purposes_differ():
    items = [str(n) for n in range(1000)]
    drawn = [
        frozenset(sample(items, 100, seed=seed, purpose=purpose)) for seed in (1, 2) for purpose in ("a", "b")
    ]
    assert len(set(drawn)) == 4
    assert max(len(one & two) for one in drawn for two in drawn if one != two) < 30


def test_more_queries_than_there_are_is_an_error():
    with pytest.raises(InputError, match="a slice of 3 queries, but toy has 2; lower queries"):
        cut(_dataset(["a", "b"]), 3, seed=1)


def test_the_sample_of_a_seed_never_changes():
    """Published slices and the pydoc sample depend on this."""
    assert sample("abcdef", 3, seed=13, purpose="example") == ["b", "d", "e"]
