"""The table verb: one table of the configuration, built from stored results and written in four forms."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import Results
from e2rank_eval.report.cost_tables import cost_table
from e2rank_eval.report.index import table_ids, tables
from e2rank_eval.report.latency_tables import latency_table, phases_table
from e2rank_eval.report.mteb_tables import MTEB_TABLES
from e2rank_eval.report.paper_tables import cells_table, paper_table
from e2rank_eval.report.quality_tables import measures_table, quality_table, tests_table
from e2rank_eval.report.render import to_csv, to_latex, to_markdown
from e2rank_eval.report.render_html import to_html
from e2rank_eval.report.table import Table
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

__all__ = ["build_table", "table_ids", "write_table"]

_FORMS: dict[str, Callable[[Table], str]] = {
    "csv": to_csv, "md": to_markdown, "tex": to_latex, "html": to_html,
}  # fmt: skip

_BUILDERS: dict[str, dict[str, Callable[[Results, str], Table]]] = {
    "comparisons": {"": quality_table, "measures": measures_table, "tests": tests_table},
    "latency": {"": latency_table, "phases": phases_table, "cost": cost_table},
    "artefacts": {"": paper_table, "cells": cells_table},
    "mteb": MTEB_TABLES,
}
"""Builders by the section of the configuration that a table shows, and the form in which it does."""


def build_table(results: Results, identifier: str) -> Table:
    """The table called ``identifier``.

    Raises
    ------
    InputError
        When the configuration has no such table, or a file that it needs is missing or malformed.
    """
    shown = tables(results.configuration).get(identifier)
    if shown is None:
        known = ", ".join(table_ids(results.configuration))
        raise InputError(f"no table named {identifier!r}", hint=f"known: {known}")
    return _BUILDERS[shown.section][shown.form](results, shown.name)


def write_table(layout: Layout, configuration: Configuration, table_id: str) -> list[Path]:
    """Write ``tables/<table_id>`` as CSV, Markdown, LaTeX and HTML; return the paths.

    The bytes depend on the stored results alone. Raises as :func:`build_table`.
    """
    started = time.time()
    results = Results(layout, configuration)
    table = build_table(results, table_id)
    paths = []
    for suffix, form in _FORMS.items():
        path = layout.path(places.TABLE, table=table_id, suffix=suffix)
        write_text(path, str(form(table)))
        paths.append(path)
    write_manifest(
        paths[0],
        command=f"e2rank-eval table {table_id} --config {layout.path(places.CONFIG)}",
        settings={"table": table_id},
        inputs=results.files_read,
        started=started,
    )
    return paths
