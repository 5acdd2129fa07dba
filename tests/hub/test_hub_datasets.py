"""Registered data sets through ir_datasets, mteb or the user's files: loaded, counted, planned or refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import ir_datasets
import mteb
import published
import pytest
from file_server import Fault
from ir_datasets.datasets import base, beir, bright
from ir_datasets.formats import TrecQrels, TsvDocs, TsvQueries
from ir_datasets.util import Cache, DownloadConfig, GzipExtract, TarExtract, ZipExtract
from ir_datasets.util.download import _DownloadConfig
from published import entry

from e2rank_eval.config import Configuration
from e2rank_eval.datasets.fetch import fetch_dataset
from e2rank_eval.datasets.loaders import ir_datasets as loader
from e2rank_eval.datasets.loading import load_folder, load_registered, plan
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.records import Document, Query
from e2rank_eval.store.collections import read_dataset
from e2rank_eval.store.corpus import StreamedCorpus
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.trec import encode_id, read_qrels


@pytest.fixture
def own(server, monkeypatch, tmp_path):
    """Describes files on the server to ir_datasets, and registers a collection of them as own/<name>."""
    home = tmp_path / "ir_datasets"
    monkeypatch.setenv("IR_DATASETS_HOME", str(home))
    monkeypatch.setattr(ir_datasets.registry, "_registered", dict(ir_datasets.registry._registered))

    def describe(collection, files, **facts):
        contents = {
            key: {"url": server.publish(f"/{key}", content), "expected_md5": hashlib.md5(content).hexdigest()}
            | {"cache_path": key.replace("/", "-")}
            | facts
            for key, content in files.items()
        }
        monkeypatch.setitem(DownloadConfig.contents(), collection, contents)
        return _DownloadConfig(contents=contents, base_path=home / collection)

    def register_collection(name, *handlers):
        ir_datasets.registry._registered.pop(name, None)
        ir_datasets.registry.register(name, base.Dataset(*handlers))

    describe.register = register_collection
    describe.home = home
    return describe


def _beir(own, dataset, register, **kept):
    """Register the data set as a BEIR zip that ir_datasets reads by its own classes."""

    def again():
        archive = own("own", {"texts.zip": published.beir_zip(dataset, "texts")})["texts.zip"]
        own.register(
            "own/texts",
            beir.BeirDocs("texts", ZipExtract(archive, "texts/corpus.jsonl"), beir.BeirTitleDoc),
            beir.BeirQueries("texts", ZipExtract(archive, "texts/queries.jsonl"), beir.GenericQuery),
            beir.BeirQrels(Cache(ZipExtract(archive, "texts/qrels/test.tsv"), own.home / "texts.qrels"), {}),
        )

    again()
    register({"texts": entry("ir_datasets", options={"id": "own/texts"}, **kept)})
    return again


def test_a_collection_of_ir_datasets_is_fetched_once_resumed_and_streamed(
    server, own, texts, register, tmp_path
):
    again = _beir(own, texts, register)
    server.faults["/texts.zip"] = [Fault("cut", at=4000)]
    collection = load_registered("texts", tmp_path / "cache", seed=1)
    assert dict(collection.dataset.corpus.items()) == dict(texts.corpus)
    assert isinstance(collection.dataset.corpus, StreamedCorpus)
    assert (collection.dataset.queries, collection.dataset.qrels) == (texts.queries, texts.qrels)
    assert collection.source == {"kind": "ir_datasets", "version": ir_datasets.__version__, "id": "own/texts"}
    assert [headers.get("Range") for headers in server.gets("/texts.zip")] == [None, "bytes=4000-"]
    again()  # as another process finds it
    assert load_registered("texts", tmp_path / "cache", seed=1).dataset.qrels == texts.qrels
    assert len(server.gets("/texts.zip")) == 2


def test_a_part_that_a_killed_process_left_is_resumed(server, own, texts, register, tmp_path):
    _beir(own, texts, register)
    content = server.files["/texts.zip"].body
    key = hashlib.md5(content).hexdigest()
    (own.home / ".partial").mkdir(parents=True)
    (own.home / ".partial" / f"{key[:16]}-texts.zip").write_bytes(content[:5000])
    assert load_registered("texts", tmp_path / "cache", seed=1).dataset.qrels == texts.qrels
    assert [headers.get("Range") for headers in server.gets("/texts.zip")] == ["bytes=5000-"]


def test_the_user_s_mirror_serves_ir_datasets_too_and_offline_nothing_does(
    server, own, texts, register, tmp_path, monkeypatch
):
    _beir(own, texts, register)
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    with pytest.raises(
        UnavailableError, match=r"texts\.zip is not in .*downloads, and E2RANK_OFFLINE is set"
    ):
        load_registered("texts", tmp_path / "cache", seed=1)
    monkeypatch.delenv("E2RANK_OFFLINE")
    host = server.address.removeprefix("http://")
    server.publish(f"/mirror/{host}/texts.zip", server.files.pop("/texts.zip").body)
    monkeypatch.setenv("E2RANK_MIRROR", f"{server.address}/mirror")
    assert load_registered("texts", tmp_path / "cache", seed=1).dataset.qrels == texts.qrels


def test_a_judged_query_without_a_visible_character_is_named(own, texts, register, tmp_path):
    query = next(iter(texts.queries))
    changed = texts.queries | {query: Query(query, "\u200b ")}
    _beir(own, replace(texts, queries=changed), register)
    with pytest.raises(InputError, match="is judged but has no text"):
        load_registered("texts", tmp_path / "cache", seed=1)


def test_a_lasting_fault_is_reported_and_leaves_no_data(server, own, texts, register, tmp_path):
    _beir(own, texts, register)
    server.faults["/texts.zip"] = [Fault("corrupt")] * 2
    with pytest.raises(UnavailableError, match=r"texts\.zip: md5 is .* instead of"):
        load_registered("texts", tmp_path / "cache", seed=1)
    assert not list((own.home / "downloads").glob("*"))


def _bright(own, dataset, register):
    """Register one split of BRIGHT as ir_datasets reads it, and its rewritten queries."""
    files = published.bright_repository(dataset, "biology", {q: f"reason {q}" for q in dataset.queries})
    file = "{}/biology-00000-of-00001.parquet"
    keys = {"biology/docs": "documents", "biology/queries": "examples"}
    keys |= {"biology/gpt4_reason/queries": "gpt4_reason"}
    found = own("bright", {key: files[file.format(folder)] for key, folder in keys.items()})
    own.register(
        "bright/biology",
        bright.BrightDocs("biology", found["biology/docs"]),
        bright.BrightQueries(found["biology/queries"]),
        bright.BrightQrels(found["biology/queries"]),
    )
    options = {"id": "bright/biology"}
    register(
        {
            "own": entry("ir_datasets", options=options, **_counts(dataset)),
            "reason": entry(
                "ir_datasets", options=options | {"rewritten": "gpt4_reason"}, **_counts(dataset)
            ),
        }
    )


def _counts(dataset):
    judgements = sum(grade > 0 for grades in dataset.qrels.values() for grade in grades.values())
    numbers = {"documents": len(dataset.corpus), "queries": len(dataset.queries)}
    return numbers | {"judgements": judgements}


def test_bright_s_excluded_ids_leave_the_candidates_and_rewritten_queries_replace_its_own(
    own, spaced, register, tmp_path
):
    queries = list(spaced.queries)
    free = [d for d in spaced.corpus if all(d not in grades for grades in spaced.qrels.values())]
    exclusions = {queries[0]: frozenset(free[:3]), queries[2]: frozenset(free[1:2])}
    _bright(own, replace(spaced, exclusions=exclusions), register)
    ours = load_registered("own", tmp_path / "cache", seed=1).dataset
    assert ours.exclusions == exclusions
    assert ours.qrels == {q: {d: 1 for d, g in grades.items() if g > 0} for q, grades in spaced.qrels.items()}
    assert {d.id: d.text for d in ours.corpus.values()} == {i: d.contents for i, d in spaced.corpus.items()}
    reason = load_registered("reason", tmp_path / "cache", seed=1).dataset
    assert [q.text for q in reason.queries.values()] == [f"reason {q}" for q in queries]
    assert (reason.qrels, reason.exclusions) == (ours.qrels, ours.exclusions)


def test_ids_with_white_space_and_percent_signs_survive_the_store(own, spaced, register, tmp_path):
    _bright(own, spaced, register)
    fetch_dataset("own", _configuration(tmp_path, own={}), Layout(tmp_path / "results"))
    folder = tmp_path / "results" / "datasets" / "own"
    stored = read_dataset(folder, "own")
    assert stored == load_registered("own", tmp_path / "cache", seed=1).dataset
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


def test_ms_marco_s_text_is_as_distributed(server, own, texts, register, tmp_path):
    """The library reads the queries and judgements, and repairs texts that this data set leaves alone."""
    broken = replace(texts, corpus=texts.corpus | {"0": Document("0", "it â\x80\x99 s")})
    topics = {q.id: q.text for q in texts.queries.values()} | {"9999": "a query that no one judged"}
    found = own(
        "msmarco-passage",
        {
            "collectionandqueries": published.msmarco_collection(broken),
            "queries": published.msmarco_queries(topics),
            "qrels": published.trec_qrels(texts.qrels),
        },
        download_args={"headers": {"X-Ms-Version": "2019-12-12"}},
    )
    passages = TarExtract(found["collectionandqueries"], "collection.tsv")
    own.register(
        "own/dl",
        TsvDocs(passages, namespace="own", lang="en"),
        TsvQueries(GzipExtract(found["queries"]), namespace="own", lang="en"),
        TrecQrels(found["qrels"], {}),
    )
    register({"dl": entry("ir_datasets", options={"id": "own/dl", "distributed_text": True})})
    collection = load_registered("dl", tmp_path / "cache", seed=1)
    assert collection.dataset.qrels == texts.qrels
    assert list(collection.dataset.queries) == list(texts.queries)
    assert collection.skipped == {"queries without judgements": 1}
    for i, document in collection.dataset.corpus.items():
        assert document.text == " ".join(broken.corpus[i].contents.split())
    assert server.gets("/collectionandqueries")[0]["X-Ms-Version".title()] == "2019-12-12"


def test_a_collection_that_needs_a_signature_is_refused_before_the_library_is_called(monkeypatch, tmp_path):
    monkeypatch.setenv("IR_DATASETS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(loader, "_library", lambda: pytest.fail("the library was asked"))
    for name in ("robust04-disks", "codec/economics"):
        with pytest.raises(UnavailableError, match=r"only you can provide it: The (.* TREC disks|CODEC)"):
            load_registered(name, tmp_path / "cache", seed=1)
        assert plan([name], tmp_path / "cache")[0]["state"] == "manual"


def test_ids_of_the_libraries_are_names(tmp_path):
    assert registered_dataset("beir/nfcorpus/test") == registered_dataset("nfcorpus")
    assert registered_dataset("ir_datasets:bright/pony-long") == registered_dataset("bright-pony-long")
    assert registered_dataset("ir_datasets:vaswani").options == {"id": "vaswani"}
    assert registered_dataset("mteb:NFCorpus").options == {"task": "NFCorpus"}
    with pytest.raises(InputError, match="did you mean beir/nfcorpus/test"):
        registered_dataset("beir/nfcorpus/tset")
    with pytest.raises(InputError, match="'antique' with documents, queries and judgements"):
        registered_dataset("ir_datasets:antique")
    configuration = _configuration(tmp_path, a={"ir_datasets": "vaswani"}, b={"mteb": "SciFact"})
    assert [configuration.registry_id(name) for name in "ab"] == ["ir_datasets:vaswani", "mteb:SciFact"]


MTEB = """
import json
from pathlib import Path
from e2rank_eval.datasets.loading import load_registered
from e2rank_eval.errors import InputError
found = load_registered("mteb:SciFact", Path("cache"), seed=1).dataset
refused = []
for name in ("mteb:NoSuchTask", "mteb:STS13"):
    try:
        load_registered(name, Path("cache"), seed=1)
    except InputError as error:
        refused.append(str(error))
