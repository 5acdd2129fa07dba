"""A corpus on disk behaves as one in memory, and loads only the requested texts."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2rank_eval.errors import InputError
from e2rank_eval.records import CandidateIds, Document
from e2rank_eval.store.collections import read_candidates, read_corpus, write_candidates
from e2rank_eval.store.corpus import StreamedCorpus, selected
from e2rank_eval.store.files import write_jsonl

TEXTS = {f"d{number}": f"text {number}" for number in range(5)}


class Counted:
    """Documents, and how many passes over them were begun."""

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self) -> Iterator[tuple[int, Document]]:
        self.passes += 1
        for number, (identifier, text) in enumerate(TEXTS.items(), start=1):
            yield number, Document(identifier, text)


def test_it_is_a_mapping_in_the_order_of_the_file() -> None:
    corpus = StreamedCorpus(Counted(), "here", hint="")
    in_memory = {identifier: Document(identifier, text) for identifier, text in TEXTS.items()}
    assert corpus == in_memory
    assert list(corpus) == list(in_memory)
    assert list(corpus.values()) == list(in_memory.values())
    assert list(corpus.items()) == list(in_memory.items())
    assert (len(corpus), len(corpus.values()), corpus["d3"].text) == (5, 5, "text 3")
    assert ("d4" in corpus, "d5" in corpus, corpus.keys() & {"d1", "d9"}) == (True, False, {"d1"})
    with pytest.raises(KeyError):
        corpus["d9"]


def test_ids_need_no_pass_and_many_documents_one() -> None:
    read = Counted()
    corpus = StreamedCorpus(read, "here", hint="")
    assert set(corpus) >= {"d1"}
    assert read.passes == 1, "its ids"
    assert list(selected(corpus, ["d4", "d0", "d4"])) == ["d0", "d4"]
    assert read.passes == 2


def test_candidates_are_looked_up_in_one_pass(tmp_path: Path) -> None:
    read = Counted()
    corpus = StreamedCorpus(read, "here", hint="")
    path = tmp_path / "bm25.jsonl"
    lists = [CandidateIds("q1", ("d4", "d0"), (2.0, 1.0)), CandidateIds("q2", ("d0",), (3.0,))]
    write_candidates(path, lists)
    found = read_candidates(path, corpus)
    assert read.passes == 2
    assert [document.text for document in found["q1"].documents] == ["text 4", "text 0"]
    assert [(one.query_id, one.document_ids, one.scores) for one in found.values()] == [
        (one.query_id, one.document_ids, one.scores) for one in lists
    ]


def test_an_invalid_corpus_is_refused() -> None:
    twice = [(1, Document("a", "x")), (2, Document("a", "y"))]
    with pytest.raises(InputError, match="here:2: id 'a' has two contents; rename one"):
        StreamedCorpus(lambda: twice, "here", hint="rename one")
    with pytest.raises(InputError, match="here: the corpus is empty"):
        StreamedCorpus(list, "here", hint="")


def test_reading_a_corpus_holds_its_ids_and_not_its_texts(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl.gz"
    write_jsonl(path, ({"_id": str(number), "text": f"{number} " * 2000} for number in range(2000)))
    tracemalloc.start()
    corpus = read_corpus(path)
    letters = sum(len(document.text) for document in corpus.values())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert letters > 15_000_000
    assert peak < letters / 10
