"""Every kind of table is a module of this package that registers itself; `e2rank-eval table` writes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.report.collect import Results
from e2rank_eval.report.html import to_html
from e2rank_eval.report.outputs import Outputs
from e2rank_eval.report.render import to_csv, to_latex, to_markdown
from e2rank_eval.report.table import Table
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

TABLES: Outputs[Table] = Outputs("table", "e2rank_eval.report.tables")

_FORMS: dict[str, Callable[[Table], str]] = {
    "csv": to_csv, "md": to_markdown, "tex": to_latex, "html": to_html,
}  # fmt: skip


def build_table(results: Results, identifier: str) -> Table:
    """Build the table called ``identifier``; raises as :meth:`Outputs.build`."""
    return TABLES.build(results, identifier)


def write_table(layout: Layout, configuration: Configuration, identifier: str) -> list[Path]:
    """Write ``tables/<identifier>`` as CSV, Markdown, LaTeX and HTML; return the paths.

    The bytes depend on the stored results alone. Raises as :func:`build_table`.
    """
    started = time.time()
    results = Results(layout, configuration)
    table = build_table(results, identifier)
    paths = []
    for suffix, form in _FORMS.items():
        path = layout.path(places.TABLE, table=identifier, suffix=suffix)
        write_text(path, str(form(table)))
        paths.append(path)
    write_manifest(
        paths[0],
        command=f"e2rank-eval table {identifier} --config {layout.path(places.CONFIG)}",
        settings={"table": identifier},
        inputs=results.files_read,
        started=started,
    )
    return paths
