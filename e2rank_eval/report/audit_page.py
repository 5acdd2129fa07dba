"""The audit as a page: every place where the paper's printed numbers disagree with each other."""

from __future__ import annotations

from collections.abc import Iterator

from e2rank_eval.paper.audit import KINDS, Disagreement, audit
from e2rank_eval.report.collect import Results
from e2rank_eval.report.page import Page
from e2rank_eval.report.table import Cell, Column, Table


def audit_page(_: Results) -> Iterator[Page]:
    """One page, the same for all results: it is about the published numbers alone."""
    findings = audit()
    tables = [
        _table(kind, heading, found)
        for kind, heading in KINDS.items()
        if (found := [finding for finding in findings if finding.kind == kind])
    ]
    yield Page("audit.html", "audit.html", {"tables": tables, "count": len(findings)})


def _table(kind: str, heading: str, findings: list[Disagreement]) -> Table:
    columns = ("finding", "tables", "system", "column", "printed", "recomputed")
    rows = tuple(
        tuple(
            Cell(text or None)
            for text in (one.wording, ", ".join(one.tables), one.system, one.column, one.printed,
                         one.recomputed)
        )
        for one in findings
    )  # fmt: skip
    return Table(f"audit-{kind}", heading, tuple(Column(name, "text") for name in columns), rows)
