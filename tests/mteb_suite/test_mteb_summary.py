"""Means state their number of tasks, and the mean over types excludes types with a missing task."""

from __future__ import annotations

import pytest

from e2rank_eval.mteb_suite.summary import summarise

WANTED = {"STS13": "STS", "STS14": "STS", "SciFact": "Retrieval"}


def test_means_over_tasks_and_over_types_differ_where_types_are_of_different_size() -> None:
    summary = summarise(WANTED, {"STS13": 80.0, "STS14": 70.0, "SciFact": 30.0})
    assert summary.tasks.value == pytest.approx(60.0)
    assert summary.types.value == pytest.approx(52.5)
    assert summary.missing == ()


def test_a_partial_mean_is_never_printed_without_its_count() -> None:
    summary = summarise(WANTED, {"STS13": 80.0, "SciFact": 30.0, "Other": 1.0})
    assert summary.tasks.text() == "55.00 (only 2 of 3)"
    assert summary.by_type["STS"].text() == "80.00 (only 1 of 2)"
    assert summary.types.text() == "30.00 (only 1 of 2)"
    assert summary.missing == ("STS14",)
