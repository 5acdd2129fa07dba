"""Comparisons of real runs and of stored metrics, and refusals of bad input."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import pytest
import scipy.stats

from e2rank_eval.config import Configuration, parse_configuration
from e2rank_eval.config.measurements import ComparisonSettings
from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.comparison import MACRO, compare, compare_files, write_comparison
from e2rank_eval.evaluation.effectiveness import evaluate, write_metrics
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_jsonl
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.trec import read_qrels, read_run, write_qrels, write_run

RUNS = ["dl19.bm25", "dl19.bm25_rm3", "dl19.splade_p_p_ensemble_distil", "dl19.d_bert_kd_tasb"]


def values(*numbers: float) -> dict[str, float]:
    return {f"q{position}": number for position, number in enumerate(numbers)}


def test_real_runs_against_bm25(shared_data: Path) -> None:
    qrels = shared_data / "trec/qrels/qrels.dl19-passage.txt"
    paths = [shared_data / f"trec/runs/{name}.txt.gz" for name in RUNS]
    found = compare_files(qrels, paths, seed=13)
    assert [round(100 * system.mean, 2) for system in found.systems][::2] == [50.58, 73.08]
    assert found.rerankers == tuple(RUNS)
    assert found.baselines == tuple(RUNS[:1])
    base, other = (
        evaluate(read_run(path), read_qrels(qrels)).per_query["nDCG@10"] for path in (paths[0], paths[2])
    )
    rm3, splade, tasb = found.tests
    assert splade.p_t == pytest.approx(
        scipy.stats.ttest_rel([other[q] for q in base], list(base.values())).pvalue
    )
    assert splade.difference == pytest.approx(sum(other[q] - base[q] for q in base) / 43)
    assert (splade.wins, splade.ties, splade.losses, splade.queries) == (34, 0, 9, 43)
    assert splade.p_holm == tasb.p_holm == pytest.approx(3 / 100_001)
    assert rm3.p_holm == rm3.p_randomisation > 0.3


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """ranx without compilation: three runs take seconds in plain Python, and compiling takes minutes."""
    numba = pytest.importorskip("numba")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)


@pytest.mark.usefixtures("interpreted")
def test_on_real_runs_our_values_and_tests_are_those_of_ranx(shared_data: Path) -> None:
    """BM25 against RM3 and SPLADE++ on TREC Deep Learning 2019: means and paired t-tests, side by side."""
    ranx = pytest.importorskip("ranx")
    folder = shared_data / "trec"
    names = ("dl19.bm25", "dl19.bm25_rm3", "dl19.splade_p_p_ensemble_distil")
    paths = [folder / "runs" / f"{name}.txt.gz" for name in names]
    ours = compare_files(folder / "qrels" / "qrels.dl19-passage.txt", paths, seed=13)
    qrels = ranx.Qrels(read_qrels(folder / "qrels" / "qrels.dl19-passage.txt"))
    runs = [ranx.Run(read_run(path).scores, name=name) for path, name in zip(paths, names, strict=True)]
    theirs = ranx.compare(qrels, runs, ["ndcg@10"], stat_test="student", max_p=0.05, make_comparable=True)
    for system in ours.systems:
        assert theirs.results[system.reranker]["ndcg@10"] == pytest.approx(system.mean, abs=1e-6)
    for test in ours.tests:
        pair = theirs.comparisons[frozenset({test.reranker, test.baseline})]["ndcg@10"]
        assert pair["p_value"] == pytest.approx(test.p_t, rel=1e-6)
        assert 0 < test.detectable < 0.2


def test_systems_that_never_differ_have_p_one() -> None:
    same = {("d", name): values(*[0.1 * i for i in range(8)]) for name in ("a", "b")}
    (test,) = compare(same, title="t", baselines=["a"], seed=1).tests
    assert test.p_randomisation == test.p_t == test.p_holm == 1.0
    assert (test.effect_size, test.ties) == (0.0, 8)


def test_several_collections_add_rows_over_all_of_them() -> None:
    stored = {
        ("small", "base"): values(0.1, 0.2),
        ("small", "ours"): values(0.3, 0.3),
        ("large", "base"): values(*[0.5] * 10),
        ("large", "ours"): values(*[0.5 + 0.01 * i for i in range(10)]),
    }
    found = compare(stored, title="t", baselines=["base"], seed=1)
    overall = [system for system in found.systems if system.dataset == MACRO]
    assert [(s.reranker, s.queries) for s in overall] == [("base", 12), ("ours", 12)]
    assert overall[1].mean == pytest.approx((0.3 + 0.545) / 2)
    small, large, both = found.tests
    assert small.p_randomisation is small.p_t is small.p_holm is None
    assert both.difference == pytest.approx((0.15 + 0.045) / 2)
    assert both.p_randomisation == 2 / 2**11
    assert large.p_randomisation == large.p_holm == 2 / 2**9
    assert both.p_holm == 2 * both.p_randomisation


def test_a_group_of_data_sets_counts_as_one_column() -> None:
    """The parts of CQADupStack beside another collection: alone a macro-average, together one of two."""
    rng = random.Random(5)
    sizes = {"nf": 9, "cqa-1": 7, "cqa-2": 12, "cqa-3": 8}
    stored = {
        (name, system): values(*[rng.random() for _ in range(size)])
        for name, size in sizes.items()
        for system in ("base", "ours")
    }
    settings = ComparisonSettings(
        title="t", datasets=[*sizes], first_stage="bm25", rerankers=["base", "ours"], baselines=["base"],
        groups={"cqa": "cqa-*"},
    )  # fmt: skip
    columns = settings.columns
    assert columns == {"nf": ["nf"], "cqa": ["cqa-1", "cqa-2", "cqa-3"]}
    found = compare(stored, title="t", baselines=["base"], seed=1, columns=columns)
    assert found.columns == {"nf": ("nf",), "cqa": ("cqa-1", "cqa-2", "cqa-3")}
    means = {(one.dataset, one.reranker): one.mean for one in found.systems}
    plain = {key: sum(one.values()) / len(one) for key, one in stored.items()}
    cqa = sum(plain[f"cqa-{n}", "ours"] for n in (1, 2, 3)) / 3
    assert means["cqa", "ours"] == pytest.approx(cqa)
    assert means[MACRO, "ours"] == pytest.approx((plain["nf", "ours"] + cqa) / 2)
    alone, both = (
        compare(part, title="t", baselines=["base"], seed=1)
        for part in ({key: one for key, one in stored.items() if key[0] != "nf"}, stored)
    )
    assert found.tests[1].model_copy(update={"dataset": MACRO, "p_holm": None}) == alone.tests[-1].model_copy(
        update={"p_holm": None}
    )
    assert found.tests[-1].queries == both.tests[-1].queries == sum(sizes.values())
    assert found.tests[-1].p_t != pytest.approx(both.tests[-1].p_t)
    of_columns = found.tests[-1].difference
    assert of_columns == pytest.approx((found.tests[0].difference + found.tests[1].difference) / 2)


@pytest.mark.parametrize("groups", [{"cqa": "cqadupstack-*"}, {"lee": "le*"}])
def test_a_group_without_data_sets_of_its_own_is_refused(groups: dict[str, str]) -> None:
    entry = configuration().comparisons["two"].model_dump(mode="json")
    with pytest.raises(ValueError, match=rf"groups\.{next(iter(groups))}: a data set has this name, or"):
        ComparisonSettings.model_validate(entry | {"groups": groups})


@pytest.mark.parametrize(("queries", "tested"), [(5, False), (6, True)])
def test_no_test_is_made_below_six_queries(queries: int, tested: bool) -> None:
    stored = {
        ("d", "a"): values(*[0.1] * queries),
        ("d", "b"): values(*[0.1 * i for i in range(1, queries + 1)]),
    }
    (test,) = compare(stored, title="t", baselines=["a"], seed=1).tests
    assert [p is not None for p in (test.p_randomisation, test.p_t, test.p_holm)] == [tested] * 3
    assert test.wins == queries - 1


def test_systems_on_different_queries_are_refused() -> None:
    stored = {("d", "a"): values(0.1, 0.2), ("d", "b"): values(0.1)}
    with pytest.raises(InputError, match="'b' and 'a' were not evaluated on the same queries of 'd'"):
        compare(stored, title="t", baselines=["a"], seed=1)


def test_each_pair_is_tested_once_and_independently_of_other_systems() -> None:
    stored = {
        ("d", name): values(*[(seed * i * 0.37) % 1 for i in range(1, 31)])
        for seed, name in enumerate("abcd", 1)
    }
    found = compare(stored, title="t", baselines=["a", "c"], seed=1).tests
    asked = [(test.reranker, test.baseline) for test in found]
    assert asked == [("b", "a"), ("c", "a"), ("d", "a"), ("b", "c"), ("d", "c")]
    two = {key: stored[key] for key in (("d", "a"), ("d", "b"))}
    (alone,) = compare(two, title="t", baselines=["a"], seed=1).tests
    assert alone.model_copy(update={"p_holm": found[0].p_holm}) == found[0]


def test_runs_of_one_name_are_refused(tmp_path: Path) -> None:
    write_qrels(tmp_path / "qrels.tsv", {"q": {"a": 1}})
    for folder in ("one", "two"):
        write_run(tmp_path / folder / "a.run", [("q", ["a"])], tag="a")
    with pytest.raises(InputError, match="two runs are named 'a'"):
        compare_files(tmp_path / "qrels.tsv", [tmp_path / "one/a.run", tmp_path / "two/a.run"], seed=1)


def configuration() -> Configuration:
    entry = {"title": "Two", "datasets": ["lee"], "first_stage": "bm25", "rerankers": ["base", "other"]}
    return parse_configuration(
        {
            "profile": "test",
            "datasets": {"lee": {}},
            "first_stages": {"bm25": {"retriever": "bm25"}},
            "rerankers": {"base": {"family": "identity"}, "other": {"family": "identity"}},
            "comparisons": {"two": entry | {"baselines": ["base"], "note": "small"}},
        },
        "test.yaml",
    )


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path)
    orders = list(itertools.permutations("abcd"))[:8]
    write_qrels(layout.path(places.QRELS, dataset="lee"), {f"q{i}": {"a": 1, "d": 2} for i in range(8)})
    for reranker, ranked in (("base", orders), ("other", [order[::-1] for order in orders])):
        names = ("lee", "bm25", reranker)
        write_run(
            layout.run_path(places.RUN, names), [(f"q{i}", one) for i, one in enumerate(ranked)], tag=reranker
        )
        write_jsonl(layout.run_path(places.STATISTICS, names), [])
        write_metrics(configuration(), reranker, "bm25", ["lee"], layout)
    return layout


def test_a_configured_comparison_is_written_with_its_manifest(layout: Layout) -> None:
    path = write_comparison(configuration(), "two", layout)
    assert path == layout.path(places.COMPARISON, comparison="two")
    first = path.read_bytes()
    found = json.loads(first)
    assert (found["title"], found["note"], found["first_stage"]) == ("Two", "small", "bm25")
    metrics = json.loads(layout.run_path(places.METRICS, ("lee", "bm25", "other")).read_text())
    assert found["systems"][1]["mean"] == pytest.approx(metrics["mean"]["nDCG@10"])
    assert found["systems"][1]["interval"] == metrics["interval"]["nDCG@10"]
    manifest = json.loads(path.with_name("two.json.manifest.json").read_text())
    assert manifest["command"].startswith("e2rank-eval compare two --config ")
    assert write_comparison(configuration(), "two", layout).read_bytes() == first


def test_a_run_without_a_judged_query_is_refused_as_evaluate_does(tmp_path: Path) -> None:
    write_qrels(tmp_path / "qrels.tsv", {"q": {"a": 1}})
    for name, query in (("base.run", "q"), ("other.run", "x")):
        write_run(tmp_path / name, [(query, ["a"])], tag="t")
    with pytest.raises(InputError, match=r"other\.run: none of its 1 queries is judged in"):
        compare_files(tmp_path / "qrels.tsv", [tmp_path / "base.run", tmp_path / "other.run"], seed=1)
