"""The Python interface: rerankers, runs and collections."""

from __future__ import annotations

import doctest
import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import e2rank_eval as e2
from e2rank_eval.errors import InputError, QueryError
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.families.identity import IdentitySettings
from e2rank_eval.store.trec import Run

TEXTS = ("wing flutter", "heat shield", "flutter of a wing at speed", "boats")


@pytest.fixture
def collection() -> Dataset:
    return Dataset(
        id="toy",
        corpus={f"d{i}": Document(f"d{i}", text) for i, text in enumerate(TEXTS)},
        queries={"q1": Query("q1", "wing flutter"), "q2": Query("q2", "a heat shield")},
        qrels={"q1": {"d0": 1, "d2": 2}, "q2": {"d1": 1}},
    )


@pytest.fixture(scope="module")
def minilm(minilm_path: Path, fetch_cache: Path) -> e2.Reranker:
    assert minilm_path.exists()
    return e2.load_reranker("all-minilm-l6-v2", prompt="query-only", cache=fetch_cache, threads=1)


def first_stage_order(models: object = None) -> e2.Reranker:
    settings = IdentitySettings(family="identity")
    return e2.Reranker(settings.build(RerankContext(models)), {"family": "identity"})  # type: ignore[arg-type]


def test_import_is_quick_and_loads_no_library() -> None:
    code = (
        "import e2rank_eval, sys; print(*(m in sys.modules for m in ('torch', 'pandas', 'e2rank_eval.api')))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False"] * 3
    assert {"load_reranker", "compare", "__version__"} <= set(dir(e2))
    with pytest.raises(AttributeError, match="no attribute 'load_rerankers'"):
        _ = e2.load_rerankers  # type: ignore[attr-defined]


def test_rank_follows_sentence_transformers(minilm: e2.Reranker, minilm_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(minilm_path), device="cpu", local_files_only=True)
    documents = model.encode(list(TEXTS), normalize_embeddings=True)
    expected = (model.encode(["wing flutter"], normalize_embeddings=True) @ documents.T)[0]
    found = minilm.rank("wing flutter", TEXTS, return_documents=True)
    assert [one["corpus_id"] for one in found] == expected.argsort()[::-1].tolist()
    assert [one["score"] for one in found] == pytest.approx(sorted(expected, reverse=True), abs=1e-5)
    assert [one["text"] for one in found] == [TEXTS[one["corpus_id"]] for one in found]
    first = [{key: one[key] for key in ("corpus_id", "score")} for one in found[:2]]
    assert minilm.rank("wing flutter", TEXTS, top_k=2) == first
    assert minilm.rank("wing flutter", iter(TEXTS), top_k=2) == first
    assert minilm.rank("wing flutter", []) == []
    assert repr(minilm) == "Reranker(family='e2rank', model='all-minilm-l6-v2', prompt='query-only')"
    with pytest.raises(InputError, match="the query is empty"):
        minilm.rank(" ", TEXTS)


def test_a_family_without_scores_counts_the_documents_at_or_below() -> None:
    found = first_stage_order().rank("any", TEXTS)
    assert [(one["corpus_id"], one["score"]) for one in found] == [(0, 4.0), (1, 3.0), (2, 2.0), (3, 1.0)]


def test_from_run_to_comparison(collection: Dataset, tmp_path: Path) -> None:
    run = e2.retrieve(collection, "bm25", depth=3)
    reranked = e2.rerank(run, collection, first_stage_order(), depth=2, cache=tmp_path)
    assert {query: list(scores) for query, scores in reranked.scores.items()} == {
        query: list(scores)[:2] for query, scores in run.scores.items()
    }
    worse = Run({"q1": {"d3": 2.0, "d0": 1.0}})
    metrics = e2.evaluate(worse, collection, ["nDCG@10", "RR@10"])
    assert metrics.mean["RR@10"] == 0.25  # q2 is missing and counts as 0
    assert e2.evaluate(worse, collection, "RR@10").mean == {"RR@10": 0.25}
    assert "RR@10" in repr(metrics)
    assert "queries missing from the run, counted as zero: 1 (q2)" in repr(metrics)
    assert "<table" in metrics._repr_html_()
    assert "counted as zero: 1 (q2)" in metrics._repr_html_()
    assert "no document of the run is relevant" in repr(e2.evaluate(Run({"q1": {"D3": 1.0}}), collection))
    compared = e2.compare({"bm25": run, "worse": worse}, collection, baseline="bm25")
    row = compared.frame().loc[("toy", "worse")]
    assert row["mean"] == pytest.approx(100 * metrics.mean["nDCG@10"])
    assert row["vs bm25"] < 0
    assert "1 judged queries are missing from worse and count as zero." in repr(compared)
    assert "–" in repr(compared)  # two queries are too few for a test
    assert repr(collection) == "Dataset(toy: 4 documents, 2 queries, 3 judgements)"
    assert repr(worse) == "Run(1 queries, 2 documents)"
    (tmp_path / "one.run").write_text("q1 Q0 d3 1 2 x\nq1 Q0 d0 2 1 x\n")
    assert (
        e2.read_run(str(tmp_path / "one.run")).scores
        == e2.read_run(tmp_path / "one.run").scores
        == worse.scores
    )


