"""What the commands print on a terminal: tables of metrics, comparisons, findings, estimates."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from e2rank_eval.store.results import Comparison, Metrics, MtebRecord

# Lines wrap on a terminal only, so that names in log files can be searched for and copied.
_console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 400)


def print_table(title: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows with the same keys, which are the column headings; floats get two decimals, None a dash."""
    table = Table(title=escape(title), title_justify="left")
    for index, column in enumerate(rows[0] if rows else ()):
        numeric = all(isinstance(row[column], int | float | None) for row in rows)
        table.add_column(
            escape(column), justify="right" if numeric else "left", overflow="fold", no_wrap=index == 0
        )
    for row in rows:
        table.add_row(*(_shown(row[column]) for column in rows[0]))
    _console.print(table)


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.2f}" if isinstance(value, float) else escape(str(value))


def print_metrics(run: Path, metrics: Metrics) -> None:
    """Print measures x 100 with 95 % intervals, and the notes on them."""
    typer.echo(f"{run.name}: {metrics.queries.qrels} judged queries, x 100, with 95 % intervals\n{metrics}")


def print_comparison(result: Comparison) -> None:
    """Print the systems, then every paired test; means and differences are x 100."""
    import pandas as pd

    p_values = ("p_randomisation", "p_t", "p_holm")
    tests = [
        one.model_dump(exclude={"queries", "detectable"})
        | {"difference": f"{100 * one.difference:+.2f}"}
        | {name: _p_value(getattr(one, name)) for name in p_values}
        for one in result.tests
    ]
    typer.echo(f"{result.measure} x 100, with 95 % intervals\n{result}\n\nPaired tests, differences x 100")
    typer.echo(pd.DataFrame(tests).to_string(index=False, float_format="{:.4f}".format))


def _p_value(p: float | None) -> str:
    if p is None:
        return "too few queries"
    return "<0.0001" if p < 0.0001 else f"{p:.4f}"


def print_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """Print the findings of ``doctor``, one per line."""
    for finding in findings:
        mark = {"yes": "[green]yes[/]", "no": "[red]no[/]", "note": "[yellow]--[/]"}[finding["answer"]]
        _console.print(f"{mark:>4}  {escape(finding['question'])}: {escape(finding['detail'])}")


def print_plan(rows: Sequence[Mapping[str, Any]]) -> None:
    """Print one row per data set of a fetch, then the total of the sizes that are known."""
    shown = [
        {"data set": row["name"], "state": row["state"], "MB": _scaled(row["bytes"], 1e6),
         "licence": row["licence"], "source, or what is missing": row["registration"] or row["from"]}
        for row in rows
    ]  # fmt: skip
    print_table(f"{len(rows)} data sets", shown)
    wanted = [row["bytes"] for row in rows if row["state"] == "to fetch"]
    unknown = sum(size is None for size in wanted)
    more = f", and {unknown} whose size no source states" if unknown else ""
    total = sum(size or 0 for size in wanted) / 1e6
    _console.print(f"to fetch: {len(wanted)} data sets, {total:.1f} MB{more}")


def print_mteb(record: MtebRecord) -> None:
    """Print score and cost of each task, then each mean with its number of tasks."""
    shown = {"task", "type", "score", "seconds", "tokens", "forward_tokens"}
    tasks = [task.model_dump(include=shown) for task in record.tasks]
    means = {"tasks": record.means.tasks, "types": record.means.types} | record.means.by_type
    print_table(f"{record.name} at {record.revision}, scores x 100", tasks)
    print_table("Means", [{"mean over": name, "x 100 (tasks)": mean.text()} for name, mean in means.items()])
    for task in record.tasks:
        if task.failure is not None:
            _console.print(f"[red]missing[/] {escape(task.task)}: {escape(task.failure)}")


def print_estimate(title: str, found: Mapping[str, Any]) -> None:
    """Print the estimated cost of each run, then totals, disk space and the assumptions behind them."""
    runs = [
        {"system": row["system"], "data set": row["dataset"], "stage": row["stage"],
         "queries": row["queries"], "10^6 tokens": _scaled(row["tokens"], 1e6),
         "PFLOP": _scaled(row["flops"], 1e15), "device hours": row["hours"], "lengths": row["lengths"]}
        for row in found["runs"]
    ]  # fmt: skip
    print_table(f"{title}: {len(runs)} runs with a model", runs)
    unknown = f", and {found['unknown']} runs of unknown size" if found["unknown"] else ""
    unsized = f"; no source states the size of {', '.join(found['unsized'])}" if found["unsized"] else ""
    assumed = found["assumed_characters"]
    _console.print(
        f"total: {found['tokens'] / 1e6:,.0f} million tokens, {found['hours']:.1f} device hours at "
        f"{found['tflops']:g} TFLOP/s x {found['utilisation']:g}{unknown}\n"
        f"to fetch, unless already stored: {found['weight_bytes'] / 1e9:.1f} GB of weights, "
        f"{found['dataset_bytes'] / 1e9:.1f} GB of data{unsized}\n"
        f"assumed lengths: {assumed['query']} characters per query, {assumed['document']} per document\n"
        "assumed cost: 2 FLOP per weight (embeddings too) and token, no attention; generation takes longer"
    )


def _scaled(value: float | None, scale: float) -> float | None:
    return None if value is None else value / scale
