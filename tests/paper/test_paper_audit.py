"""The audit finds every disagreement that is known, any that is planted, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from e2rank_eval.errors import InputError
from e2rank_eval.paper import published
from e2rank_eval.paper.audit import audit, audit_rows
from e2rank_eval.paper.averages import check_averages, check_sums
from e2rank_eval.paper.crossings import check_claims, check_tables
from e2rank_eval.paper.findings import Finding, findings_markdown
from e2rank_eval.paper.permutations import check_columns
from e2rank_eval.paper.published import Cell
from e2rank_eval.paper.quantities import Tables
from e2rank_eval.paper.structure import structure

CELLS = {(c.table, c.system, c.column): c for c in published.cells()}
BEIR = [
    "trec-covid",
    "nfcorpus",
    "touche2020",
    "dbpedia-entity",
    "scifact",
    "signal1m",
    "trec-news",
    "robust04",
]
BRIGHT = list(structure().parts["bright12"])
OWN_AVERAGE = [
    (table, column, parts)
    for tables, column, parts in [
        (("1", "11", "16", "18"), "beir-avg", BEIR),
        (("3", "17", "19", "22"), "bright-avg", BRIGHT),
        (("15", "20"), "avg", list(structure().parts["mteb-v2"])),
    ]
    for table in tables
]


ALL = Tables(list(CELLS.values()), structure())
PRINTED_TWICE = [
    (row.table, row.system, column)
    for cells in ALL.quantities.values()
    if len(cells) > 1
    and all(row.digits == 2 for row, _ in cells)
    # Where the paper's tables differ already, a change may bring them together.
    and len({row.cells[column].printed for row, column in cells}) == 1
    for row, column in cells
]


@pytest.fixture(scope="module")
def findings() -> list[Finding]:
    return audit()


def _of(findings: Sequence[Finding], kind: str) -> set[tuple[str, str, str]]:
    return {("+".join(f.tables), f.system, f.column) for f in findings if f.kind == kind}


def _changed(*cells: Cell) -> Tables:
    new = {(c.table, c.system, c.column): c for c in cells}
    return Tables([new.get(key, cell) for key, cell in CELLS.items()], structure())


def test_averages_that_no_rounding_explains(findings):
    assert _of(findings, "average") == {
        ("3", "E2Rank-8B", "bright-avg"),
        ("4", "E2Rank-8B-stage1", "avg"),
    }
    (bright,) = (f for f in findings if f.tables == ("3",) and f.kind == "average")
    assert (bright.printed, bright.recomputed) == ("33.4", "33.29")
    assert "0.11 is more than the 0.10" in bright.wording


def test_averages_that_are_no_rounding_of_the_printed_values(findings):
    assert _of(findings, "average-rounding") >= {
        ("3", "RankZephyr", "bright-avg"),
        ("3", "ReasonRank-7B", "bright-avg"),
        ("17", "E2Rank-4B retrieval", "bright-avg"),
        ("22", "RankQwen3-8B", "bright-avg"),
    }
    # Table 5 prints the average of table 17 to two decimals, and so settles it.
    (settled,) = (f for f in findings if f.tables == ("17",))
    assert settled.wording.endswith("Table 5 has it as 27.84, which rounds to it.")


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


def test_rows_that_look_permuted(findings):
    assert {(f.tables, f.system) for f in findings if f.kind == "permuted-columns"} == {
        (("11",), name) for name in ("monoT5-3B", "RankT5-3B", "ListT5-3B", "RankVicuna")
    }
    (row,) = (f for f in findings if f.system == "ListT5-3B")
    assert "scifact 77.00" in row.recomputed


def test_claims_that_contradict(findings):
    assert {f.column for f in findings if f.kind == "claim"} >= {
        "Stage II training samples",
        "Stage I learning rate",
        "benchmark of table 14",
        "sign before the score difference in RankNet's exponent",
    }


def test_a_claim_within_the_margin_of_another_is_no_contradiction():
    one, _, other = (c for c in published.claims() if c.subject == "Stage II training samples")
    assert len(list(check_claims([one, other]))) == 1
    assert list(check_claims([one, replace(other, value="87400")])) == []
    assert len(list(check_claims([one, replace(other, value="87501")]))) == 1


def test_numbers_are_those_of_a_plain_mean(findings):
    for finding in findings:
        if finding.kind in ("average", "average-rounding") and finding.column != "avg":
            (table,) = finding.tables
            values = [CELLS[table, finding.system, part].value for part in BRIGHT]
            assert abs(math.fsum(values) / len(values) - float(finding.recomputed)) <= 0.0051


def test_the_weights_of_mteb_v1_are_numbers_of_tasks():
    tasks = np.array([15, 4, 11, 3, 12, 10, 1])
    columns = list(structure().parts["mteb-v1"])
    for system in {cell.system for cell in published.table("4")} - {"E2Rank-8B-stage1"}:
        values = [CELLS["4", system, column].value for column in columns]
        assert np.average(values, weights=tasks) == pytest.approx(CELLS["4", system, "avg"].value, abs=0.03)
    wrong = [CELLS["4", "E2Rank-8B-stage1", column].value for column in columns]
    wrong[columns.index("reranking")] = 59.73
    assert np.average(wrong, weights=tasks) == pytest.approx(64.26, abs=0.005)


@settings(deadline=None)
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
    changed = [replace(c, printed=str(value)) if c is cell else c for c in published.table(table)]
    found = check_averages(Tables(changed, structure()))
    assert (table, system, average) in {
        (f.tables[0], f.system, f.column) for f in found if f.kind == "average"
    }


@settings(deadline=None)
@given(st.sampled_from(PRINTED_TWICE), st.sampled_from(["0.03", "-0.03"]))
def test_one_changed_cell_that_two_tables_print_is_found(key, change):
    changed = replace(CELLS[key], printed=str(Decimal(CELLS[key].printed) + Decimal(change)))
    found = [finding for finding in check_tables(_changed(changed)) if key[0] in finding.tables]
    assert any(changed.printed in finding.printed for finding in found)


def test_a_wrong_total_is_found():
    cell = CELLS["12", "E2Rank-4B", "overall"]
    assert list(check_sums(_changed())) == []
    (found,) = check_sums(_changed(replace(cell, printed="2.20")))
    assert (found.kind, found.printed, found.recomputed) == ("sum", "2.20", "2.17")


def test_a_permuted_row_is_found_and_put_right():
    cells = {column: CELLS["11", "E2Rank-8B", column] for column in BEIR}
    order = [
        "robust04",
        "scifact",
        "nfcorpus",
        "signal1m",
        "trec-news",
        "trec-covid",
        "touche2020",
        "dbpedia-entity",
    ]
    moved = [
        replace(cells[to], printed=cells[source].printed) for to, source in zip(BEIR, order, strict=True)
    ]
    # Alone among rows in their places, so that its own order is sought.
    others = {"monoT5-3B", "RankT5-3B", "ListT5-3B", "RankVicuna"}
    rest = [
        c
        for c in published.table("11")
        if c.system not in others and (c.system != "E2Rank-8B" or c.column not in cells)
    ]
    (found,) = check_columns(Tables([*rest, *moved], structure()))
    assert found.system == "E2Rank-8B"
    restored = dict(item.split() for item in found.recomputed.split(", "))
    assert {c: restored[c] for c in ("trec-covid", "scifact", "robust04")} == {
        c: cells[c].printed for c in ("trec-covid", "scifact", "robust04")
    }


def test_a_table_that_is_not_described_is_refused():
    cell = replace(CELLS["1", "BM25", "dl19"], table="99", line=7)
    with pytest.raises(InputError, match=r"tables\.csv:7: table '99' is not described"):
        Tables([cell], structure())


def test_a_page_and_rows_have_every_finding(findings):
    page = findings_markdown(findings)
    assert all(f"- {finding.wording}" in page for finding in findings)
    assert [row["wording"] for row in audit_rows()] == [finding.wording for finding in findings]
