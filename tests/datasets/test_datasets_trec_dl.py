"""MS MARCO's files: read as they are, malformed lines named."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.datasets.loaders import trec_dl
from e2rank_eval.errors import InputError

texts = st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=30)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "collection.tsv").write_text("0\tone\ttab kept\n1\tâ\x80\x99 broken as distributed\n")
    (tmp_path / "queries-2019.tsv.gz").write_bytes(gzip.compress(b"7\twhat\n8\tnot judged\n", mtime=0))
    (tmp_path / "qrels-2019.txt").write_text("7 Q0 1 3\n7 0 99 0\n")
    return tmp_path


def test_judged_queries_against_the_collection_as_it_is(folder):
    dataset, left_out = trec_dl.load(folder, "dl", year=2019)
    assert dataset.corpus["0"].text == "one\ttab kept"
    assert dataset.corpus["1"].text == "â\x80\x99 broken as distributed"
    assert list(dataset.queries) == ["7"]
    assert dataset.qrels == {"7": {"1": 3, "99": 0}}
    assert left_out == {"queries without judgements": 1}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("collection.tsv", b"0\tone\nno tab\n", "collection.tsv:2: no id and tab at its start"),
        ("collection.tsv", b"0\tone\n0\ttwo\n", "collection.tsv:2: id '0' has two contents"),
        ("collection.tsv", b"", "collection.tsv: the corpus is empty"),
        ("collection.tsv", b"0\tone\n1\t\xff\n", "not UTF-8"),
        ("queries-2019.tsv.gz", gzip.compress(b"8\tother\n", mtime=0), "query '7' is judged but has no text"),
        (
            "queries-2019.tsv.gz",
            gzip.compress(b"7\twhat\n8\tnot judged\n", mtime=0)[:-9],
            "truncated or corrupt",
        ),
    ],
)
def test_malformed_files_are_named(file, content, message, folder):
    (folder / file).write_bytes(content)
    with pytest.raises(InputError) as failure:
        trec_dl.load(folder, "dl", year=2019)
    assert message in str(failure.value)


@given(st.dictionaries(st.text("abc123", min_size=1), texts, min_size=1))
def test_any_texts_come_back(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("".join(f"{i}\t{text}\n" for i, text in pairs.items()), encoding="utf-8", newline="")
    assert trec_dl.read_pairs(path) == pairs
