"""The command fetch: one layout for all data sets, reproducible bytes, no partial output."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from e2rank_eval.config import Configuration
from e2rank_eval.datasets.fetch import fetch_dataset
from e2rank_eval.errors import InputError
from e2rank_eval.store.collections import read_dataset
from e2rank_eval.store.layout import Layout

FILES = ["corpus.jsonl.gz", "exclusions.jsonl", "manifest.json", "queries.jsonl", "qrels.tsv"]


def _configuration(cache: Path, **datasets) -> Configuration:
    return Configuration.model_validate(
        {
            "profile": "test",
            "cache": str(cache),
            "datasets": datasets,
            "first_stages": {"bm25": {"retriever": "bm25"}},
            "rerankers": {"first-stage": {"family": "identity"}},
        }
    )


def _bytes(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture
def toy(tmp_path) -> Path:
    folder = tmp_path / "toy-source"
    folder.mkdir()
    (folder / "corpus.jsonl").write_text(
        '{"_id": "a b", "text": "x"}\n{"_id": "2", "title": "t", "text": ""}\n'
    )
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "x?"}\n{"_id": "r", "text": "y?"}\n')
    (folder / "qrels.tsv").write_text("q\t0\ta%20b\t1\n")
    (folder / "exclusions.jsonl").write_text('{"query_id": "r", "document_ids": ["2"]}\n')
    return folder


def test_a_folder_is_written_in_the_common_layout(toy, tmp_path, capsys):
    layout = Layout(tmp_path / "results")
    fetch_dataset("toy", _configuration(tmp_path / "cache", toy={"path": str(toy)}), layout)
    folder = layout.root / "datasets" / "toy"
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, "manifest.json.manifest.json"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["documents"], manifest["queries"], manifest["judgements"]) == (2, 1, 1)
    assert manifest["left_out"] == {"queries without judgements": 1}
    assert manifest["show_text"] is False
    for name, expected in manifest["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected
    assert set(manifest["sha256"]) == set(FILES) - {"manifest.json"}
    assert str(tmp_path) not in (folder / "manifest.json").read_text()
    assert "toy: 1 queries without judgements" in capsys.readouterr().err
    assert read_dataset(folder, "toy").qrels == {"q": {"a b": 1}}


def test_what_was_written_can_be_read_as_a_folder_again(toy, tmp_path):
    layout = Layout(tmp_path / "results")
    written = layout.root / "datasets" / "toy"
    configuration = _configuration(tmp_path / "cache", toy={"path": str(toy)}, again={"path": str(written)})
    fetch_dataset("toy", configuration, layout)
    fetch_dataset("again", configuration, layout)
    again = layout.root / "datasets" / "again"
    same = [name for name in FILES if name != "manifest.json"]
    assert [(again / name).read_bytes() for name in same] == [(written / name).read_bytes() for name in same]


def test_a_second_fetch_writes_the_same_bytes(toy, tmp_path):
    configuration = _configuration(tmp_path / "cache", toy={"path": str(toy)})
    for root in ("one", "two", "two"):
        fetch_dataset("toy", configuration, Layout(tmp_path / root))
    assert _bytes(tmp_path / "one" / "datasets" / "toy") == _bytes(tmp_path / "two" / "datasets" / "toy")


def test_malformed_input_leaves_what_was_there(toy, tmp_path):
    configuration = _configuration(tmp_path / "cache", toy={"path": str(toy)})
    layout = Layout(tmp_path / "results")
    fetch_dataset("toy", configuration, layout)
    before = _bytes(layout.root / "datasets" / "toy")
    (toy / "corpus.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"corpus\.jsonl:1: no id"):
        fetch_dataset("toy", configuration, layout)
    assert _bytes(layout.root / "datasets" / "toy") == before
    assert [path.name for path in (layout.root / "datasets").iterdir()] == ["toy"]


def test_malformed_input_makes_no_folder(toy, tmp_path):
    (toy / "queries.jsonl").write_text("")
    with pytest.raises(InputError):
        fetch_dataset(
            "toy", _configuration(tmp_path / "cache", toy={"path": str(toy)}), Layout(tmp_path / "results")
        )
    assert not (tmp_path / "results").exists()


def test_unknown_names_get_suggestions(tmp_path):
    configuration = _configuration(tmp_path / "cache", lee={}, odd={"id": "oddity"})
    with pytest.raises(InputError, match="no data set 'leee'; did you mean lee"):
        fetch_dataset("leee", configuration, Layout(tmp_path))
    with pytest.raises(InputError, match=r"unknown data set 'oddity'; .*see e2rank-eval list datasets"):
        fetch_dataset("odd", configuration, Layout(tmp_path))


def test_lee_and_a_slice_of_it(lee_dataset, fetch_cache, tmp_path):
    """The fixture ``lee_dataset`` fills the cache, or skips the test."""
    layout = Layout(tmp_path)
    configuration = _configuration(fetch_cache, lee={}, part={"slice_of": "lee", "queries": 8})
    fetch_dataset("part", configuration, layout)
    whole = read_dataset(tmp_path / "datasets" / "lee", "lee")
    assert whole == lee_dataset
    part = read_dataset(tmp_path / "datasets" / "part", "part")
    assert part.corpus == whole.corpus
    assert len(part.queries) == 8
    assert part.qrels == {i: whole.qrels[i] for i in part.queries}
    manifest = json.loads((tmp_path / "datasets" / "part" / "manifest.json").read_text())
    assert (manifest["id"], manifest["judgements"]) == ("lee-8-of-50-seed-13", 392)
    assert manifest["source"]["of"] == "lee"
