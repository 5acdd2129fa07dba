"""Labelling: what a teacher ranks, what is dropped, and how often the known positive comes first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_lists import toy_lists

from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import Models
from e2rank_eval.records import CandidateList, Document, Query, Ranking, Trace
from e2rank_eval.training.labelling import Labels, label_with_reranker, label_with_teacher, write_labels
from e2rank_eval.training.lists import TrainingList, read_lists
from e2rank_eval.training.teachers import KnowingTeacher


class LongestFirst:
    """A teacher whose output needs repair for queries that ask for the sun."""

    fingerprint = "longest-first"

    def prepare(self, documents: Sequence[Document]) -> None:
        pass

    def rank(self, query: Query, candidates: CandidateList) -> Ranking:
        lengths = [len(one.text) for one in candidates.documents]
        order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
        return Ranking(candidates, tuple(order), Trace(repairs={"missing": 2} if "sun" in query.text else {}))

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        return [self.rank(*pair) for pair in zip(queries, candidates, strict=True)]


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


def test_nothing_is_written_where_everything_was_malformed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="malformed for every training list"):
        write_labels(tmp_path / "out.jsonl", label_with_reranker(LISTS[1:2], LongestFirst()))
    assert Labels().summary()["accuracy"] is None


def test_a_teacher_that_knows_the_answer_orders_by_query_plus_positive(workplace: Path) -> None:
    encoder = Models(workplace / "cache", threads=1).encoder("tiny-bert")
    lists = [replace(item, labelled=(item.best,)) for item in toy_lists(6)]
    labels = label_with_teacher(lists, KnowingTeacher(encoder))
    for item, labelled in zip(lists, labels.lists, strict=True):
        documents = encoder.encode(item.documents, "document").vectors.astype(float)
        query = encoder.encode([item.query], "query").vectors[0]
        scores = documents @ query + documents @ documents[item.best]
        assert np.argsort(labelled.ranks).tolist() == np.argsort(-scores).tolist()
    heavy = label_with_teacher(lists, KnowingTeacher(encoder, 100.0))
    assert heavy.summary()["accuracy"] == 1.0
    with pytest.raises(InputError, match="no known positive"):
        label_with_teacher(toy_lists(1), KnowingTeacher(encoder))
