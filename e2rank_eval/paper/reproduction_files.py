"""The reproduction as files: CSV, Markdown and JSON, the same bytes from the same runs."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.paper import runs as registry
from e2rank_eval.paper.reproduction import MEASURE, ReproducedCell, command, reproduce, run_metrics
from e2rank_eval.paper.runs import JudgementsEntry, RunEntry
from e2rank_eval.store.files import write_json, write_text
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import write_record

_FIELDS = (
    "table", "system", "column", "published", "ours", "difference", "equal_to_the_digit", "verdict",
    "interval_low", "interval_high", "queries", "unanswered", "run", "command", "needs",
)  # fmt: skip
_DECIMALS = 4


def reproduction_rows(cells: Sequence[ReproducedCell]) -> list[dict[str, Any]]:
    """Cells as JSON-ready rows; values are nDCG@10 x 100, rounded to 4 decimals."""
    return [_row(cell) for cell in cells]


def _row(cell: ReproducedCell) -> dict[str, Any]:
    found = cell.measured
    low, high = found.interval if found else (None, None)
    return {
        "table": cell.table,
        "system": cell.system,
        "column": cell.column,
        "published": cell.printed,
        "ours": _rounded(found.ours) if found else None,
        "difference": _rounded(found.ours - float(cell.printed)) if found and cell.printed else None,
        "equal_to_the_digit": cell.equal,
        "verdict": cell.verdict,
        "interval_low": _rounded(low) if low is not None else None,
        "interval_high": _rounded(high) if high is not None else None,
        "queries": found.queries if found else None,
        "unanswered": found.unanswered if found else None,
        "run": found.run if found else None,
        "command": cell.command,
        "needs": cell.needs,
    }


def _rounded(value: float) -> float:
    return round(value, _DECIMALS) + 0.0


def reproduction_markdown(cells: Sequence[ReproducedCell]) -> str:
    """Cells as a page: counts of verdicts, then one table of the cells, what is missing last."""
    counts = Counter(cell.verdict for cell in cells)
    exact = sum(cell.equal is True for cell in cells)
    lines = [
        "# First stages of the paper, from their published runs",
        "",
        f"{MEASURE} x 100 over all judged queries, with the bootstrap 95 % interval over queries. "
        f"{exact} cells equal the printed ones to the digit. "
        f"Verdicts: {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}.",
        "",
        "| table | system | column | published | ours | 95 % interval | queries | verdict | command |",
        "|---|---|---|---:|---:|---|---:|---|---|",
    ]
    for cell in cells:
        if cell.measured is not None:
            found, (low, high) = cell.measured, cell.measured.interval
            lines.append(
                f"| {cell.table} | {cell.system} | {cell.column} | {cell.printed or ''} | {found.ours:.2f} "
                f"| {low:.1f} to {high:.1f} | {found.queries} | {cell.verdict} | `{cell.command}` |"
            )
    return "\n".join([*lines, *_not_run(cells)]) + "\n"


def _not_run(cells: Sequence[ReproducedCell]) -> list[str]:
    rows: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.verdict == "not run":
            rows.setdefault((cell.table, cell.system), []).append(cell.column)
    lines = [f"- Table {table}, {system}: {', '.join(columns)}" for (table, system), columns in rows.items()]
    return [
        "",
        "Not run, for want of a registered run (what each average needs: `needs` in the CSV):",
        "",
        *lines,
    ]


def _provenance(entry: RunEntry | JudgementsEntry) -> dict[str, Any]:
    downloads = [download for source in entry.sources for download in source.downloads]
    return {
        "title": entry.title,
        "addresses": [address for download in downloads for address in download.urls],
        "sha256": downloads[0].sha256,
        "copy_sha256": entry.local_copy.sha256,
    }


def write_reproduction(folder: Path, cache: Path, runs_from: Path | None = None) -> list[ReproducedCell]:
    """Reproduce everything and write ``first_stages.{csv,md,json}`` into ``folder``; returns the cells.

    The JSON carries titles and hashes of runs and judgements as the registry states them. No file
    says when, where or from which copy it was made.
    """
    cells = reproduce(cache, runs_from)
    rows = reproduction_rows(cells)
    text = io.StringIO()
    writer = csv.DictWriter(text, _FIELDS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(folder / "first_stages.csv", text.getvalue())
    write_text(folder / "first_stages.md", reproduction_markdown(cells))
    used = {cell.measured.run: registry.run(cell.measured.run) for cell in cells if cell.measured}
    judged = {entry.dataset: registry.judgements(entry.dataset) for entry in used.values()}
    provenance = {
        "runs": {name: _provenance(entry) | {"judgements": entry.dataset} for name, entry in used.items()},
        "judgements": {name: _provenance(entry) for name, entry in judged.items()},
    }
    write_json(folder / "first_stages.json", {"measure": MEASURE, "cells": rows, **provenance})
    return cells


def write_run_metrics(path: Path, names: Sequence[str], cache: Path, runs_from: Path | None = None) -> None:
    """Write the metrics of one run of the registry, per query, with a manifest beside them.

    Raises
    ------
    InputError
        When ``names`` is not one run; and as ``reproduction.measure`` does.
    """
    if len(names) != 1:
        raise InputError("metrics are written of one run at a time", hint="name one run before --metrics")
    started = time.time()
    (name,) = names
    write_record(path, run_metrics(name, cache, runs_from))
    entry = registry.run(name)
    settings = {"run": _provenance(entry), "judgements": _provenance(registry.judgements(entry.dataset))}
    write_manifest(path, command=command(name), settings=settings, inputs=[], started=started)
