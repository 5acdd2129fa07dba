"""Unmodified clients read from loopback what the suite reads: the layouts are the published ones."""

from __future__ import annotations

import hashlib

import published
import pytest
from published import entry

from e2rank_eval.datasets.loading import load_registered

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
