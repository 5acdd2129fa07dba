"""Kinds of tables, each registered by a module of this package; `e2rank-eval table` writes them."""

from __future__ import annotations

from e2rank_eval.report.html import to_html
from e2rank_eval.report.outputs import Outputs
from e2rank_eval.report.render import to_csv, to_latex, to_markdown
from e2rank_eval.report.table import Table
from e2rank_eval.store.layout import TABLE


def forms(table: Table) -> dict[str, bytes]:
    """Return a table as CSV, Markdown, LaTeX and HTML, by file ending."""
    texts = {"csv": to_csv(table), "md": to_markdown(table), "tex": to_latex(table), "html": to_html(table)}
    return {suffix: text.encode() for suffix, text in texts.items()}


TABLES: Outputs[Table] = Outputs("table", "e2rank_eval.report.tables", TABLE, forms)
