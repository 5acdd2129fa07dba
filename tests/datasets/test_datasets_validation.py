"""Errors and oddities of a data set are found and counted, and statistics describe it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from e2rank_eval.datasets.checks import check_counts, findings, statistics
from e2rank_eval.datasets.library import required_agreement
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.errors import InputError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.results import as_json

ODD = Dataset(
    id="odd",
    corpus={
        "d1": Document("d1", "same words here"),
        "d2": Document("d2", "same words here"),
        "d3": Document("d3", " ", title=""),
        "d4": Document("d4", "asks itself"),
        "d5": Document("d5", "excluded"),
    },
    queries={
        "q1": Query("q1", "asks itself"),
        "q2": Query("q2", "excluded"),
        "q3": Query("q3", "one two three"),
    },
    qrels={"q1": {"d1": 2, "gone": 1}, "q2": {"d1": 0}, "q3": {"d2": 1}},
    exclusions={"q2": frozenset({"d5"})},
)


def test_oddities_are_counted():
    assert findings(ODD) == {
        "empty documents": 1,
        "documents with a repeated text": 1,
        "judged documents not in the corpus": 1,
        "queries that are a document": 1,
        "queries without a relevant document": 1,
    }


def test_statistics_describe_lengths_and_grades():
    assert as_json(statistics(ODD)) == {
        "words_per_document": {"min": 0, "median": 2, "mean": 1.8, "max": 3},
        "words_per_query": {"min": 1, "median": 2, "mean": 2.0, "max": 3},
        "tokens_per_document": {"min": 0, "median": 2, "mean": 1.8, "max": 3},
        "tokens_per_query": {"min": 1, "median": 2, "mean": 2.0, "max": 3},
        "judgements_per_query": {"min": 1, "median": 1, "mean": 1.33, "max": 2},
        "grades": {"0": 1, "1": 2, "2": 1},
    }


def test_tokens_are_words_and_every_mark_by_itself():
    texts = ("E2Rank's k1=0.9, (b=0.4)!", "naïve 数据")
    corpus = {str(n): Document(str(n), text) for n, text in enumerate(texts)}
    found = statistics(Dataset("d", corpus, {"q": Query("q", "why?")}, {"q": {"0": 1}}))
    assert found.tokens_per_document.model_dump() == {"min": 2, "median": 9.5, "mean": 9.5, "max": 17}
    assert found.tokens_per_query.max == 2


@pytest.mark.parametrize(
    ("what", "expected", "number"), [("documents", 6, 5), ("queries", 2, 3), ("judgements", 5, 4)]
)
def test_counts_other_than_the_registry_s_are_an_error(what, expected, number):
    nothing = {"documents": None, "queries": None, "judgements": None}
    entry = registered_dataset("lee").model_copy(update=nothing)
    check_counts(ODD, entry)
    with pytest.raises(InputError, match=f"odd has {number} {what}, the registry expects {expected}"):
        check_counts(ODD, entry.model_copy(update={what: expected}))
    with pytest.raises(InputError, match=r"^mine/odd: odd has .*; rename the folder"):
        check_counts(ODD, entry.model_copy(update={what: expected}), Path("mine/odd"))


def test_a_judgement_of_a_library_with_two_grades_is_refused():
    from ir_datasets.formats import TrecQrel

    from e2rank_eval.datasets.loaders.ir_datasets import _judgements

    rows = [TrecQrel("q1", "d1", 1, "0"), TrecQrel("q1", "d1", 1, "1"), TrecQrel("q1", "d2", -100, "0")]
    found = _judgements(SimpleNamespace(qrels_iter=lambda: iter(rows)), "own/x")
    assert found == ({"q1": {"d1": 1}}, {"q1": {"d2"}})
    rows.append(TrecQrel("q1", "d1", 2, "2"))
    with pytest.raises(InputError, match="own/x: query 'q1' and document 'd1' have two grades"):
        _judgements(SimpleNamespace(qrels_iter=lambda: iter(rows)), "own/x")


def test_an_agreement_is_needed_for_the_part_of_a_collection_that_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path))
    for path in ("wapo/WashingtonPost.v4.tar.gz", "hc4/fas/hc4_docs.jsonl"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).touch()
    assert "WashingtonPost.v2.tar.gz" in str(required_agreement("wapo/v2/trec-news-2019"))
    assert "fas" not in str(required_agreement("hc4/ru/test"))
    assert required_agreement("hc4/fa/test") is None
