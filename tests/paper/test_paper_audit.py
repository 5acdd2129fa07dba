"""The audit finds every known disagreement, every seeded one, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from e2rank_eval.paper import published
from e2rank_eval.paper.audit import Disagreement, audit, findings_markdown
from e2rank_eval.paper.published import PublishedCell, Tables, structure

CELLS = {(c.table, c.system, c.column): c for c in published.cells()}
PARTS = {name: list(weights) for name, weights in structure().parts.items()}
OWN_AVERAGE = [
    (table, column, PARTS[parts])
    for tables, column, parts in [
        (("1", "11", "16", "18"), "beir-avg", "beir8"),
        (("3", "17", "19", "22"), "bright-avg", "bright12"),
        (("15", "20"), "avg", "mteb-v2"),
    ]
    for table in tables
]
PRINTED_TWICE = [
    (row.table, row.system, column)
    for cells in Tables(list(CELLS.values())).quantities.values()
    if len(cells) > 1
    and all(row.digits == 2 for row, _ in cells)
    # Where the paper's tables differ already, a change may bring them together.
    and len({row.cells[column].printed for row, column in cells}) == 1
    for row, column in cells
]


@pytest.fixture(scope="module")
def findings() -> list[Disagreement]:
    return audit()


def _of(findings: Sequence[Disagreement], kind: str) -> set[tuple[str, str, str]]:
    return {("+".join(f.tables), f.system, f.column) for f in findings if f.kind == kind}


def _audited_with(changed: PublishedCell) -> list[Disagreement]:
    place = (changed.table, changed.system, changed.column)
    return audit([changed if key == place else cell for key, cell in CELLS.items()])


def test_averages_that_no_rounding_explains(findings):
    assert _of(findings, "average") == {
        ("3", "E2Rank-8B", "bright-avg"),
        ("4", "E2Rank-8B-stage1", "avg"),
    }
    (bright,) = (f for f in findings if f.tables == ("3",) and f.kind == "average")
    assert (bright.printed, bright.recomputed) == ("33.4", "33.29")
    assert "0.11 is more than the 0.10" in bright.wording


def test_averages_that_the_printed_values_do_not_round_to(findings):
    assert _of(findings, "average-rounding") == {
        ("3", "RankZephyr", "bright-avg"),
        ("3", "ReasonRank-7B", "bright-avg"),
        ("4", "Echo-Mistral-7b-v1", "avg"),
        ("17", "E2Rank-4B retrieval", "bright-avg"),
        ("20", "w/o RankNet in Stage II", "avg"),
        ("22", "RankQwen3-8B", "bright-avg"),
    }


def test_tables_that_disagree(findings):
    assert _of(findings, "cross-table") == {
        ("1+2", "E2Rank-8B", "dl19"),
        ("2+11", "monoT5-3B", "beir-avg"),
        ("2+11", "RankT5-3B", "beir-avg"),
        ("2+11", "RankZephyr", "beir-avg"),
    }
    printed = {f.system: (f.printed, f.recomputed) for f in findings if f.kind == "cross-table"}
    assert printed["E2Rank-8B"] == ("72.95 / 72.65", "")
    assert printed["monoT5-3B"] == ("51.36 / 51.21", "51.21")


def test_numbers_are_those_of_a_plain_mean(findings):
    for finding in findings:
        if finding.column == "bright-avg":
            (table,) = finding.tables
            values = [CELLS[table, finding.system, part].value for part in PARTS["bright12"]]
            assert abs(math.fsum(values) / len(values) - float(finding.recomputed)) <= 0.0051


def test_the_weights_of_mteb_v1_are_numbers_of_tasks():
    tasks = np.array([15, 4, 11, 3, 12, 10, 1])
    columns = PARTS["mteb-v1"]
    for system in {cell.system for cell in published.table("4")} - {"E2Rank-8B-stage1"}:
        values = [CELLS["4", system, column].value for column in columns]
        assert np.average(values, weights=tasks) == pytest.approx(CELLS["4", system, "avg"].value, abs=0.03)
    wrong = [CELLS["4", "E2Rank-8B-stage1", column].value for column in columns]
    wrong[columns.index("reranking")] = 59.73
    assert np.average(wrong, weights=tasks) == pytest.approx(64.26, abs=0.005)


@given(st.data())
def test_one_changed_cell_under_an_average_is_found(data):
    """The smallest change that no rounding can hide: twice the bound, times the number of parts."""
    table, average, parts = data.draw(st.sampled_from(OWN_AVERAGE))
    known = {("3", "E2Rank-8B")}
    systems = sorted({s for t, s, c in CELLS if t == table and c == average and (t, s) not in known})
    system = data.draw(st.sampled_from(systems))
    column = data.draw(st.sampled_from([*parts, average]))
    cell = CELLS[table, system, column]
    places = max(
        len(c.printed.partition(".")[2]) for (t, s, _), c in CELLS.items() if (t, s) == (table, system)
    )
    step = Decimal(1).scaleb(-places)
    change = (2 * step + step) * (1 if column == average else len(parts))
    value = Decimal(cell.printed) + change * data.draw(st.sampled_from([1, -1]))
    changed = replace(cell, printed=str(value))
    found = audit([changed if one is cell else one for one in published.table(table)])
    assert (table, system, average) in _of(found, "average")


@given(st.sampled_from(PRINTED_TWICE), st.sampled_from(["0.03", "-0.03"]))
def test_one_changed_cell_that_two_tables_print_is_found(key, change):
    changed = replace(CELLS[key], printed=str(Decimal(CELLS[key].printed) + Decimal(change)))
    found = [one for one in _audited_with(changed) if one.kind == "cross-table" and key[0] in one.tables]
    assert any(changed.printed in finding.printed for finding in found)


def test_a_page_has_every_finding(findings):
    page = findings_markdown(findings)
    assert all(f"- {finding.wording}" in page for finding in findings)
