"""The registry's hashes, sizes, revisions, counts and instructions stand in the packages it names."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import re
from importlib import resources

import pytest

from e2rank_eval.datasets.registry import registered_datasets
from e2rank_eval.datasets.sources.kinds import HubSource, IrDatasetsSource, LocalSource, UrlSource
from e2rank_eval.errors import InputError

DATASETS = registered_datasets()
BEIR_IDS = {"webis-touche2020": "webis-touche2020/v2", "webis-touche2020-withdrawn": "webis-touche2020"}
SPLITS = [name for name in DATASETS if re.fullmatch(r"bright-(?!.*-(fixed|reason|long)$).*", name)]


def _ir_datasets(file: str) -> dict:
    return json.loads((resources.files("ir_datasets") / "etc" / file).read_text())


@pytest.fixture(scope="module")
def downloads() -> dict[str, dict]:
    """ir_datasets' downloads by address."""
    found = _ir_datasets("downloads.json").values()
    return {one["url"]: one for group in found for one in group.values() if "url" in one}


@pytest.fixture(scope="module")
def metadata() -> dict:
    return _ir_datasets("metadata.json")


def _urls(name: str):
    return [d for s in DATASETS[name].sources if isinstance(s, UrlSource) for d in s.downloads]


def _hubs(name: str) -> list[HubSource]:
    return [source for source in DATASETS[name].sources if isinstance(source, HubSource)]


def test_every_set_of_the_paper_is_there():
    named = set(DATASETS)
    assert {
        "dl19",
        "dl20",
        "trec-covid",
        "nfcorpus",
        "webis-touche2020",
        "dbpedia-entity",
        "scifact",
    } <= named
    assert {
        "scifact",
        "signal1m",
        "trec-news",
        "robust04",
        "arguana",
        "scidocs",
        "fiqa",
        "lee",
        "pydoc",
    } <= named
    assert {"webis-touche2020-withdrawn", "webis-touche2020-v3"} <= named
    assert len(SPLITS) == 12
    for split in SPLITS:
        assert {f"{split}-fixed", f"{split}-reason"} <= named
    assert sum(f"{split}-long" in named for split in SPLITS) == 8


@pytest.mark.parametrize("name", [name for name in DATASETS if _urls(name)])
def test_md5_and_sizes_are_those_of_ir_datasets(name, downloads):
    for one in _urls(name):
        theirs = downloads[one.urls[0]]
        assert one.md5 == theirs["expected_md5"]
        assert one.bytes == theirs["size_hint"]
        assert one.headers == theirs.get("download_args", {}).get("headers", {})
        mirrored = f"https://mirror.ir-datasets.com/{one.md5}" in one.urls
        assert mirrored == bool(theirs.get("irds_mirror"))


def test_md5_of_beir_zips_are_those_of_beir():
    readme = importlib.metadata.metadata("beir").get_payload()
    for name in ("trec-covid", "nfcorpus", "webis-touche2020", "dbpedia-entity", "scifact", "arguana"):
        (one,) = _urls(name)
        assert one.md5 in readme
        assert one.urls[0] in readme


@pytest.mark.parametrize("name", [name for name in DATASETS if name.startswith("bright-")])
def test_md5_of_bright_are_those_of_ir_datasets(name, downloads):
    (source,) = _hubs(name)
    assert (source.repository, source.revision) == ("xlangai/BRIGHT", None)
    root = "https://huggingface.co/datasets/xlangai/BRIGHT/resolve/main/"
    assert source.md5.keys() == set(source.files)
    assert source.md5 == {path: downloads[root + path]["expected_md5"] for path in source.files}
    assert source.bytes == sum(downloads[root + path]["size_hint"] for path in source.files)


