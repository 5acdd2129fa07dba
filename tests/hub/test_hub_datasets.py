"""Registered data sets from their published files: loaded, counted, planned, or refused with the place."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import published
import pytest
from published import entry

from e2rank_eval.config import Configuration
from e2rank_eval.datasets.fetch import fetch_dataset
from e2rank_eval.datasets.loaders import bright
from e2rank_eval.datasets.loading import load_registered, plan
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Document, Query
from e2rank_eval.store.collections import read_dataset
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.trec import encode_id, read_qrels

PARQUET = "biology-00000-of-00001.parquet"


def _download(server, path, content, **kept):
    return {"urls": [server.publish(path, content)], "md5": hashlib.md5(content).hexdigest()} | kept


def _beir_entry(server, dataset, **kept):
    content = published.beir_zip(dataset, "texts")
    members = {f"texts/{name}": name for name in published.beir_files(dataset)}
    download = _download(server, "/texts.zip", content, members=members, bytes=len(content))
    return entry("beir", {"kind": "url", "downloads": [download]}, **kept)


def test_trec_deep_learning_from_the_files_of_ms_marco(server, texts, register, tmp_path):
    topics = {q.id: q.text for q in texts.queries.values()} | {"9999": "a query that no one judged"}
    downloads = [
        _download(
            server, "/collectionandqueries.tar.gz", published.msmarco_collection(texts),
            members={"collection.tsv": "collection.tsv"}, headers={"X-Ms-Version": "2019-12-12"},
        ),
        _download(server, "/queries.tsv.gz", published.msmarco_queries(topics), name="queries-2019.tsv.gz"),
        _download(server, "/2019qrels-pass.txt", published.trec_qrels(texts.qrels), name="qrels-2019.txt"),
    ]  # fmt: skip
    register({"dl19": entry("trec_dl", {"kind": "url", "downloads": downloads}, options={"year": 2019})})
    collection = load_registered("dl19", tmp_path / "cache", seed=1)
    assert collection.dataset.qrels == texts.qrels
    assert list(collection.dataset.queries) == list(texts.queries)
    assert collection.skipped == {"queries without judgements": 1}
    for i, document in collection.dataset.corpus.items():
        assert document.text == " ".join(texts.corpus[i].contents.split())
    assert server.gets("/collectionandqueries.tar.gz")[0]["X-Ms-Version".title()] == "2019-12-12"
    files = {p.name for p in (tmp_path / "cache" / "downloads" / "dl19").iterdir()}
    assert files == {"collection.tsv", "queries-2019.tsv.gz", "qrels-2019.txt", ".fetched.json"}


def _bright(hub_server, server, dataset, **kept):
    files = published.bright_repository(dataset, "biology", {q: f"reason {q}" for q in dataset.queries})
    hub_server.publish("datasets", "people/bright", files)
    source = {"kind": "hub", "repository": "people/bright", "repository_type": "dataset", "revision": None}
    source |= {
        "files": [f"documents/{PARQUET}", f"examples/{PARQUET}"],
        "md5": {f"documents/{PARQUET}": hashlib.md5(files[f"documents/{PARQUET}"]).hexdigest()},
    }
    return entry("bright", source, options={"split": "biology"}, **kept)


def test_fixed_judgements_of_bright_are_a_variant_on_the_same_files(
    hub_server, server, spaced, register, tmp_path
):
    first = next(iter(spaced.queries))
    spare = next(d for d in spaced.corpus if d not in spaced.qrels[first] and " " in d)
    judged = {q: {d: 1 for d, g in grades.items() if g > 0} for q, grades in spaced.qrels.items()}
    fixed = judged | {first: judged[first] | {spare: 1}}
    underscored = {q: {d.replace(" ", "_"): g for d, g in grades.items()} for q, grades in fixed.items()}
    addition = _download(server, "/fixed.txt", published.trec_qrels(underscored), name="qrels.fixed.txt")
    variant = {"title": "Fixed", "additions": [{"kind": "url", "downloads": [addition]}]}
    variant["options"] = {"qrels": "qrels.fixed.txt"}
    register({"bright": _bright(hub_server, server, spaced, variants={"fixed": variant})})
    base = load_registered("bright", tmp_path / "cache", seed=1).dataset
    asked = len(server.requests)
    collection = load_registered("bright-fixed", tmp_path / "cache", seed=1)
    assert [path for _, path, _ in server.requests[asked:]] == ["/fixed.txt"]
    assert base.qrels == judged
    assert collection.dataset.qrels == fixed
    assert collection.dataset.id == "bright-fixed"
    assert collection.dataset.corpus == base.corpus
    assert "qrels.fixed.txt" in collection.source["files"]


def test_ids_with_white_space_and_percent_signs_survive_the_store(
    hub_server, server, spaced, register, tmp_path
):
    register({"bright": _bright(hub_server, server, spaced)})
    configuration = _configuration(tmp_path, bright={})
    fetch_dataset("bright", configuration, Layout(tmp_path / "results"))
    folder = tmp_path / "results" / "datasets" / "bright"
    stored = read_dataset(folder, "bright")
    assert stored == load_registered("bright", tmp_path / "cache", seed=1).dataset
    assert any(" " in i and "%" in i for i in stored.corpus)
    assert read_qrels(folder / "qrels.tsv") == stored.qrels
    awkward = next(d for grades in stored.qrels.values() for d in grades if "%" in d)
    assert f"\t{encode_id(awkward)}\t" in (folder / "qrels.tsv").read_text()
    assert " " not in encode_id(awkward)


def _configuration(tmp_path, **datasets) -> Configuration:
    values = {
        "profile": "test",
        "cache": str(tmp_path / "cache"),
        "datasets": datasets,
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"first-stage": {"family": "identity"}},
    }
    return Configuration.model_validate(values)


def test_a_query_that_is_itself_in_the_corpus_is_excluded(server, texts, register, tmp_path):
    """ArguAna's case: the argument asked about stands in the corpus under the query's own id."""
    own = list(texts.queries)[:3]
    arguments = {q: Document(q, texts.queries[q].text) for q in own}
    dataset = replace(
        texts, corpus={i: d for i, d in texts.corpus.items() if i not in texts.queries} | arguments
    )
    register({"arguana": _beir_entry(server, dataset, options={"exclude": "same-id"})})
    loaded = load_registered("arguana", tmp_path / "cache", seed=1).dataset
    assert loaded.exclusions == {q: frozenset((q,)) for q in own}


def test_a_folder_of_the_user_s_goes_before_every_source(server, texts, register, tmp_path, monkeypatch):
    register({"texts": _beir_entry(server, texts, queries=12), "needy": entry("beir", {"kind": "local"})})
    with pytest.raises(UnavailableError, match=r"needy: only you can provide it: .*\$E2RANK_DATA/needy"):
        load_registered("needy", tmp_path / "cache", seed=1)
    with pytest.raises(UnavailableError, match="robust04: only you can provide it: sign the agreement"):
        load_registered("robust04", tmp_path / "cache", seed=1)
    for name in ("texts", "needy"):
        for path, content in published.beir_files(texts).items():
            (tmp_path / "mine" / name / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "mine" / name / path).write_bytes(content)
    monkeypatch.setenv("E2RANK_DATA", str(tmp_path / "mine"))
    for name in ("texts", "needy"):
        collection = load_registered(name, tmp_path / "cache", seed=1)
        assert collection.dataset.qrels == texts.qrels
        assert collection.source["kind"] == "folder"
        assert str(tmp_path) not in json.dumps(collection.source)
    assert server.requests == []


@pytest.mark.parametrize("what", ["documents", "queries", "judgements"])
def test_other_counts_than_the_registry_s_are_refused(what, server, texts, register, tmp_path):
    register({"texts": _beir_entry(server, texts, **{what: 7})})
    with pytest.raises(InputError, match=rf"texts has \d+ {what}, the registry expects 7"):
        load_registered("texts", tmp_path / "cache", seed=1)


def test_a_plan_tells_what_fetching_takes(server, texts, register, tmp_path, monkeypatch):
    facts = _beir_entry(server, texts, registration="sign here")
    register(
        {"texts": facts, "copy": facts | {"registration": None}, "needy": entry("beir", {"kind": "local"})}
    )
    cache = tmp_path / "cache"
    names = ["texts", "copy", "needy", "pydoc", "robust04", "bright-biology-fixed", "dl19-repaired"]
    before = {row["name"]: row for row in plan(names, cache)}
    assert list(before) == names
    assert {name: row["state"] for name, row in before.items()} == {
        "texts": "to fetch", "copy": "to fetch", "needy": "needs you", "pydoc": "made here",
        "robust04": "needs you", "bright-biology-fixed": "to fetch", "dl19-repaired": "to fetch",
    }  # fmt: skip
    assert server.requests == []
    assert before["texts"]["bytes"] == facts["sources"][0]["downloads"][0]["bytes"]
    assert before["texts"]["from"] == f"{server.address}/texts.zip"
    assert (before["texts"]["licence"], before["texts"]["registration"]) == ("none", "sign here")
    assert "NIST" in before["robust04"]["registration"]
    fixed = registered_dataset("bright-biology-fixed")
    expected = fixed.sources[0].bytes + fixed.additions[0].downloads[0].bytes
    assert before["bright-biology-fixed"]["bytes"] == expected > 11_000_000
    assert before["dl19-repaired"]["bytes"] is None
    load_registered("texts", cache, seed=1)
    (tmp_path / "mine" / "copy").mkdir(parents=True)
    monkeypatch.setenv("E2RANK_DATA", str(tmp_path / "mine"))
    after = {row["name"]: row for row in plan(["texts", "copy"], cache)}
    assert [(row["state"], row["bytes"]) for row in after.values()] == [("here", 0), ("yours", 0)]
    (cache / "downloads" / "texts" / "corpus.jsonl").unlink()
    assert plan(["texts"], cache)[0]["state"] == "to fetch"


def _write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _columns(**changed):
    columns = {"id": ["1"], "query": ["why"], "gold_ids": [["a"]]}
    columns |= {"gold_ids_long": [["N/A"]], "excluded_ids": [["N/A"]]}
    return published.parquet_file(columns | changed)


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        (
            {f"examples/{PARQUET}": _columns(excluded_ids=[["a"]])},
            {},
            "'a' is both relevant to and excluded for",
        ),
        ({f"examples/{PARQUET}": b"<html>"}, {}, f"{PARQUET}: not a parquet file"),
        ({f"examples/{PARQUET}": published.parquet_file({"id": ["1"]})}, {}, "no field '"),
        (
            {f"documents/{PARQUET}": published.parquet_file({"id": ["a", "a"], "content": ["x", "y"]})},
            {},
            "documents/biology: document 'a' has two texts",
        ),
        ({}, {"queries": "gpt4_reason"}, r"no gpt4_reason/biology-\*\.parquet"),
        ({f"gpt4_reason/{PARQUET}": _columns(id=["2"])}, {"queries": "gpt4_reason"}, "no text for query '1'"),
        (
            {f"gpt4_reason/{PARQUET}": _columns(query=[""])},
            {"queries": "gpt4_reason"},
            "no text for query '1'",
        ),
        ({}, {"documents": "long_documents"}, r"no long_documents/biology-\*\.parquet"),
    ],
)
def test_malformed_files_of_bright_are_named(files, options, message, tmp_path):
    sound = {
        f"documents/{PARQUET}": published.parquet_file({"id": ["a", "b"], "content": ["x", "y"]}),
        f"examples/{PARQUET}": _columns(),
    }
    _write(tmp_path, sound)
    assert bright.load(tmp_path, "b", split="biology")[0].queries == {"1": Query("1", "why")}
    _write(tmp_path, files)
    with pytest.raises(InputError, match=message):
        bright.load(tmp_path, "b", split="biology", **options)


def test_whole_pages_have_their_own_judgements_and_repeats_are_dropped(tmp_path):
    pages = published.parquet_file({"id": ["p", "p", "q"], "content": ["page", "page", None]})
    _write(
        tmp_path,
        {
            f"long_documents/{PARQUET}": pages,
            f"examples/{PARQUET}": _columns(gold_ids_long=[["p", "p", "N/A"]]),
        },
    )
    dataset, left_out = bright.load(tmp_path, "b", split="biology", documents="long_documents")
    assert dataset.qrels == {"1": {"p": 1}}
    assert dataset.corpus == {"p": Document("p", "page"), "q": Document("q", "")}
    assert left_out == {"queries without judgements": 0, "repeated documents": 1}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0 a one", "qrels.txt:2: not a judgement"),
        ("2 0 a 1", "of a query of this split"),
        ("1 a 1", "qrels.txt:2"),
    ],
)
def test_malformed_judgements_beside_bright_are_named(line, message, tmp_path):
    documents = published.parquet_file({"id": ["a"], "content": ["x"]})
    _write(tmp_path, {f"documents/{PARQUET}": documents, f"examples/{PARQUET}": _columns()})
    (tmp_path / "qrels.txt").write_text(f"1 0 a 1\n{line}\n")
    with pytest.raises(InputError, match=message):
        bright.load(tmp_path, "b", split="biology", qrels=tmp_path / "qrels.txt")
