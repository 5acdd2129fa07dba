"""Teachers: the orders that they give, what is dropped, and how often the known positive comes first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from e2rank_eval.config.training_lists import BlendSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.sparse import load_sparse_encoder
from e2rank_eval.models.loading import Models
from e2rank_eval.records import CandidateList, Dataset, Document, ListwiseInput, Query, QueryStats, Ranking
from e2rank_eval.training.lists import TrainingList, read_lists
from e2rank_eval.training.teachers import (
    OracleTeacher,
    label_with_reranker,
    load_teacher,
    oracle_scores,
    rank_lists,
    standardised,
    unranked_lists,
    write_labels,
)


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


def test_the_oracle_scores_by_the_query_and_the_mean_of_the_positives() -> None:
    documents = np.eye(3, dtype=np.float32)
    query = np.array([0.0, 0.0, 1.0], dtype=np.float32)
    assert oracle_scores(query, documents, [0]) == pytest.approx([2**-0.5, 0.0, 2**-0.5], abs=1e-6)
    assert oracle_scores(query, documents, [0, 1]) == pytest.approx([0.5, 0.5, 2**-0.5], abs=1e-6)


def test_standardised_scores_forget_their_scale() -> None:
    scores = np.array([3.0, 1.0, 2.0])
    assert standardised(scores) == pytest.approx([1.5**0.5, -(1.5**0.5), 0.0])
    assert standardised(7 * scores - 2) == pytest.approx(standardised(scores))
    assert standardised(np.full(3, 0.1 + 0.2)).tolist() == [0.0, 0.0, 0.0]


def test_a_blend_adds_the_scores_of_both_models(fetch_cache: Path) -> None:
    """Against the sum written out with each model called alone; and the oracle on the same lists."""
    texts = (
        "The river Rhine rises in the Alps and flows into the North Sea.",
        "Paris is the capital and the largest city of France.",
        "Berlin has been the capital of Germany since reunification.",
        "Bread is baked from flour, water and yeast.",
    )
    corpus = {str(place): Document(str(place), text) for place, text in enumerate(texts)}
    query = Query("q", "what is the capital of france")
    capitals = unranked_lists(Dataset("capitals", corpus, {"q": query}, {"q": {"1": 1}}, {}), 4)
    models = Models(fetch_cache, threads=1)
    dense = models.encoder("all-minilm-l6-v2")
    (known,) = rank_lists(capitals, OracleTeacher(dense))
    with pytest.raises(InputError, match="no known positive"):
        rank_lists([replace(known, labelled=())], OracleTeacher(dense))
    assert [known.documents[place] for place in known.labelled] == [texts[1]]
    assert known.labelled == (known.best,)
    settings = BlendSettings(sparse="splade-tiny-msmarco", weight=0.5, documents=2)
    (item,) = rank_lists(capitals, load_teacher(models, "all-minilm-l6-v2", settings))
    sparse = load_sparse_encoder(models.resolve("splade-tiny-msmarco"))
    enriched = dense.encode_listwise([ListwiseInput(item.query, item.documents[:2])]).vectors[0]
    vector = dense.encode([item.query], "query").vectors[0] + enriched
    ours = dense.encode(list(item.documents), "document").vectors @ vector
    asked = sparse.encode([item.query], "query").vectors
    theirs = (sparse.encode(item.documents, "document").vectors @ asked.T).toarray()
    total = (ours - ours.mean()) / ours.std() + 0.5 * (theirs[:, 0] - theirs.mean()) / theirs.std()
    assert np.argsort(-total).tolist() == np.argsort(item.ranks).tolist()
    assert item.documents[item.best] == texts[1]