@pytest.mark.parametrize(
    "name", [n for n, e in DATASETS.items() if (e.counts_source or "").startswith("ir_datasets")]
)
def test_counts_are_those_of_ir_datasets(name, metadata):
    entry = DATASETS[name]
    queries = judgements = None
    if name.startswith("dl"):
        theirs = f"msmarco-passage/trec-dl-20{name[2:4]}"
        documents = metadata["msmarco-passage"]["docs"]["count"]
        queries = metadata[f"{theirs}/judged"]["queries"]["count"]
        judgements = metadata[theirs]["qrels"]["count"]
    elif name.startswith("bright-"):
        theirs = "bright/" + name.removeprefix("bright-").removesuffix("-reason")
        documents = metadata[theirs]["docs"]["count"]
        queries = metadata[theirs]["queries"]["count"]
        relevant = metadata[theirs]["qrels"]["fields"]["relevance"]["counts_by_value"]["1"]
        # ir_datasets counts gold ids that stand there twice.
        judgements = entry.judgements if "theoremqa-questions" in name else relevant
    elif name == "robust04-disks":
        documents = metadata["disks45/nocr"]["docs"]["count"]
        theirs = metadata["disks45/nocr/trec-robust-2004"]
        queries, judgements = theirs["queries"]["count"], theirs["qrels"]["count"]
    else:
        theirs = "beir/" + BEIR_IDS.get(name, name)
        split = metadata.get(f"{theirs}/test", metadata[theirs])
        documents = metadata[theirs]["docs"]["count"]
        queries, judgements = split["queries"]["count"], split["qrels"]["count"]
    assert (entry.documents, entry.queries, entry.judgements) == (documents, queries, judgements)


@pytest.fixture(scope="module")
def mteb_task():
    mteb = pytest.importorskip("mteb")
    return lambda name: mteb.get_task(name)


@pytest.mark.parametrize(
    "name", [n for n, e in DATASETS.items() if (e.instruction_source or "").startswith("mteb")]
)
def test_revisions_and_instructions_are_those_of_mteb(name, mteb_task):
    entry = DATASETS[name]
    task = mteb_task(re.match(r"mteb (\w+)", entry.instruction_source)[1]).metadata
    prompt = task.prompt["query"]
    assert entry.instruction == (prompt.rstrip(": ") if name.startswith("bright-") else prompt)
    if name == "webis-touche2020-v3":
        task = mteb_task("Touche2020Retrieval.v3").metadata
    if task.dataset["path"].startswith("mteb/") and not name.startswith("bright-"):
        assert [(s.repository, s.revision) for s in _hubs(name)] in (
            [(task.dataset["path"], task.dataset["revision"])],
            [],
        )


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
        if found:
            column = name.removeprefix("bright-").replace("-", "_") if found[1] == "22" else name
            column = "touche2020" if name == "webis-touche2020" else column
            assert entry.published_bm25 == rows[found[1], column]
            checked += 1
    assert checked == 10 + 12


def test_a_published_value_and_its_source_go_together():
    for name, entry in DATASETS.items():
        assert (entry.published_bm25 is None) == (entry.published_bm25_source is None), name
        assert (entry.instruction is None) == (entry.instruction_source is None), name


def test_what_needs_an_agreement_says_so():
    for name in ("signal1m", "trec-news", "robust04"):
        assert DATASETS[name].sources == [LocalSource(kind="local")]
        assert f"$E2RANK_DATA/{name}" in DATASETS[name].registration


def test_downloads_ahead_of_ir_datasets_are_known_to_it():
    known = _ir_datasets("downloads.json")
    named = [s for e in DATASETS.values() for s in e.sources if isinstance(s, IrDatasetsSource)]
    assert named
    for source in named:
        for key in source.downloads:
            collection, name = key.split("/", 1)
            assert {"url", "expected_md5"} <= known[collection][name].keys()


def test_a_variant_keeps_what_it_does_not_give():
    base, fixed, reason = (DATASETS[f"bright-pony{suffix}"] for suffix in ("", "-fixed", "-reason"))
    assert fixed.files_of == "bright-pony"
    assert reason.files_of is None
    assert fixed.sources == base.sources
    assert (fixed.licence, fixed.instruction, fixed.documents) == (
        base.licence,
        base.instruction,
        base.documents,
    )
    assert fixed.options == {"split": "pony", "qrels": "qrels.fixed.txt"}
    assert (base.published_bm25, fixed.published_bm25) == (4.3, None)
    assert not fixed.variants


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": []}, "scifact.sources: List should have at least 1 item"),
        ({"variants": {"a": {"titel": "x"}}}, "scifact.variants.a.title: Field required"),
        (
            {"sources": [{"kind": "url", "downloads": [{"urls": ["ftp://x/y"], "name": "n"}]}]},
            "urls.0: String should",
        ),
        (
            {"sources": [{"kind": "url", "downloads": [{"urls": ["http://x/y"]}]}]},
            "give either name .a file kept as it is. or members",
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


def test_both_years_of_deep_learning_share_one_collection():
    one, other = DATASETS["dl19"], DATASETS["dl20"]
    assert one.sources == other.sources
    assert one.files_of == other.files_of == "msmarco-passage"
    assert (one.options, other.options) == ({"year": 2019}, {"year": 2020})
    assert DATASETS["dl20-repaired"].files_of is None
