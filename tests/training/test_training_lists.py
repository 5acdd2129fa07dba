"""Training lists: the published form, its mistakes by line, sampling by source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_lists import toy_lists

from e2rank_eval.errors import InputError
from e2rank_eval.training.lists import TrainingList, dense_ranks, read_lists, sample_sources, write_lists

RIGHT = {"query": "q", "document": ["a", "b", "c"], "ranking": [2, 3, 1], "source": "s"}


def _write(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    return path


def test_the_published_form_is_read(shared_data: Path) -> None:
    lists = read_lists(shared_data / "listwise" / "train.jsonl")
    assert len(lists) == 100
    assert lists[0].ranks[2] == 1  # its ranking begins with 3
    assert sorted(lists[0].ranks) == list(range(1, 21))
    assert {item.source for item in lists} == {"msmarco"}


def test_a_ranking_may_be_partial_and_tie(tmp_path: Path) -> None:
    (item,) = read_lists(_write(tmp_path / "s.jsonl", RIGHT | {"ranking": [[3, 1]], "positives": [3]}))
    assert item.ranks == (1, 2, 1)
    assert item.labelled == item.positives == (2,)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ranking": [1, 4]}, "ranking names 4"), ({"ranking": [1, 1]}, "ranking names 1"),
        ({"ranking": [0]}, "ranking names 0"), ({"ranking": [[], 1]}, "empty group"),
        ({"ranking": [[1, 2, 3]]}, "all documents tie"), ({"ranking": ["1"]}, "ranking.0"),
        ({"document": ["a"]}, "document"), ({"document": ["a", None]}, "document.1"),
        ({"query": ""}, "query"), ({"positives": [4]}, "positives"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line(tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = _write(tmp_path / "s.jsonl", RIGHT, RIGHT | change)
    with pytest.raises(InputError, match=problem) as caught:
        read_lists(path)
    assert caught.value.line == 2


def test_a_file_without_lists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text("\n")
    with pytest.raises(InputError, match="no training list"):
        read_lists(path)


@given(st.data())
def test_writing_and_reading_gives_the_same_lists(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    ranks = dense_ranks(data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=6)))
    if len(set(ranks)) < 2:
        return
    labelled = tuple(sorted(data.draw(st.sets(st.integers(0, len(ranks) - 1)))))
    item = TrainingList("q", tuple("abcdef"[: len(ranks)]), ranks, "s", labelled)
    path = tmp_path_factory.mktemp("lists") / "s.jsonl"
    write_lists(path, [item])
    assert read_lists(path) == [item]


def test_sampling_keeps_at_most_so_many_of_each_source_in_order() -> None:
    lists = toy_lists(30, source="many") + toy_lists(5, source="few")
    kept = sample_sources(lists, 10, seed=3)
    assert [sum(s.source == name for s in kept) for name in ("many", "few")] == [10, 5]
    assert kept == [item for item in lists if item in kept]
    assert kept == sample_sources(lists, 10, seed=3) != sample_sources(lists, 10, seed=4)


def test_cutting_a_list_keeps_its_best_document_and_one_below() -> None:
    item = TrainingList("q", ("a", "b", "c", "d"), (3, 2, 4, 1))
    assert item.cut(2) == TrainingList("q", ("a", "d"), (2, 1))
    assert item.cut(4) is item
    many = TrainingList("q", ("a", "b", "c", "d"), (1, 1, 1, 2), labelled=(0, 1, 2))
    assert many.cut(2) == TrainingList("q", ("a", "d"), (1, 2), labelled=(0,)), "not all of it ties"
