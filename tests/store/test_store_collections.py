"""Collections and candidates as files: round trips, and every malformed line refused by name and number."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.records import Candidate, CandidateList, Dataset, Document, Query
from e2rank_eval.store.collections import (
    read_candidates,
    read_corpus,
    read_dataset,
    read_queries,
    write_candidates,
    write_dataset,
)
from e2rank_eval.store.files import write_jsonl

CORPUS = {name: Document(name, f"text of {name}", title="t") for name in ("d1", "d2", "d 3")}


def test_a_collection_reads_back_as_written(tmp_path: Path) -> None:
    dataset = Dataset(
        id="tiny",
        corpus=CORPUS,
        queries={"q1": Query("q1", "what?")},
        qrels={"q1": {"d1": 2, "d 3": 0}},
        exclusions={"q1": frozenset({"d2"})},
    )
    write_dataset(tmp_path, dataset)
    assert read_dataset(tmp_path, "tiny") == dataset


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"text": "no id"}', "no id"),
        ('{"_id": "", "text": "x"}', "no id"),
        ('{"_id": 7.5, "text": "x"}', "no id"),
        ('{"_id": true, "text": "x"}', "no id"),
        (r'{"_id": "d\ud800", "text": "x"}', r'"_id" holds half a surrogate pair, \\ud800'),
        (r'{"_id": "d2", "text": "x \udc00"}', r'"text" holds half a surrogate pair, \\udc00'),
        ('{"_id": "d1", "text": "again"}', "id 'd1' has two contents"),
        ('{"_id": "d2", "text": null}', '"text" is not a string'),
        ('{"_id": "d2", "text"', "not JSON"),
    ],
)
def test_a_bad_document_is_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(f'{{"_id": "d1", "text": "x"}}\n{line}\n')
    with pytest.raises(InputError, match=problem) as caught:
        read_corpus(path)
    assert (caught.value.path, caught.value.line) == (path, 2)


def test_an_empty_corpus_and_an_empty_query_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "corpus.jsonl"
    empty.write_text("")
    with pytest.raises(InputError, match="corpus is empty"):
        read_corpus(empty)
    queries = tmp_path / "queries.jsonl"
    for text in ("  ", "\u200b\u200d", "\ufeff \x01\u2028"):
        write_jsonl(queries, [{"_id": "q1", "text": text}])
        with pytest.raises(InputError, match="is empty"):
            read_queries(queries)


def test_other_forms_of_rows_are_read_and_a_repeated_document_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    rows = [{"_id": 7, "text": "x"}, {"id": "d1", "contents": "y"}, {"_id": "7", "text": "x", "title": None}]
    write_jsonl(path, rows)
    corpus = read_corpus(path)
    assert list(corpus.values()) == [Document("7", "x"), Document("d1", "y")]
    assert (corpus.repeated, corpus["7"].text) == (1, "x")


def test_candidates_read_back_with_their_documents(tmp_path: Path) -> None:
    path = tmp_path / "bm25.jsonl"
    one = CandidateList("q1", (Candidate(CORPUS["d 3"], 2.5), Candidate(CORPUS["d1"], 1.0)))
    write_candidates(path, [one])
    assert read_candidates(path, CORPUS) == {"q1": one}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"query_id": "q1", "document_ids": ["d9"], "scores": [1.0]}', "not in the corpus"),
        ('{"query_id": "q1", "document_ids": ["d1", "d1"], "scores": [1.0, 0.5]}', "repeats"),
        ('{"query_id": "q1", "document_ids": ["d1"], "scores": []}', "differ in number"),
        ('{"query_id": "q1", "document_ids": ["d1"]}', "is missing"),
    ],
)
def test_bad_candidates_are_named(tmp_path: Path, line: str, problem: str) -> None:
    path = tmp_path / "bm25.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match=problem) as caught:
        read_candidates(path, CORPUS)
    assert caught.value.line == 1


def test_a_candidate_list_never_repeats_a_document() -> None:
    twice = Candidate(CORPUS["d1"], 1.0)
    with pytest.raises(ValueError, match="repeats"):
        CandidateList("q1", (twice, twice))