corpus = {d.id: [d.title, d.text] for d in found.corpus.values()}
print(json.dumps([corpus, {q.id: q.text for q in found.queries.values()}, found.qrels, refused]))
"""


@pytest.mark.slow
def test_a_task_of_mteb_is_a_data_set(hub_server, client, texts):
    asked = mteb.get_task("SciFact").metadata.dataset
    files = published.mteb_repository(texts)
    hub_server.publish("datasets", asked["path"], files, commit=asked["revision"])
    corpus, queries, qrels, (unknown, other) = client(MTEB)
    assert corpus == {d.id: [d.title, d.text] for d in texts.corpus.values()}
    assert (queries, qrels) == ({q.id: q.text for q in texts.queries.values()}, texts.qrels)
    assert "mteb has no task 'NoSuchTask'" in unknown
    assert "is of type STS" in other


def test_a_query_that_is_itself_in_the_corpus_is_excluded(own, texts, register, tmp_path):
    """As in ArguAna: the query is also a document of the corpus, under the query's id."""
    asked = list(texts.queries)[:3]
    arguments = {q: Document(q, texts.queries[q].text) for q in asked}
    _beir(own, replace(texts, corpus=texts.corpus | arguments), register, excludes_itself=True)
    loaded = load_registered("texts", tmp_path / "cache", seed=1).dataset
    assert loaded.exclusions == {q: frozenset((q,)) for q in asked}


