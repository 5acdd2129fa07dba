"""Tests of a paper's table: one hypothesis for each pair of runs, however many cells show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from e2rank_eval.config import parse_configuration
from e2rank_eval.evaluation.significance import randomisation_p
from e2rank_eval.paper.grid import Grid, grid
from e2rank_eval.report.paper_cells import Measured, paired_tests

CONFIG = Path(__file__).parents[2] / "config" / "paper.yaml"
QUERIES = [f"q{number}" for number in range(30)]


def _grid(rerankers: dict[str, str]) -> Grid:
    """Table 1 with two collections behind all of its columns, and other rerankers behind some of its rows."""
    values: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    table = values["tables"]["table1"]
    columns = {name: "nfcorpus" if name == "dl20" else "scifact" for name in table["columns"]}
    systems = {name: rerankers.get(name, given) for name, given in table["systems"].items()}
    values["tables"], values["figures"] = {"table1": table | {"columns": columns, "systems": systems}}, {}
    return grid(parse_configuration(values, "mine.yaml"), "table1")


def _measured(found: Grid) -> dict[tuple[str, str], Measured | None]:
    """Random values for each run, so that cells of one run have the same values."""
    drawn: dict[Any, dict[str, float]] = {}
    ours: dict[tuple[str, str], Measured | None] = {}
    for cell in found.cells:
        if not cell.sources:
            ours[cell.system, cell.column] = None
            continue
        rng = np.random.default_rng(len(drawn))
        shift = 0.0 if cell.system == "BM25" else 6.0
        values = drawn.setdefault(
            cell.sources, dict(zip(QUERIES, rng.normal(shift, 10, len(QUERIES)).tolist(), strict=True))
        )
        ours[cell.system, cell.column] = Measured(float(np.mean(list(values.values()))), None, (values,))
    return ours


def _p(ours: dict[tuple[str, str], Measured | None], system: str, column: str) -> float:
    one, other = ours[system, column], ours["BM25", column]
    assert one is not None
    assert other is not None
    return randomisation_p([[one.strata[0][q] - other.strata[0][q] for q in sorted(QUERIES)]], seed=13)


def test_a_run_that_stands_in_many_cells_is_corrected_for_once() -> None:
    found = _grid({"E2Rank-4B": "e2rank-0.6b", "E2Rank-8B": "e2rank-0.6b"})
    ours = _measured(found)
    tests = paired_tests(found, ours, seed=13)
    assert len(tests) == 3 * len(found.columns)
    assert {test.hypotheses for test in tests.values()} == {2}
    low, high = sorted(_p(ours, "E2Rank-0.6B", column) for column in ("dl19", "dl20"))
    expected = {low: min(1.0, 2 * low), high: max(min(1.0, 2 * low), high)}
    for (system, column), test in tests.items():
        assert test.p_holm == expected[_p(ours, system, column)], (system, column)


def test_distinct_runs_are_hypotheses_of_their_own() -> None:
    found = _grid({})
    tests = paired_tests(found, _measured(found), seed=13)
    assert {test.hypotheses for test in tests.values()} == {3 * 2}


def test_the_baseline_under_another_name_is_not_tested_against_itself() -> None:
    found = _grid({"E2Rank-4B": "first-stage", "E2Rank-8B": "e2rank-0.6b"})
    tests = paired_tests(found, _measured(found), seed=13)
    assert {system for system, _ in tests} == {"E2Rank-0.6B", "E2Rank-8B"}
    assert {test.hypotheses for test in tests.values()} == {2}
