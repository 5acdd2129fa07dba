"""Effectiveness against published values, trec_eval, ir_measures, and values computed by hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import ir_measures
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.evaluation.measures import parse_measures
from e2rank_eval.store.trec import Run, read_qrels, read_run

PUBLISHED = [
    ("dl19.bm25", "dl19-passage.txt", "50.58"),
    ("dl20.bm25", "dl20-passage.txt.gz", "47.96"),
    ("covid.bm25", "beir-v1.0.0-trec-covid.test.txt.gz", "59.47"),
    ("news.bm25", "beir-v1.0.0-trec-news.test.txt.gz", "39.52"),
    ("dl19.splade_p_p_ensemble_distil", "dl19-passage.txt", "73.08"),
    ("dl20.splade_p_p_ensemble_distil", "dl20-passage.txt.gz", "71.97"),
]


def read(shared_data: Path, run: str, qrels: str) -> tuple[Run, dict[str, dict[str, int]]]:
    folder = shared_data / "trec"
    return read_run(folder / f"runs/{run}.txt.gz"), read_qrels(folder / f"qrels/qrels.{qrels}")


@pytest.mark.parametrize(("run", "qrels", "published"), PUBLISHED)
def test_real_runs_score_as_published(shared_data: Path, run: str, qrels: str, published: str) -> None:
    found = evaluate(*read(shared_data, run, qrels), ["nDCG@10"])
    assert f"{100 * found.mean['nDCG@10']:.2f}" == published


def test_every_query_agrees_with_ir_measures_on_a_run_without_ties(shared_data: Path) -> None:
    run, qrels = read(shared_data, "dl19.bm25", "dl19-passage.txt")
    names = [
        "nDCG@10", "nDCG", "RR@10", "RR(rel=2)@10", "R@100", "R(rel=2)@100", "P@5", "P@10", "AP",
        "AP(rel=2)@50", "Judged@10", "Judged", "Success@1", "Rprec", "nDCG(judged_only=True)@10",
    ]  # fmt: skip
    found = evaluate(run, qrels, names)
    assert found.ties == 0
    theirs = {name: {} for name in names}
    for metric in ir_measures.iter_calc([ir_measures.parse_measure(n) for n in names], qrels, run.scores):
        theirs[str(metric.measure)][metric.query_id] = metric.value
    assert found.per_query == theirs


@pytest.mark.parametrize(("run", "qrels", "_"), PUBLISHED[3:])
def test_every_query_is_trec_evals_to_the_digit_where_documents_tie(
    shared_data: Path, run: str, qrels: str, _: str
) -> None:
    scored, judged = read(shared_data, run, qrels)
    names = {
        "nDCG@10": "ndcg_cut_10", "RR": "recip_rank", "AP": "map", "P@5": "P_5", "P@100": "P_100",
        "R@100": "recall_100",
    }  # fmt: skip
    found = evaluate(scored, judged, list(names))
    assert found.ties > 0
    theirs = pytrec_eval.RelevanceEvaluator(judged, set(names.values())).evaluate(scored.scores)
    for name, trec_name in names.items():
        assert found.per_query[name] == {query_id: theirs[query_id][trec_name] for query_id in judged}


DOCUMENTS = [f"d{i}" for i in range(8)] + ["é", "漢", "\U0001f600"]
SCORES = st.sampled_from([3.0, 2.0, 2.0 + 1e-9, 1.0, 0.0, -1.0, 1e39, 2e39])
RUNS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "unjudged"]),
    st.dictionaries(st.sampled_from(DOCUMENTS), SCORES, min_size=1),
    min_size=1,
)
QRELS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3"]),
    st.dictionaries(st.sampled_from(DOCUMENTS), st.integers(-1, 3), min_size=1),
    min_size=1,
)
NAMED = {
    "nDCG@3": "ndcg_cut_3", "nDCG": "ndcg", "AP": "map", "R@2": "recall_2", "P@3": "P_3", "P@9": "P_9",
    "RR": "recip_rank",
}  # fmt: skip


@given(RUNS, QRELS)
def test_any_run_with_any_ties_scores_as_in_trec_eval(
    scores: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]]
) -> None:
    found = evaluate(Run(scores), qrels, list(NAMED))
    scorable = {query_id: grades for query_id, grades in qrels.items() if max(grades.values()) >= 0}
    theirs = pytrec_eval.RelevanceEvaluator(scorable, set(NAMED.values())).evaluate(scores)
    for name, trec_name in NAMED.items():
        for query_id in qrels:
            expected = theirs[query_id][trec_name] if query_id in theirs else 0.0
            assert found.per_query[name][query_id] == expected


@given(RUNS, QRELS, st.data())
def test_omitting_a_query_never_raises_a_mean_and_is_named(
    scores: dict[str, dict[str, float]], qrels: dict[str, dict[str, int]], data: st.DataObject
) -> None:
    left_out = data.draw(st.sampled_from(sorted(scores)))
    whole = evaluate(Run(scores), qrels)
    rest = evaluate(Run({q: s for q, s in scores.items() if q != left_out}), qrels)
    assert all(rest.mean[name] <= whole.mean[name] for name in whole.mean)
    assert (left_out in rest.queries.unanswered) == (left_out in qrels)
    assert set(whole.per_query["nDCG@10"]) == set(rest.per_query["nDCG@10"]) == set(qrels)


def test_queries_missing_from_the_run_count_as_zero_and_unjudged_ones_are_only_counted() -> None:
    run = Run({"q1": {"a": 1.0}, "other": {"a": 1.0}, "empty": {}})
    found = evaluate(run, {"q1": {"a": 1}, "q2": {"a": 1}, "empty": {"a": 1}})
    assert found.mean == {"nDCG@10": 1 / 3, "RR@10": 1 / 3, "R@100": 1 / 3, "Judged@10": 1 / 3}
    assert (found.queries.unanswered, found.queries.ignored, found.queries.run) == (
        ("q2", "empty"),
        ("other",),
        3,
    )


def test_scores_that_differ_beyond_single_precision_tie_for_every_measure() -> None:
    run = Run({"q": {"a": 1.0 + 1e-9, "b": 1.0}})
    found = evaluate(run, {"q": {"a": 1, "c": 1}}, ["RR@1", "Judged@1", "nDCG@1"])
    assert (found.mean, found.ties) == ({"RR@1": 0.0, "Judged@1": 0.0, "nDCG@1": 0.0}, 1)


def test_the_relevance_level_affects_only_binary_measures() -> None:
    run, qrels = Run({"q": {"a": 3.0, "b": 2.0, "c": 1.0}}), {"q": {"a": 1, "b": 2, "x": 2}}
    found = evaluate(run, qrels, ["RR@10", "RR(rel=2)@10", "R@100", "R(rel=2)@100", "P(rel=2)@2", "nDCG@10"])
    alone = evaluate(run, qrels, ["nDCG@10"])
    assert (found.mean["RR@10"], found.mean["RR(rel=2)@10"]) == (1.0, 0.5)
    assert (found.mean["R@100"], found.mean["R(rel=2)@100"]) == (2 / 3, 0.5)
    assert found.mean["P(rel=2)@2"] == 0.5
    assert found.per_query["nDCG@10"] == alone.per_query["nDCG@10"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NDGC@10", "did you mean nDCG?"),
        ("ndcg_cut_10", "did you mean nDCG?"),
        ("frobnicate", "unknown measure 'frobnicate'"),
        ("nDCG@", "'nDCG@'"),
        ("nDCG@0", "cut-off 0"),
        ("nDCG@-1", "'nDCG@-1'"),
        ("nDCG@True", "cut-off True"),
        ("RR(rel=0)@10", "relevance level 0"),
        ("R", "lacks a parameter"),
        ("nDCG(colour=3)@10", "has a wrong one"),
        ("NumRet", "is a count"),
        ("", "''"),
        ("__import__('os').getcwd()", "__import__"),
    ],
)
def test_a_wrong_measure_is_refused_by_name(name: str, message: str) -> None:
    with pytest.raises(InputError, match=r"nDCG@10|choose another") as caught:
        parse_measures(["AP", name])
    assert message in str(caught.value)


def test_a_measure_that_cannot_be_computed_here_is_named() -> None:
    with pytest.raises(InputError, match="ERR@10"):
        evaluate(Run({"not a number": {"a": 1.0}}), {"not a number": {"a": 1}}, ["ERR@10"])


def test_aliases_of_a_measure_give_one_name() -> None:
    assert list(parse_measures(["MRR@10"])) == list(parse_measures(["RR(rel=1)@10"])) == ["RR@10"]
    assert list(parse_measures(["RR@10", "MRR@10", "NDCG@10"])) == ["RR@10", "nDCG@10"]


def test_scoring_loads_no_slow_package() -> None:
    code = "import sys, e2rank_eval.evaluation.effectiveness; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "ir_measures" in loaded
    assert {"scipy", "torch", "pandas", "transformers"}.isdisjoint(loaded)
