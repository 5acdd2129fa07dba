"""A run as a first stage: its order, what it lacks, and the official candidates of TREC DL."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from e2rank_eval.api import evaluate, load_dataset, run_of
from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.config.systems import FIRST_STAGES
from e2rank_eval.errors import InputError
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.retrieval.base import Context
from e2rank_eval.retrieval.first_stages.run import RunSettings, read_any, run_candidates
from e2rank_eval.store.trec import Run

TOY = Dataset(
    id="toy",
    corpus={i: Document(i, f"text of {i}") for i in ("a", "b", "c")},
    queries={"q1": Query("q1", "text"), "q2": Query("q2", "text of a")},
    qrels={"q1": {"a": 1}},
    exclusions={"q1": frozenset({"b"})},
)


def found(run: Run, depth: int = 10, **options: Any) -> dict[str, tuple[str, ...]]:
    return {one.query_id: one.document_ids for one in run_candidates(run, TOY, depth, **options)}


def test_excluded_documents_take_no_places() -> None:
    run = Run({"q1": {"b": 3.0, "c": 2.0, "a": 1.0}, "q2": {"b": 3.0, "a": 1.0}})
    assert found(run, depth=1) == {"q1": ("c",), "q2": ("b",)}


@pytest.mark.parametrize("ranks", [{}, {"q1": {"a": 2, "c": 1}}])
def test_ties_go_by_rank_and_then_as_in_trec_eval(ranks: dict[str, dict[str, int]]) -> None:
    assert found(Run({"q1": {"a": 1.0, "c": 1.0}}, ranks))["q1"] == ("c", "a")
    assert found(Run({"q1": {"a": 1.0, "c": 1.0}}, {"q1": {"a": 1, "c": 2}}))["q1"] == ("a", "c")


@pytest.mark.parametrize(
    ("run", "problem"),
    [
        (Run({"q9": {"a": 1.0}}), r"1 queries of the run are not in toy \(q9\); name the data set"),
        (Run({"q1": {"a": 1.0, "x": 2.0, "y": 3.0}}), r"2 documents of the run are not in toy \(x, y\)"),
    ],
)
def test_a_run_of_another_collection_is_refused(run: Run, problem: str) -> None:
    with pytest.raises(InputError, match=problem):
        found(run)


def test_what_the_collection_lacks_is_skipped_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    run = Run({"q1": {"x": 3.0, "a": 2.0, "c": 1.0}, "q9": {"a": 1.0}}, {"q1": {"x": 1, "a": 3, "c": 2}})
    assert found(run, missing="skip") == {"q1": ("a", "c")}
    said = capsys.readouterr().err
    assert "1 queries of the run are not in toy (q9): skipped" in said
    assert "1 documents of the run are not in toy (x): skipped" in said
    assert "the ranks of 1 queries contradict their scores" in said


def test_the_path_names_the_data_set_and_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNS", str(tmp_path))
    settings = FIRST_STAGES["run"].model_validate({"retriever": "run", "path": "$RUNS/{dataset}.trec"})
    assert settings.files("toy") == [str(tmp_path / "toy.trec")]
    (tmp_path / "toy.trec").write_text("q1 Q0 c 1 2.0 t\nq2 Q0 a 1 2.0 t\n")
    (lists, origin) = settings.build(Context(None, None, 5))(TOY)  # type: ignore[arg-type]
    assert [one.document_ids for one in lists] == [("c",), ("a",)]
    assert len(origin["run_sha256"]) == 64
    with pytest.raises(ValueError, match=r"only \{dataset\} is allowed in braces"):
        RunSettings(retriever="run", path="{data}.trec")


def test_other_data_sets_have_the_lists_of_another_first_stage(tmp_path: Path) -> None:
    stages = {
        "bm25": {"retriever": "bm25"},
        "mixed": {"retriever": "run", "path": f"{tmp_path}/{{dataset}}.trec", "otherwise": "bm25"},
    }
    configuration = configured(stages, {"toy": {"path": "toy"}})
    find = Context(configuration, Models(tmp_path, threads=1), 2).finder("mixed")
    assert configuration.first_stages["mixed"].files("toy") == []
    assert [len(one) for one in find(TOY)[0]] == [2, 2]
    (tmp_path / "toy.trec").write_text("q1 Q0 c 1 2.0 t\n")
    assert [one.document_ids for one in find(TOY)[0]] == [("c",)]
    assert configuration.first_stages["mixed"].files("toy") == [str(tmp_path / "toy.trec")]


def test_nothing_is_searched_in_a_pool(tmp_path: Path) -> None:
    configuration = configured({"bm25": {"retriever": "bm25"}}, {"dl19-rerank": {}})
    find = Context(configuration, Models(tmp_path, threads=1), 2).finder("bm25")
    with pytest.raises(InputError, match=r"dl19-rerank is a pool .* too easy to search with bm25"):
        find(replace(TOY, id="dl19-rerank"))


def configured(first_stages: dict[str, Any], datasets: dict[str, Any]) -> Configuration:
    values = {"profile": "test", "datasets": datasets, "first_stages": first_stages, "depth": 2}
    return parse_configuration(values | {"rerankers": {"none": {"family": "identity"}}}, "here")


@pytest.mark.parametrize(("name", "bm25"), [("dl19-rerank", 50.58), ("dl20-rerank", 47.96)])
def test_the_official_candidates_score_as_the_paper_prints(shared_data: Path, name: str, bm25: float) -> None:
    folder = shared_data / "collections" / name
    dataset = load_dataset(folder)
    lists = run_candidates(read_any(folder / "runs" / "bm25-top100.trec"), dataset, 100)
    ordered = run_of((one.query_id, one.document_ids) for one in lists)
    assert 100 * evaluate(ordered, dataset, ["nDCG@10"]).mean["nDCG@10"] == pytest.approx(bm25, abs=0.005)
