"""A teacher's order becomes ranks; malformed rankings are dropped, and its accuracy is computed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking
from e2rank_eval.training.lists import TrainingList, read_lists
from e2rank_eval.training.teachers import label_with_reranker, write_labels


class LongestFirst:
    """A teacher whose output needs repair for queries that ask for the sun."""

    fingerprint = "longest-first"

    def encode_documents(self, documents: Sequence[Document]) -> None:
        pass

    def _rank(self, query: Query, candidates: CandidateList) -> Ranking:
        lengths = [len(one.text) for one in candidates.documents]
        order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        return Ranking(
            candidates, tuple(order), QueryStats(repairs={"missing": 2} if "sun" in query.text else {})
        )

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        return [self._rank(*pair) for pair in zip(queries, candidates, strict=True)]


LISTS = [
    TrainingList("gravity", ("a", "bbb", "cc"), (1, 2, 3), "s", (1,)),
    TrainingList("the sun", ("a", "b"), (1, 2), "s", (0,)),
    TrainingList("heat", ("dd", "ee", "f"), (1, 2, 3), "s", (1,)),
]


def test_a_malformed_label_is_dropped_and_counted(tmp_path: Path) -> None:
    labels = label_with_reranker(LISTS, LongestFirst())
    assert [item.ranks for item in labels.lists] == [(3, 1, 2), (1, 2, 3)]
    write_labels(tmp_path / "out.jsonl", labels)
    assert read_lists(tmp_path / "out.jsonl") == labels.lists
    assert json.loads((tmp_path / "out.jsonl.summary.json").read_text()) == {
        "labelled": 2, "dropped": 1, "malformed": {"missing": 1}, "known_positives": 2, "accuracy": 0.5,
    }  # fmt: skip
    nothing = label_with_reranker(LISTS[1:2], LongestFirst())
    assert nothing.summary()["accuracy"] is None
    with pytest.raises(InputError, match="malformed for every list"):
        write_labels(tmp_path / "none.jsonl", nothing)