def test_a_folder_of_the_user_s_takes_precedence_over_every_source(
    server, own, texts, register, tmp_path, monkeypatch
):
    _beir(own, texts, lambda entries: register(entries | {"needy": entry("beir")}), queries=12)
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
def test_other_counts_than_the_registry_s_are_refused(what, own, texts, register, tmp_path):
    _beir(own, texts, register, **{what: 7})
    with pytest.raises(InputError, match=rf"texts has \d+ {what}, the registry expects 7"):
        load_registered("texts", tmp_path / "cache", seed=1)


def test_a_plan_states_the_cost_of_fetching(server, texts, register, tmp_path, monkeypatch):
    files = published.beir_files(texts)
    downloads = [
        {"urls": [server.publish(f"/{name}", content)], "name": name} for name, content in files.items()
    ]
    size = sum(map(len, files.values()))
    facts = entry("beir", {"kind": "url", "downloads": downloads}, bytes=size)
    register({"texts": facts | {"registration": "sign here"}, "copy": facts})
    cache = tmp_path / "cache"
    names = ["texts", "copy", "signal1m", "pydoc", "bright-biology", "webis-touche2020-v3"]
    before = {row["name"]: row for row in plan(names, cache)}
    assert {name: row["state"] for name, row in before.items()} == {
        "texts": "to fetch", "copy": "to fetch", "signal1m": "manual", "pydoc": "generated",
        "bright-biology": "to fetch", "webis-touche2020-v3": "to fetch",
    }  # fmt: skip
    assert server.requests == []
    assert (before["texts"]["bytes"], before["texts"]["from"]) == (
        size,
        ", ".join(one["urls"][0] for one in downloads),
    )
    assert (before["texts"]["licence"], before["texts"]["registration"]) == ("none", "sign here")
    assert before["bright-biology"]["from"] == "ir_datasets bright/biology"
    load_registered("texts", cache, seed=1)
    (tmp_path / "mine" / "copy").mkdir(parents=True)
    monkeypatch.setenv("E2RANK_DATA", str(tmp_path / "mine"))
    after = {row["name"]: row for row in plan(["texts", "copy"], cache)}
    assert [(row["state"], row["bytes"]) for row in after.values()] == [("fetched", 0), ("own copy", 0)]
    (cache / "downloads" / "texts" / "corpus.jsonl").unlink()
    assert plan(["texts"], cache)[0]["state"] == "to fetch"


@pytest.mark.slow
def test_the_package_beir_reads_a_zip_alike(server, client, texts, tmp_path):
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
    ours = load_folder("texts", tmp_path / "beir" / "texts", "test").dataset
    corpus = {d.id: [d.title, d.text] for d in ours.corpus.values()}
    assert theirs == [corpus, {q.id: q.text for q in ours.queries.values()}, ours.qrels]
    assert (ours.queries, ours.qrels) == (texts.queries, texts.qrels)
