"""Published runs give the paper's numbers to the digit, from a checked copy or the public form."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pytest

from e2rank_eval.datasets.sources.kinds import UrlSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.paper.published import Tables, Tolerance
from e2rank_eval.paper.reproduction import equal_to_the_digit, reproduce, write_reproduction
from e2rank_eval.paper.runs import load_judgements, load_run, registry

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
TOLERANCE = Tolerance(reproduced=0.1, near=1.0)


@pytest.fixture
def trec(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    monkeypatch.setenv("E2RANK_RUNS", str(shared_data / "trec"))
    return shared_data / "trec"


def test_first_stages_equal_the_paper_to_the_digit(trec, tmp_path):
    cells = reproduce(tmp_path)
    found = {(c.table, c.column): (c.published, c.verdict, c.equal_to_the_digit) for c in cells if c.run}
    expected = {
        ("1", "dl19"): "50.58", ("1", "dl20"): "47.96",
        ("1", "trec-covid"): "59.47", ("1", "trec-news"): "39.52",
        ("2", "dl19"): "50.58", ("2", "dl20"): "47.96",
        ("21", "SPLADE++ED dl19"): "73.08", ("21", "SPLADE++ED dl20"): "71.97",
    }  # fmt: skip
    assert {key: found[key] for key in expected} == {
        key: (printed, "reproduced", True) for key, printed in expected.items()
    }
    assert all(c.command.startswith("e2rank-eval reproduce ") for c in cells if c.run)
    (average,) = (c for c in cells if (c.table, c.column) == ("2", "beir-avg"))
    assert average.verdict == "not run"
    assert average.needs.startswith("BM25 on nfcorpus, touche2020")


def test_the_committed_reference_is_what_the_code_writes(trec, tmp_path):
    write_reproduction(tmp_path / "out", tmp_path / "cache")
    for path in sorted((tmp_path / "out").iterdir()):
        assert path.read_bytes() == (REFERENCE / path.name).read_bytes(), path.name


def test_one_run_is_reproduced_without_the_others(trec, tmp_path, monkeypatch):
    alone = tmp_path / "runs"
    alone.mkdir()
    shutil.copy(trec / "runs" / "dl19.bm25.txt.gz", alone)
    # The folder may hold the files themselves, and uncompressed ones.
    (alone / "qrels.dl19-passage.txt").write_bytes((trec / "qrels" / "qrels.dl19-passage.txt").read_bytes())
    monkeypatch.setenv("E2RANK_RUNS", str(alone))
    cells = reproduce(tmp_path / "cache", ["bm25-dl19"])
    assert {(c.table, c.column) for c in cells if c.run} == {("1", "dl19"), ("2", "dl19")}


def test_another_file_under_the_name_is_refused(trec, tmp_path, monkeypatch):
    run = gzip.decompress((trec / "runs" / "dl19.bm25.txt.gz").read_bytes())
    (tmp_path / "dl19.bm25.txt").write_bytes(run.replace(b"15.78", b"15.79", 1))
    monkeypatch.setenv("E2RANK_RUNS", str(tmp_path))
    with pytest.raises(InputError, match=r"dl19\.bm25\.txt: sha256 is \w+ instead of cbada2e4"):
        load_run("bm25-dl19", tmp_path / "cache")


def test_a_file_that_the_folder_lacks_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("E2RANK_RUNS", str(tmp_path))
    with pytest.raises(
        InputError, match=r"neither qrels\.dl19-passage\.txt nor qrels\.dl19-passage\.txt\.gz"
    ):
        load_judgements("dl19", tmp_path / "cache")


def test_without_a_folder_the_public_source_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    monkeypatch.delenv("E2RANK_RUNS", raising=False)
    with pytest.raises(UnavailableError, match=r"bm25-dl19: incomplete in .* E2RANK_OFFLINE"):
        load_run("bm25-dl19", tmp_path / "cache")


def test_the_public_source_gives_the_same_run(trec, tmp_path, monkeypatch, httpserver):
    """RankLLM's form, fetched from an address, checked, and kept for the next time."""
    run = load_run("splade-dl19", tmp_path / "cache")
    lists = b""
    for query_id, scores in run.scores.items():
        candidates = [{"docid": d, "score": s, "doc": {"contents": ""}} for d, s in scores.items()]
        row = {"query": {"text": "", "qid": int(query_id)}, "candidates": candidates}
        lists += json.dumps(row).encode() + b"\n"
    httpserver.expect_request("/lists.jsonl").respond_with_data(lists)
    urls, digest = [httpserver.url_for("/lists.jsonl")], hashlib.sha256(lists).hexdigest()
    download = {"urls": urls, "name": "l.jsonl", "sha256": digest}
    source = UrlSource.model_validate({"kind": "url", "downloads": [download]})
    entry = registry().runs["splade-dl19"].model_copy(update={"sources": [source]})
    monkeypatch.setitem(registry().runs, "splade-dl19", entry)
    monkeypatch.delenv("E2RANK_OFFLINE")
    monkeypatch.delenv("E2RANK_RUNS")
    assert load_run("splade-dl19", tmp_path / "cache") == run
    httpserver.clear()
    assert load_run("splade-dl19", tmp_path / "cache") == run


def test_runs_and_judgements_are_what_the_registry_says(trec, tmp_path):
    printed = Tables().quantities
    assert all(entry.gives is None or entry.gives in printed for entry in registry().runs.values())
    for name, entry in registry().judgements.items():
        assert len(load_judgements(name, tmp_path)) == entry.queries
    for name, entry in registry().runs.items():
        run = load_run(name, tmp_path)
        assert max(map(len, run.scores.values())) == entry.depth
        assert len(run.scores) == registry().judgements[entry.dataset].queries


@pytest.mark.parametrize(
    ("ours", "published", "expected"),
    [
        (50.68, 50.58, "reproduced"),
        (50.681, 50.58, "near"),
        (50.0, 50.58, "near"),
        (51.58, 50.58, "near"),
        (51.59, 50.58, "differs"),
        (None, 50.58, "not run"),
        (50.0, None, "not published"),
    ],
)
def test_verdicts(ours, published, expected):
    assert TOLERANCE.verdict(ours, published) == expected


def test_equality_is_by_the_printed_digits():
    assert equal_to_the_digit(50.584, "50.58")
    assert not equal_to_the_digit(50.586, "50.58")
    assert equal_to_the_digit(33.36, "33.4")
