"""Candidate lists of other tools: read with their texts, and every other layout refused by line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.records import Document
from e2rank_eval.store.hits import hits_as_dataset, hits_as_run, read_hits

RANKLLM = {
    "query": {"qid": 3, "text": "who?"},
    "candidates": [
        {"docid": "b", "score": 9.5, "doc": {"title": "T", "segment": "two"}},
        {"docid": 1, "score": "9.5", "doc": "one"},
    ],
}
PYSERINI = {
    "query": "who?",
    "hits": [
        {"qid": "3", "docid": "b", "rank": 1, "score": 9.5, "content": "two", "title": "T"},
        {"qid": "3", "docid": "1", "rank": 2, "score": 9.5, "content": "one"},
    ],
}


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "lists.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("row", [RANKLLM, PYSERINI])
def test_both_layouts_give_the_same_run_and_collection(tmp_path: Path, row: dict[str, Any]) -> None:
    hits = read_hits(written(tmp_path, row, {"query": {"qid": 4, "text": "x"}, "candidates": []}))
    run = hits_as_run(hits)
    assert run.scores == {"3": {"b": 9.5, "1": 9.5}}
    assert run.order("3") == ["b", "1"]  # the file's order decides among equal scores
    dataset = hits_as_dataset(hits, tmp_path / "lists.jsonl")
    assert list(dataset.corpus.values()) == [Document("b", "two", "T"), Document("1", "one")]
    assert dataset.queries["3"].text == "who?"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"query": {"qid": 1}}, "'hits'"),
        ({"query": "1", "candidates": None}, "no list of documents"),
        ({"query": {"qid": 1}, "candidates": [{"docid": "a"}]}, "'score'"),
        ({"query": {"qid": 1}, "candidates": [{"docid": "a", "score": "high"}]}, "high"),
        ({"query": {"qid": 1}, "candidates": [{"docid": "a", "score": math.nan}]}, "not a finite number"),
        ({"query": {"qid": 1, "text": "\ud800"}, "candidates": []}, "surrogates not allowed"),
        ({"query": {"qid": None, "text": "x"}, "candidates": RANKLLM["candidates"]}, "no qid"),
        ({"query": {"qid": 1}, "candidates": [{"docid": "", "score": 1}]}, "no docid"),
        ({"query": {"qid": 1}, "candidates": [{"docid": "a", "score": 1, "doc": ["x"]}]}, "neither a text"),
        (
            RANKLLM | {"query": {"qid": 1}, "candidates": 2 * RANKLLM["candidates"]},
            "a document appears twice",
        ),
        (PYSERINI, "query '3' appears twice"),
    ],
)
def test_a_damaged_list_is_named_by_line(tmp_path: Path, row: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=rf"lists\.jsonl:2: .*{problem}"):
        read_hits(written(tmp_path, RANKLLM, row))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"query": {"qid": 9}}, "query '9' has no text; name its data set"),
        ({"query": {"qid": 9, "text": None}}, "query '9' has no text"),
        ({"query": {"qid": 9, "text": "\u200b "}}, "query '9' has no text"),
        ({"candidates": [{"docid": "b", "score": 1}]}, "document 'b' has no text"),
        ({"candidates": [{"docid": "b", "score": 1, "doc": None}]}, "document 'b' has no text"),
        ({"candidates": [{"docid": "b", "score": 1, "doc": "other"}]}, "document 'b' has another text"),
    ],
)
def test_lists_without_texts_are_not_a_collection(
    tmp_path: Path, change: dict[str, Any], problem: str
) -> None:
    path = written(tmp_path, RANKLLM, RANKLLM | {"query": {"qid": 9, "text": "y"}} | change)
    with pytest.raises(InputError, match=rf"lists\.jsonl:2: {problem}"):
        hits_as_dataset(read_hits(path), path)