def test_a_written_run_keeps_the_order_of_equal_scores(tmp_path: Path) -> None:
    run = Run({"q 1": {"b": 1.0, "a": 1.0, "c": 2.0}}, {"q 1": {"a": 2, "b": 3, "c": 1}})
    for name in ("mine.trec", "mine.trec.gz"):
        e2.write_run(run, tmp_path / name)
        assert e2.read_run(tmp_path / name).scores == {"q 1": {"c": 3.0, "a": 2.0, "b": 1.0}}
    assert gzip.decompress((tmp_path / name).read_bytes()) == (tmp_path / "mine.trec").read_bytes()


def test_a_folder_without_judgements_has_its_queries_and_exclusions(tmp_path: Path) -> None:
    rows = {
        "corpus.jsonl": '{"_id": "d", "text": "a"}',
        "corpus.jsonl.bak": "old",
        "queries.jsonl": '{"_id": "q", "text": "b"}',
        "exclusions.jsonl": '{"query_id": "q", "document_ids": ["d"]}',
    }
    for name, row in rows.items():
        (tmp_path / name).write_text(row + "\n")
    dataset = e2.load_dataset(tmp_path)
    assert (list(dataset.corpus), list(dataset.queries), dataset.qrels) == (["d"], ["q"], {})
    assert dataset.exclusions == {"q": {"d"}}


def test_a_query_that_fails_keeps_its_order_where_the_reranker_was_loaded_so(
    collection: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, reranker = Run({"q1": {"d3": 2.0, "d0": 1.0}}), first_stage_order()
    monkeypatch.setattr(reranker.ranker, "rank_candidates", lambda *_: 1 / 0)
    with pytest.raises(QueryError, match="'q1' could not be ranked: ZeroDivisionError"):
        e2.rerank(run, collection, reranker, cache=tmp_path)
    reranker.settings["on_error"] = "keep-first-stage"
    assert list(e2.rerank(run, collection, reranker, cache=tmp_path).scores["q1"]) == ["d3", "d0"]


def test_a_run_is_reranked_by_score_then_rank_then_as_trec_eval_does(
    collection: Dataset, tmp_path: Path
) -> None:
    scores = {"q1": {"d3": 0.5, "d0": 2.0, "d1": 2.0}}
    for ranks, expected in (({}, "d1 d0 d3"), ({"q1": {"d0": 1, "d1": 2, "d3": 3}}, "d0 d1 d3")):
        reranked = e2.rerank(Run(scores, ranks), collection, first_stage_order(), cache=tmp_path)
        assert list(reranked.scores["q1"]) == expected.split()


def test_wrong_names_are_explained(collection: Dataset) -> None:
    with pytest.raises(InputError, match="'none' is not one of the runs; known: bm25"):
        e2.compare({"bm25": Run({"q1": {"d0": 1.0}})}, collection, baseline="none")
    with pytest.raises(InputError, match="give family: e2rank, listwise, pairwise-llm, pointwise-llm"):
        e2.load_reranker("smollm2-135m-instruct-q4")
    with pytest.raises(InputError, match=r"^unknown key 'promt'; did you mean 'prompt'"):
        e2.load_reranker("all-minilm-l6-v2", promt="query-only")
    with pytest.raises(InputError, match="unknown first stage 'bm52'; did you mean bm25"):
        e2.retrieve(collection, "bm52")
    with pytest.raises(InputError, match="depth 0 is out of range"):
        e2.rerank(Run({"q1": {"d0": 1.0}}), collection, first_stage_order(), depth=0)
    for query, documents in ((None, ["a"]), ("q", "a text"), ("q", ["a", None])):
        with pytest.raises(InputError, match="documents are a list"):
            first_stage_order().rank(query, documents)  # type: ignore[arg-type]


def test_a_name_where_the_thing_itself_belongs_says_what_makes_one(collection: Dataset) -> None:
    run, anything = Run({"q1": {"d0": 1.0}}), cast(Any, e2)
    calls: dict[str, Callable[[], object]] = {
        "'toy' is not a Dataset; make one with load_dataset": lambda: anything.evaluate(run, "toy"),
        "'lee' is not a Dataset": lambda: anything.retrieve("lee", "bm25"),
        "'bm25.trec' is not a Run": lambda: anything.rerank("bm25.trec", collection, first_stage_order()),
        "'minilm' is not a Reranker": lambda: anything.rerank(run, collection, "minilm"),
        "runs are not named": lambda: anything.compare([run], collection, baseline="bm25"),
        "'a.run' is not a Run": lambda: anything.compare({"a": "a.run"}, collection, baseline="a"),
    }
    for message, call in calls.items():
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.slow
def test_the_page_shows_what_happens(
    monkeypatch: pytest.MonkeyPatch, minilm_path: Path, lee_dataset: Dataset, fetch_cache: Path
) -> None:
    assert minilm_path.exists()
    assert lee_dataset.id == "lee"
    monkeypatch.chdir(fetch_cache.parent)
    page = fetch_cache.parent / "docs" / "python.md"
    found = doctest.testfile(str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 8
    assert found.failed == 0
