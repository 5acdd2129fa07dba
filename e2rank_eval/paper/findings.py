"""What an audit finds, and its forms for a terminal and a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["average", "average-rounding", "sum", "cross-table", "permuted-columns", "claim"]

KINDS: dict[Kind, str] = {
    "average": "Averages that no rounding explains",
    "average-rounding": "Averages that differ from those of the printed values, within what rounding allows",
    "sum": "Sums that no rounding explains",
    "cross-table": "One quantity, printed with different values",
    "permuted-columns": "Rows whose values fit other columns",
    "claim": "Statements that contradict each other",
}
"""Heading of each kind, in the order of presentation."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement. ``printed`` and ``recomputed`` are as shown, ``wording`` is ready for a page."""

    kind: Kind
    tables: tuple[str, ...]
    system: str
    column: str
    printed: str
    recomputed: str
    wording: str


def finding_rows(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Findings as JSON-ready rows with the fields of :class:`Finding`."""
    return [asdict(finding) | {"tables": list(finding.tables)} for finding in findings]


def findings_markdown(findings: Sequence[Finding]) -> str:
    """Findings as Markdown: a heading per kind, an item per finding."""
    lines = []
    for kind, heading in KINDS.items():
        found = [finding for finding in findings if finding.kind == kind]
        if found:
            lines += [f"### {heading}", "", *(f"- {finding.wording}" for finding in found), ""]
    return "\n".join(lines)
