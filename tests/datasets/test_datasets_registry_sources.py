"""The registry's instructions, values and counts are those of the sources that it names."""

from __future__ import annotations

import csv
import json
import re

import pytest

from e2rank_eval.datasets.library import library_counts, library_ids
from e2rank_eval.datasets.registry import registered_datasets
from e2rank_eval.errors import InputError

DATASETS = registered_datasets()
SPLITS = [name for name in DATASETS if re.fullmatch(r"bright-(?!.*-(reason|long)$).*", name)]
LIBRARY = {name: entry.options["id"] for name, entry in DATASETS.items() if entry.loader == "ir_datasets"}


def test_every_collection_of_the_paper_and_of_beir_is_registered():
    named = set(DATASETS)
    assert named >= {
        *("dl19", "dl20", "trec-covid", "nfcorpus", "webis-touche2020", "dbpedia-entity", "scifact", "lee"),
        *("signal1m", "trec-news", "robust04", "arguana", "scidocs", "fiqa", "pydoc", "webis-touche2020-v3"),
        *("msmarco", "nq", "hotpotqa", "fever", "climate-fever", "quora", "webis-touche2020-withdrawn"),
    }
    assert len(SPLITS) == 12
    assert {f"{split}-reason" for split in SPLITS} <= named
    assert sum(f"{split}-long" in named for split in SPLITS) == 8
    assert sum(name.startswith("cqadupstack-") for name in named) == 12
    assert sum(name.startswith("nano-") for name in named) == 13


def test_ids_are_those_of_ir_datasets_and_expected_numbers_too():
    known = set(library_ids())
    assert set(LIBRARY.values()) <= known
    for name, identifier in LIBRARY.items():
        counts, entry = library_counts(identifier), DATASETS[name]
        if "theoremqa-questions" in name:  # ir_datasets counts gold ids that stand there twice
            assert (counts.pop("judgements"), entry.judgements) == (617, 439)
        assert all(getattr(entry, what) == number for what, number in counts.items())
    assert library_counts("msmarco-passage/trec-dl-2019/judged") == {
        "documents": 8841823, "queries": 43, "judgements": 9260
    }  # fmt: skip
    assert library_counts("bright/leetcode")["judgements"] == 262  # without 33,485 excluded ids


@pytest.fixture(scope="module")
def mteb_task():
    mteb = pytest.importorskip("mteb")
    return lambda name: mteb.get_task(name).metadata


@pytest.mark.parametrize(
    "name", [n for n, e in DATASETS.items() if (e.instruction_source or "").startswith("mteb")]
)
def test_instructions_are_those_of_mteb(name, mteb_task):
    entry = DATASETS[name]
    prompt = mteb_task(re.match(r"mteb (\w+)", entry.instruction_source)[1]).prompt["query"]
    assert entry.instruction == (prompt.rstrip(": ") if name.startswith("bright-") else prompt)


def test_published_bm25_are_the_paper_s(shared_data):
    with (shared_data.parent / "paper" / "tables.csv").open() as table:
        rows = {
            (r["table"], r["column"]): float(r["value"])
            for r in csv.DictReader(table)
            if r["system"] == "BM25"
        }
    checked = 0
    for name, entry in DATASETS.items():
        found = re.search(r"arXiv 2510\.22733, table (\d+)", entry.published_bm25_source or "")
        if found and entry.published_bm25 is not None:
            column = name.removeprefix("bright-").replace("-", "_") if found[1] == "22" else name
            column = "touche2020" if name == "webis-touche2020" else column.removesuffix("-rerank")
            assert entry.published_bm25 == rows[found[1], column]
            checked += 1
    assert checked == 12 + 12


def test_what_is_stated_has_a_source():
    for name, entry in DATASETS.items():
        assert entry.published_bm25 is None or entry.published_bm25_source, name
        assert (entry.instruction is None) == (entry.instruction_source is None), name


def test_collections_that_need_an_agreement_are_marked():
    for name in ("signal1m", "trec-news", "robust04"):
        assert DATASETS[name].only_yours
        assert f"$E2RANK_DATA/{name}" in DATASETS[name].registration


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"titel": "x"}, "unknown key 'scifact.titel'"),
        (
            {"sources": [{"kind": "url", "downloads": [{"urls": ["ftp://x/y"], "name": "n"}]}]},
            "urls.0: String should",
        ),
    ],
)
def test_a_wrong_overlay_is_named(change, message, tmp_path, monkeypatch):
    value = DATASETS["scifact"].model_dump(mode="json") | change
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "datasets.yaml").write_text(json.dumps({"scifact": value}))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=rf"config/datasets.yaml:1: .*{message}"):
        registered_datasets()
