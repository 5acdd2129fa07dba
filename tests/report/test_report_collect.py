"""Stored results are read strictly: missing or malformed files are named, closed texts are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.results_tree import INJECTION

from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import Results, open_results
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import manifest_path

RUN = ("code", "bm25", "e2rank")
NAMES = {"dataset": "code", "first_stage": "bm25", "reranker": "e2rank"}


def test_the_first_stage_is_what_the_identity_reranker_scores(stored: Results) -> None:
    """Computed from the candidates, it must agree with the evaluated run of the same order."""
    for dataset in ("news", "code"):
        identity = stored.metrics((dataset, "bm25", "first-stage")).per_query["nDCG@10"]
        assert stored.first_stage(dataset, "bm25") == identity


def test_runs_come_in_the_configurations_order_and_once(stored: Results) -> None:
    keys = stored.run_keys()
    assert len(keys) == len(set(keys)) == 2 * 5 + 4 + 2 * 3
    assert keys[0] == ("news", "bm25", "first-stage")
    assert ("code-8", "bm25-20", "rankgpt") in keys


def test_texts_are_given_only_where_they_may_be_shown(stored: Results) -> None:
    assert stored.query_texts("news") == {}
    assert INJECTION in stored.query_texts("code").values()


@pytest.mark.parametrize(
    ("pattern", "read"),
    [
        (places.METRICS, lambda results: results.metrics(RUN)),
        (places.LATENCY, lambda results: results.latency("minilm")),
        (places.STATISTICS, lambda results: results.statistics(RUN)),
        (places.DATASET_MANIFEST, lambda results: results.dataset("code")),
        (places.CANDIDATES, lambda results: results.first_stage("code", "bm25")),
    ],
)
def test_a_missing_file_is_named(copied_layout: Layout, pattern: str, read: object) -> None:
    path = copied_layout.path(pattern, **NAMES, latency="minilm")
    path.unlink()
    with pytest.raises(InputError, match="no such file") as caught:
        read(open_results(copied_layout.root))  # type: ignore[operator]
    assert caught.value.path == path


def test_a_missing_manifest_is_named(copied_layout: Layout) -> None:
    run = copied_layout.path(places.RUN, **NAMES)
    manifest_path(run).unlink()
    with pytest.raises(InputError, match=r"e2rank\.run\.manifest\.json"):
        open_results(copied_layout.root).manifest(run)


def test_a_missing_key_is_named_with_its_file(copied_layout: Layout) -> None:
    path = copied_layout.path(places.METRICS, **NAMES)
    metrics = read_json(path)
    del metrics["queries"]["unanswered"]
    write_json(path, metrics)
    with pytest.raises(InputError, match=r"queries\.unanswered: Field required"):
        open_results(copied_layout.root).metrics(RUN)


def test_a_folder_without_results_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        open_results(tmp_path)
