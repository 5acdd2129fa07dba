"""The smallest difference that a collection can show, checked by simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from e2rank_eval.evaluation.comparison import compare_files
from e2rank_eval.evaluation.significance import minimum_detectable_difference
from e2rank_eval.store.trec import read_qrels, read_run


@pytest.mark.parametrize("n", [12, 43, 225])
def test_a_difference_of_that_size_is_found_as_often_as_promised(n: int) -> None:
    rng = np.random.default_rng(7)
    deviation = 0.2
    sample = rng.normal(0, 1, n)
    sample = deviation * (sample - sample.mean()) / sample.std(ddof=1)
    found = minimum_detectable_difference(sample.tolist())
    assert found is not None
    drawn = rng.normal(found, deviation, (4000, n))
    p = scipy.stats.ttest_1samp(drawn, 0.0, axis=1).pvalue
    # The quantiles' sum is an approximation of the noncentral t: within 3 points of power from 12 queries on.
    assert np.mean(p < 0.05) == pytest.approx(0.8, abs=0.03)


def test_more_queries_show_smaller_differences() -> None:
    values = np.random.default_rng(1).normal(0, 0.2, 400)
    few, many = (
        minimum_detectable_difference(values[:50].tolist()),
        minimum_detectable_difference(values.tolist()),
    )
    assert few is not None
    assert many is not None
    assert many < few


def test_without_a_variance_nothing_is_said() -> None:
    assert minimum_detectable_difference([0.1]) is None
    assert minimum_detectable_difference([0.1, 0.1, 0.1]) is None


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """ranx in plain Python: three runs take seconds so, and minutes to compile for."""
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
