"""The table verb: one table of the configuration, built from stored results and written in four forms."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.report.collect import Results, results_for
from e2rank_eval.report.cost_tables import cost_table
from e2rank_eval.report.index import paper_table_ids, table_ids
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


def build_table(results: Results, identifier: str) -> Table:
    """The table called ``identifier``.

    Raises
    ------
    InputError
        When the configuration has no such table, or a file that it needs is missing or malformed.
    """
    for name in results.configuration.comparisons:
        builders = {name: quality_table, f"{name}-measures": measures_table, f"{name}-tests": tests_table}
        if identifier in builders:
            return builders[identifier](results, name)
    for name in results.configuration.latency:
        builders = {
            f"latency-{name}": latency_table,
            f"latency-{name}-phases": phases_table,
            f"latency-{name}-cost": cost_table,
        }
        if identifier in builders:
            return builders[identifier](results, name)
    for name in results.configuration.artefacts:
        if identifier in paper_table_ids(results.configuration, name):
            return (paper_table if identifier == name else cells_table)(results, name)
    for name in results.configuration.mteb:
        for part, build in MTEB_TABLES.items():
            if identifier == f"mteb-{name}{part}":
                return build(results, name)
    known = ", ".join(table_ids(results.configuration))
    raise InputError(f"no table named {identifier!r}", hint=f"known: {known}")


def write_table(layout: Layout, configuration: Configuration, table_id: str) -> list[Path]:
    """Write ``tables/<table_id>`` as CSV, Markdown, LaTeX and HTML; return the paths.

    The bytes depend on the stored results alone. Raises as :func:`build_table`.
    """
    started = time.time()
    results = results_for(layout, configuration, table_id, table_ids)
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
