"""What the verbs print on a terminal: tables of metrics, comparisons, registries, findings."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from e2rank_eval.errors import InputError
from e2rank_eval.store.results import Comparison, Metrics, MtebRecord

# Off a terminal nothing is folded, so that names can be searched for and copied.
_console = Console(soft_wrap=True) if sys.stdout.isatty() else Console(width=400, soft_wrap=True)


def _print(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    table = Table(title=escape(title), title_justify="left")
    for index, column in enumerate(columns):
        numeric = index > 0 and all(_is_number(row[index]) for row in rows)
        table.add_column(
            escape(column), justify="right" if numeric else "left", overflow="fold", no_wrap=index == 0
        )
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    _console.print(table)


def _is_number(cell: object) -> bool:
    return str(cell).lstrip("-+").replace(".", "", 1).isdigit()


def print_metrics(run: Path, metrics: Metrics) -> None:
    """Measures x 100 with their 95 % intervals, and whatever a reader must know about the queries."""
    counts = metrics.queries
    rows = []
    for measure in metrics.measures:
        low, high = metrics.interval[measure]
        rows.append([measure, f"{100 * metrics.mean[measure]:.2f}", f"{100 * low:.2f} to {100 * high:.2f}"])
    _print(f"{run.name}: {counts.qrels} judged queries", ["measure", "x 100", "95 % interval"], rows)
    if counts.unanswered:
        missing = len(counts.unanswered)
        _console.print(f"{missing} missing from the run, counted as zero: {_some(counts.unanswered)}")
    if metrics.ties:
        _console.print(f"{metrics.ties} tied scores, broken by document id as trec_eval does")
    if metrics.failed:
        _console.print(f"{len(metrics.failed)} kept in first-stage order: {_some(metrics.failed)}")


def _some(ids: Sequence[str], most: int = 10) -> str:
    return escape(", ".join(ids[:most]) + (", ..." if len(ids) > most else ""))


def print_comparison(result: Comparison) -> None:
    """One row per test: difference x 100, p-values, effect size, wins and losses."""
    systems = []
    for one in result.systems:
        low, high = one.interval
        interval = f"{100 * low:.2f} to {100 * high:.2f}"
        systems.append([one.reranker, one.queries, f"{100 * one.mean:.2f}", interval])
    _print(f"{result.measure} x 100", ["system", "queries", "mean", "95 % interval"], systems)
    rows = [
        [
            test.reranker,
            test.baseline,
            f"{100 * test.difference:+.2f}",
            *map(_p_value, (test.p_randomisation, test.p_holm, test.p_t)),
            "-" if test.effect_size is None else f"{test.effect_size:.2f}",
            f"{test.wins}/{test.ties}/{test.losses}",
        ]
        for test in result.tests
    ]
    columns = ["system", "against", "difference", "p randomisation", "p Holm", "p t-test", "effect size"]
    _print("Paired tests", [*columns, "wins/ties/losses"], rows)


def _p_value(p: float | None) -> str:
    if p is None:
        return "too few queries"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"


def listing(what: str, config: Path) -> list[dict[str, Any]]:
    """Rows of a registry, or of a configuration's tables, each a flat mapping.

    Raises
    ------
    InputError
        For anything but datasets, models, rerankers, tables.
    """
    from e2rank_eval.config import entries

    if what == "datasets":
        return [
            {
                "name": name,
                "title": entry.title,
                "licence": entry.licence,
                "documents": entry.documents or "varies",
            }
            for name, entry in entries.datasets().items()
        ]
    if what == "models":
        return [
            {"name": name, "title": entry.title, "kind": entry.kind, "parameters": entry.parameters,
             "licence": entry.licence, "trained for E2Rank": "yes" if entry.trained_for_e2rank else "no"}
            for name, entry in entries.models().items()
        ]  # fmt: skip
    if what == "rerankers":
        from e2rank_eval.rerankers.families import families

        return [{"family": name, "what it does": text} for name, text in families().items()]
    if what == "tables":
        return _tables(config)
    raise InputError(f"nothing to list under {what!r}", hint="list datasets, models, rerankers or tables")


def _tables(config: Path) -> list[dict[str, Any]]:
    from e2rank_eval.config import read_configuration
    from e2rank_eval.report.index import figure_ids, table_ids

    if not config.exists():
        raise InputError("no configuration here", path=config, hint="name one: --config FILE")
    configuration = read_configuration(config)
    tables = [{"kind": "table", "id": identifier} for identifier in table_ids(configuration)]
    return tables + [{"kind": "figure", "id": identifier} for identifier in figure_ids(configuration)]


def print_listing(what: str, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = list(rows[0]) if rows else ["name"]
    _print(what, columns, [[row[column] for column in columns] for row in rows])


def print_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """What ``doctor`` found: one line per question, with what to do where the answer is no."""
    for finding in findings:
        mark = {"yes": "[green]yes[/]", "no": "[red]no[/]", "note": "[yellow]--[/]"}[finding["answer"]]
        _console.print(f"{mark:>4}  {escape(finding['question'])}: {escape(finding['detail'])}")


def print_plan(rows: Sequence[Mapping[str, Any]]) -> None:
    """What fetching would take: one row per data set, and the sum of what is known."""
    cells = []
    for row in rows:
        size, needs = _megabytes(row["bytes"]), row["registration"] or row["from"]
        cells.append([row["name"], row["state"], size, row["licence"], needs])
    _print(f"{len(rows)} data sets", ["data set", "state", "MB", "licence", "from, or what it needs"], cells)
    wanted = [row["bytes"] for row in rows if row["state"] == "to fetch"]
    unknown = sum(size is None for size in wanted)
    more = f", and {unknown} whose size no source states" if unknown else ""
    total = _megabytes(sum(size or 0 for size in wanted))
    _console.print(f"to fetch: {len(wanted)} data sets, {total} MB{more}")


def _megabytes(size: int | None) -> str:
    return "?" if size is None else f"{size / 1e6:.1f}"


def print_published(rows: Sequence[Mapping[str, Any]]) -> None:
    """BM25 beside its published value: what was run first, then what would have to be."""
    run = [row for row in rows if row["ours"] is not None]
    cells = [
        [row["name"], row["first_stage"], row["queries"], f"{row['published']:.2f}", f"{row['ours']:.2f}",
         f"{row['difference']:+.2f}", row["verdict"], "; ".join(row["reasons"]) or "-"]
        for row in run
    ]  # fmt: skip
    columns = ["data set", "first stage", "queries", "published", "ours", "difference", "verdict"]
    _print("BM25, nDCG@10 x 100", [*columns, "what differs"], cells)
    needed = [
        [row["name"] or row["dataset"], "-" if row["published"] is None else f"{row['published']:.2f}",
         row["source"] or "-", row["needs"]]
        for row in rows
        if row["ours"] is None
    ]  # fmt: skip
    _print(f"{len(needed)} not run", ["data set", "published", "source", "needs"], needed)


def print_mteb(record: MtebRecord) -> None:
    """Each task with score and cost, then the means and of how many tasks they are."""
    rows = [
        [task.task, task.type, _shown(task.score, ".2f"), _shown(task.seconds, ".1f"),
         _shown(task.tokens, ","), _shown(task.forward_tokens, ",")]
        for task in record.tasks
    ]  # fmt: skip
    columns = ["task", "type", "score x 100", "seconds", "tokens", "tokens computed"]
    _print(f"{record.name} at {record.revision}", columns, rows)
    means = {"mean over tasks": record.mean_task, "mean over types": record.mean_task_type} | record.by_type
    _print("Means", ["mean", "x 100 (of how many)"], [[name, mean.text()] for name, mean in means.items()])
    for task in record.tasks:
        if task.failure is not None:
            _console.print(f"[red]missing[/] {escape(task.task)}: {escape(task.failure)}")


def _shown(value: float | None, form: str) -> str:
    return "–" if value is None else f"{value:{form}}"


def print_estimate(title: str, found: Mapping[str, Any]) -> None:
    """What runs would take: one row per run, then totals, disk and the assumptions behind them."""
    columns = ["system", "data set", "stage", "queries", "10^6 tokens", "PFLOP", "device hours", "lengths"]
    rows = [
        [row["system"], row["dataset"], row["stage"], row["queries"] or "?",
         *(_scaled(row[key], scale) for key, scale in (("tokens", 1e6), ("flops", 1e15), ("hours", 1.0))),
         row["lengths"]]
        for row in found["runs"]
    ]  # fmt: skip
    _print(f"{title}: {len(rows)} runs with a model", columns, rows)
    unknown = f", and {found['unknown']} runs of unknown size" if found["unknown"] else ""
    _console.print(
        f"in all {found['tokens'] / 1e6:,.0f} million tokens, {found['hours']:.1f} device hours at "
        f"{found['tflops']:g} TFLOP/s x {found['utilisation']:g}{unknown}"
    )
    sizes = f"{found['weight_bytes'] / 1e9:.1f} GB of weights, {found['dataset_bytes'] / 1e9:.1f} GB of data"
    more = f"; no source states the size of {', '.join(found['unsized'])}" if found["unsized"] else ""
    _console.print(f"to fetch, unless it is here: {sizes}{more}", highlight=False)
    unsourced = dict.fromkeys(row["dataset"] for row in found["runs"] if row["lengths"] == "assumed")
    if unsourced:
        assumed = found["assumed_characters"]
        _console.print(
            f"lengths are unknown for {', '.join(unsourced)}: assumed {assumed['query']} characters a query "
            f"and {assumed['document']} a document",
            highlight=False,
        )
    _console.print(
        "2 FLOP per weight (embeddings too) and token, without attention; written tokens take longer"
    )


def _scaled(value: float | None, scale: float) -> str:
    return "?" if value is None else f"{value / scale:.2f}"
