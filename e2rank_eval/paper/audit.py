"""Where the paper disagrees with itself: every check over the published tables and claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from e2rank_eval.paper import published
from e2rank_eval.paper.averages import check_averages, check_sums
from e2rank_eval.paper.crossings import check_claims, check_tables
from e2rank_eval.paper.findings import KINDS, Finding, finding_rows
from e2rank_eval.paper.permutations import check_columns
from e2rank_eval.paper.published import Cell, Claim
from e2rank_eval.paper.quantities import Tables
from e2rank_eval.paper.structure import Structure, structure


def audit(
    cells: Sequence[Cell] | None = None,
    claims: Sequence[Claim] | None = None,
    meaning: Structure | None = None,
) -> list[Finding]:
    """Every disagreement within the published numbers, by kind in the order of ``KINDS``.

    An average whose parts stand in another table is named once: under ``cross-table`` where that
    table prints the average as well and differently.
    """
    tables = Tables(published.cells() if cells is None else cells, meaning or structure())
    crossed = list(check_tables(tables))
    named = {(table, found.system, found.column) for found in crossed for table in found.tables}
    averages = [
        found
        for found in check_averages(tables)
        if len(found.tables) == 1 or (found.tables[0], found.system, found.column) not in named
    ]
    findings = [
        *averages,
        *check_sums(tables),
        *crossed,
        *check_columns(tables),
        *check_claims(published.claims() if claims is None else claims),
    ]
    return sorted(findings, key=lambda finding: list(KINDS).index(finding.kind))


def audit_rows() -> list[dict[str, Any]]:
    """The audit as rows for a terminal table, JSON or a page: the fields of ``Finding``."""
    return finding_rows(audit())
