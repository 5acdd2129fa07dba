"""Unmodified clients read from loopback what the suite reads: the layouts are the published ones."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import published
import pytest
from file_server import Fault
from published import entry

from e2rank_eval.datasets.loading import load_registered
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import IrDatasetsSource
from e2rank_eval.store.collections import read_dataset

pytestmark = pytest.mark.slow


def _plain(dataset):
    """A data set as clients hand it out: ids, texts, judgements."""
    corpus = {d.id: [d.title, d.text] for d in dataset.corpus.values()}
    return [
        corpus,
        {q.id: q.text for q in dataset.queries.values()},
        {q: dict(g) for q, g in dataset.qrels.items()},
    ]


def test_the_hub_s_own_client(hub_server, client, texts):
    files = published.mteb_repository(texts)
    commit = hub_server.publish("datasets", "people/texts", files)
    script = """
import hashlib, json, sys
from huggingface_hub import hf_hub_download, snapshot_download
from pathlib import Path
folder = Path(snapshot_download("people/texts", repo_type="dataset"))
one = hf_hub_download("people/texts", "corpus.jsonl", repo_type="dataset", revision=sys.argv[1])
print(json.dumps({"commit": folder.name, "one": hashlib.sha256(Path(one).read_bytes()).hexdigest(),
    "files": {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*") if p.is_file()}}))
"""
    found = client(script, commit)
    assert found["commit"] == commit
    assert found["files"] == {name: len(content) for name, content in files.items()}
    assert found["one"] == hashlib.sha256(files["corpus.jsonl"]).hexdigest()


def test_the_library_datasets_and_mteb(hub_server, client, texts, register, tmp_path):
    commit = hub_server.publish("datasets", "people/texts", published.mteb_repository(texts))
    script = """
import json, sys
import datasets
from mteb.abstasks.retrieval_dataset_loaders import RetrievalDatasetLoader
rows = datasets.load_dataset("people/texts", "corpus", split="corpus", revision=sys.argv[1])
loaded = RetrievalDatasetLoader("people/texts", sys.argv[1]).load()
print(json.dumps([{r["_id"]: [r["title"], r["text"]] for r in rows},
    {r["id"]: r["text"] for r in loaded["queries"]}, loaded["relevant_docs"]]))
"""
    theirs = client(script, commit)
    source = {"kind": "hub", "repository": "people/texts", "repository_type": "dataset", "revision": commit}
    register({"texts": entry("beir", source)})
    collection = load_registered("texts", tmp_path / "cache", seed=1)
    assert _plain(collection.dataset) == theirs == _plain(texts)
    assert collection.source["revision"] == commit


def test_beir(server, client, texts, register, tmp_path):
    content = published.beir_zip(texts, "texts")
    address = server.publish("/BEIR/datasets/texts.zip", content)
    script = """
import json, sys
from beir.datasets.data_loader import GenericDataLoader
from beir.util import download_and_unzip
corpus, queries, qrels = GenericDataLoader(download_and_unzip(sys.argv[1], "beir")).load(split="test")
print(json.dumps([{i: [d["title"], d["text"]] for i, d in corpus.items()}, queries, qrels]))
"""
    theirs = client(script, address)
    members = {f"texts/{name}": name for name in published.beir_files(texts)}
    download = {"urls": [address], "members": members, "md5": hashlib.md5(content).hexdigest()}
    register({"texts": entry("beir", {"kind": "url", "downloads": [download]})})
    ours = load_registered("texts", tmp_path / "cache", seed=1).dataset
    assert _plain(ours) == theirs == _plain(texts)


REGISTER = """
import json, sys
import ir_datasets
from ir_datasets.datasets import beir, bright, base
from ir_datasets.util import Cache, DownloadConfig, ZipExtract, home_path
from ir_datasets.util.download import _DownloadConfig
contents = json.loads(sys.argv[1])
downloads = _DownloadConfig(contents=contents, base_path=home_path() / "own")
"""

BEIR_CLASSES = """
archive = downloads["texts"]
qrels = Cache(ZipExtract(archive, "texts/qrels/test.tsv"), home_path() / "own" / "texts.qrels")
ir_datasets.registry.register("own/texts", base.Dataset(
    beir.BeirDocs("texts", ZipExtract(archive, "texts/corpus.jsonl"), beir.BeirTitleDoc),
    beir.BeirQueries("texts", ZipExtract(archive, "texts/queries.jsonl"), beir.GenericQuery),
    beir.BeirQrels(qrels, {})))
"""

BRIGHT_CLASSES = """
queries = downloads["queries"]
ir_datasets.registry.register("own/bright", base.Dataset(
    bright.BrightDocs("texts", downloads["docs"]),
    bright.BrightQueries(queries), bright.BrightQrels(queries)))
"""

EXPORT = """
from pathlib import Path
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import IrDatasetsSource
source = IrDatasetsSource(kind="ir_datasets", id=sys.argv[2])
print(json.dumps({"files": dict(fetch("texts", [source], Path(sys.argv[3]), {}).files)}))
"""


def _described(address: str, content: bytes, name: str) -> dict[str, object]:
    return {"url": address, "expected_md5": hashlib.md5(content).hexdigest(), "cache_path": name}


def test_ir_datasets_reads_a_beir_zip_and_is_written_out_as_the_same(server, client, texts, tmp_path):
    content = published.beir_zip(texts, "texts")
    contents = {"texts": _described(server.publish("/texts.zip", content), content, "texts.zip")}
    script = REGISTER + BEIR_CLASSES + EXPORT
    found = client(script, json.dumps(contents), "own/texts", str(tmp_path / "out"))
    assert set(found["files"]) == {"corpus.jsonl.gz", "queries.jsonl", "qrels.tsv", "exclusions.jsonl"}
    assert _plain(read_dataset(tmp_path / "out", "texts")) == _plain(texts)


AHEAD = """
from ir_datasets import util
util.DownloadConfig.contents()["own"] = contents
from pathlib import Path
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import IrDatasetsSource
source = IrDatasetsSource(kind="ir_datasets", id="own/texts", downloads=["own/texts"])
print(json.dumps({"files": dict(fetch("texts", [source], Path(sys.argv[2]), {}).files)}))
"""


def test_what_ir_datasets_needs_is_fetched_ahead_and_resumed(server, client, texts, tmp_path):
    content = published.beir_zip(texts, "texts")
    contents = {"texts": _described(server.publish("/texts.zip", content), content, "texts.zip")}
    server.faults["/texts.zip"] = [Fault("cut", at=4000)]
    script = REGISTER + BEIR_CLASSES + AHEAD
    client(script, json.dumps(contents), str(tmp_path / "out"), IR_DATASETS_SMALL_FILE_SIZE="0")
    assert _plain(read_dataset(tmp_path / "out", "texts")) == _plain(texts)
    assert [headers.get("Range") for headers in server.gets("/texts.zip")] == [None, "bytes=4000-"]
    kept = tmp_path / "ir_datasets" / "downloads"
    assert [p.name for p in kept.iterdir() if not p.name.startswith(".")] == [
        hashlib.md5(content).hexdigest()
    ]


def test_bright_through_ir_datasets_equals_the_parquet_files(hub_server, client, spaced, register, tmp_path):
    """Excluded ids, there a grade of -100, are exclusions and no judgements; a space in an id survives."""
    queries = list(spaced.queries)
    free = [d for d in spaced.corpus if all(d not in grades for grades in spaced.qrels.values())]
    exclusions = {queries[0]: frozenset(free[:3]), queries[2]: frozenset(free[1:2])}
    dataset = replace(spaced, exclusions=exclusions)
    files = published.bright_repository(dataset, "biology", {q: f"thought on {q}" for q in queries})
    commit = hub_server.publish("datasets", "people/bright", files)
    server = hub_server.server
    contents = {
        key: _described(server.publish(f"/{key}.parquet", files[name]), files[name], f"{key}.parquet")
        for key, name in (
            ("docs", "documents/biology-00000-of-00001.parquet"),
            ("queries", "examples/biology-00000-of-00001.parquet"),
        )
    }
    script = REGISTER + BRIGHT_CLASSES + EXPORT
    client(script, json.dumps(contents), "own/bright", str(tmp_path / "out"))
    theirs = read_dataset(tmp_path / "out", "bright")

    source = {"kind": "hub", "repository": "people/bright", "repository_type": "dataset", "revision": commit}
    variants = {"reason": {"title": "Reason", "options": {"queries": "gpt4_reason"}}}
    register({"own": entry("bright", source, options={"split": "biology"}, variants=variants)})
    ours = load_registered("own", tmp_path / "cache", seed=1).dataset
    assert _plain(ours) == _plain(theirs)
    assert ours.exclusions == theirs.exclusions == exclusions
    assert any(" " in i for i in ours.corpus)
    assert any(" " in d for grades in ours.qrels.values() for d in grades)
    assert all(grade == 1 for grades in ours.qrels.values() for grade in grades.values())
    reason = load_registered("own-reason", tmp_path / "cache", seed=1).dataset
    assert [q.text for q in reason.queries.values()] == [f"thought on {q}" for q in reason.queries]
    assert (reason.corpus, reason.qrels, reason.exclusions) == (ours.corpus, ours.qrels, ours.exclusions)


def test_an_id_that_ir_datasets_does_not_know_is_named(tmp_path, monkeypatch):
    from e2rank_eval.errors import UnavailableError

    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    source = IrDatasetsSource(kind="ir_datasets", id="no/such")
    with pytest.raises(UnavailableError, match="ir_datasets does not know 'no/such'; fix the id"):
        fetch("texts", [source], tmp_path / "out", {})
    assert not (tmp_path / "out").exists()
