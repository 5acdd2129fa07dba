"""Folders in BEIR layout: well-formed ones load, malformed ones give an error with file, line and fix."""

from __future__ import annotations

import gzip
import json

import pytest

from e2rank_eval.api import load_dataset
from e2rank_eval.datasets.loaders import beir
from e2rank_eval.datasets.loading import load_split
from e2rank_eval.errors import InputError

CORPUS = [{"_id": "d1", "title": "One", "text": "first"}, {"_id": "d2", "text": "second"}]
QUERIES = [{"_id": "q1", "text": "what"}, {"_id": "q2", "text": "who"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq2\td2\t2\n"


def _lines(rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corpus.jsonl").write_text(_lines(CORPUS))
    (tmp_path / "queries.jsonl").write_text(_lines(QUERIES))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(QRELS)
    return tmp_path


def _load(folder, split="test"):
    return beir.load(beir.find(folder, split), "toy")


def test_reads_a_folder(folder):
    dataset, left_out = _load(folder)
    assert dataset.corpus["d1"].contents == "One first"
    assert dataset.qrels == {"q1": {"d1": 1}, "q2": {"d2": 2}}
    assert left_out == {"queries without judgements": 0}
    assert dataset.exclusions == {}


def test_reads_gzipped_files_and_a_qrels_file_of_its_own(folder):
    for name in ("corpus.jsonl", "queries.jsonl"):
        (folder / f"{name}.gz").write_bytes(gzip.compress((folder / name).read_bytes()))
        (folder / name).unlink()
    (folder / "qrels.tsv").write_text(QRELS)
    (folder / "qrels" / "test.tsv").unlink()
    dataset, _ = _load(folder)
    assert len(dataset.corpus) == len(dataset.queries) == 2


def test_queries_without_judgements_are_excluded_and_counted(folder):
    (folder / "queries.jsonl").write_text(_lines([*QUERIES, {"_id": "q3", "text": "unjudged"}]))
    dataset, left_out = _load(folder)
    assert list(dataset.queries) == ["q1", "q2"]
    assert left_out == {"queries without judgements": 1}


def test_a_judged_document_outside_the_corpus_keeps_its_judgement(folder):
    with (folder / "qrels" / "test.tsv").open("a") as qrels:
        qrels.write("q1\tgone\t3\n")
    dataset, _ = _load(folder)
    assert dataset.qrels["q1"] == {"d1": 1, "gone": 3}


def test_judgements_of_another_corpus_are_refused(folder):
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\t0001\t1\n")
    with pytest.raises(InputError, match=r"test\.tsv: no judged document, such as '0001', is in corpus"):
        _load(folder)


def test_exclusions_are_read_if_there_are_any(folder):
    (folder / "queries.jsonl").write_text(_lines([*QUERIES, {"_id": 3, "text": "unjudged"}]))
    rows = [{"query_id": "q1", "document_ids": ["d2", 7]}, {"query_id": 3, "document_ids": ["d1"]}]
    (folder / "exclusions.jsonl").write_text(_lines(rows))
    assert _load(folder)[0].exclusions == {"q1": frozenset({"d2", "7"})}
    assert load_dataset(folder).exclusions == {"q1": frozenset({"d2", "7"}), "3": frozenset({"d1"})}
    for wrong in ({"query_id": "q9", "document_ids": ["d2"]}, rows[0]):
        (folder / "exclusions.jsonl").write_text(_lines([rows[0], wrong]))
        with pytest.raises(InputError, match=r"exclusions\.jsonl:2: unknown or repeated query 'q[19]'"):
            _load(folder)


def test_judgements_are_optional_where_nothing_is_evaluated(folder):
    (folder / "qrels" / "test.tsv").unlink()
    with pytest.raises(InputError, match=r"none of qrels/test\.tsv"):
        load_dataset(folder)
    (folder / "qrels").rmdir()
    assert load_dataset(folder).qrels == {}
    with pytest.raises(InputError, match=r"add qrels/test\.tsv"):
        beir.find(folder, "test")


def test_a_split_of_a_collection_is_not_taken_from_the_folder_of_another(folder, tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    for name in ("arguana", "dl19"):
        (tmp_path / "mine" / name).symlink_to(folder)
    monkeypatch.setenv("E2RANK_DATA", str(tmp_path / "mine"))
    assert load_split("beir/arguana", "test", tmp_path).dataset.qrels["q1"] == {"d1": 1}
    for name in ("beir", "msmarco-passage"):
        with pytest.raises(InputError, match=f"data set '{name}' has no test split"):
            load_split(name, "test", tmp_path)


@pytest.mark.parametrize("name", ["", 3, None])
def test_what_names_no_data_set_is_one_error(name):
    with pytest.raises(InputError, match="names no data set; give a name or a folder"):
        load_dataset(name)


def test_a_missing_split_names_the_existing_ones(folder):
    with pytest.raises(InputError, match=r"none of qrels/dev\.tsv.*; splits here: test"):
        _load(folder, "dev")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "qrels/test.tsv",
            QRELS + "q9\td1\t1\n",
            "test.tsv:4: query 'q9' is judged but not in queries.jsonl; add",
        ),
        (
            "qrels/test.tsv",
            QRELS + "q1\td1\t2\n",
            "test.tsv:4: query 'q1' and document 'd1' have two grades",
        ),
        ("qrels/test.tsv", QRELS + "q1\td2\tgood\n", "test.tsv:4: grade 'good' is not an integer"),
        ("qrels/test.tsv", QRELS + "q1\td2\n", "test.tsv:4: 2 columns instead of 3"),
        ("qrels/test.tsv", "query-id\tcorpus-id\tscore\n", "test.tsv: no judgement in the file"),
        ("corpus.jsonl", _lines(CORPUS) + "{not json\n", "corpus.jsonl:3: not JSON"),
        ("corpus.jsonl", _lines(CORPUS) + "[]\n", "corpus.jsonl:3: a list, not an object"),
        ("corpus.jsonl", _lines([{"text": "no id"}]), "corpus.jsonl:1: no id"),
        (
            "corpus.jsonl",
            _lines([*CORPUS, CORPUS[0] | {"text": "other"}]),
            "corpus.jsonl:3: id 'd1' has two contents",
        ),
        ("corpus.jsonl", _lines([{"_id": "d1"}]), 'corpus.jsonl:1: "text" is not a string'),
        ("corpus.jsonl", "", "corpus.jsonl: the corpus is empty"),
        ("queries.jsonl", _lines([{"_id": "q1", "text": " "}]), "queries.jsonl:1: query 'q1' is empty"),
        ("queries.jsonl", "", "queries.jsonl: no queries"),
    ],
)
def test_malformed_input_is_named(file, content, message, folder):
    (folder / file).write_text(content)
    with pytest.raises(InputError) as failure:
        _load(folder)
    assert message in str(failure.value)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_a_missing_file_is_named(name, folder):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"none of {name}, {name}.gz; add {name}"):
        _load(folder)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder; fix the data set's path"):
        beir.find(tmp_path / "nowhere", "test")


def test_cranfield_keeps_its_225_queries(shared_data):
    dataset, left_out = _load(shared_data / "cranfield")
    assert (len(dataset.corpus), len(dataset.queries)) == (1400, 225)
    assert sum(map(len, dataset.qrels.values())) == 1837
    assert left_out == {"queries without judgements": 0}
