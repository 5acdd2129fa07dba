"""Reproduction of the paper's first stages from scored public runs: our values, printed values, verdicts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from e2rank_eval.evaluation.effectiveness import metrics_of
from e2rank_eval.paper import published
from e2rank_eval.paper.published import Quantity, Row, Tables, Tolerance, Verdict, structure
from e2rank_eval.paper.runs import load_judgements, load_run, registry, run_entry
from e2rank_eval.progress import track
from e2rank_eval.store.files import write_text
from e2rank_eval.store.manifests import write_manifest
from e2rank_eval.store.results import Metrics, write_record

MEASURE = "nDCG@10"
TABLES = ("1", "2", "11", "18", "21")
SEED = 13
_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class ReproducedCell:
    """One cell of a table with our value, nDCG@10 x 100 over all judged queries.

    ``run`` and our values are None where no run gives the cell; ``needs`` then names the missing run.
    ``table`` and ``published`` (digits as printed) are empty where the paper prints no value. Values are
    rounded to 4 decimals; the bounds are those of the bootstrap 95 % interval.
    """

    table: str
    system: str
    column: str
    published: str | None
    ours: float | None = None
    difference: float | None = None
    equal_to_the_digit: bool | None = None
    verdict: Verdict = "not run"
    interval_low: float | None = None
    interval_high: float | None = None
    queries: int | None = None
    unanswered: int | None = None
    run: str | None = None
    command: str = ""
    needs: str = ""


def run_metrics(name: str, cache: Path) -> Metrics:
    """Evaluate one run of the registry; values are from 0 to 1, and a missing judged query counts as 0.

    Raises
    ------
    InputError, UnavailableError
        As ``runs.load_run`` does.
    """
    entry = run_entry(name)
    judgements = load_judgements(entry.dataset, cache)
    names = (entry.dataset, entry.retriever, name)
    return metrics_of(load_run(name, cache), judgements, [MEASURE], names=names, seed=SEED)


def reproduce(cache: Path, names: Iterable[str] | None = None) -> list[ReproducedCell]:
    """Return every cell of the table rows to which runs of the registry (``names``, all by default) belong.

    Cells of these rows without a run have the verdict ``not run``, and name the missing run.
    """
    wanted = {name: run_entry(name) for name in names or registry().runs}
    metrics = {
        name: run_metrics(name, cache) for name in track(wanted, description="runs", total=len(wanted))
    }
    tables = Tables([cell for cell in published.cells() if cell.table in TABLES])
    runs = {entry.gives: name for name, entry in wanted.items() if entry.gives is not None}
    cells = []
    for row in tables.rows.values():
        if any(tables.quantity(row, column) in runs for column in row.cells):
            for column, printed in row.cells.items():
                place = (row.table, row.system, column, printed.printed)
                run = runs.get(tables.quantity(row, column))
                if run is None:
                    cells.append(ReproducedCell(*place, needs=_needs(tables, row, column, runs)))
                else:
                    tolerance = structure().tables[row.table].tolerance
                    cells.append(_scored(*place, metrics[run], tolerance))
    tolerance = structure().tables[TABLES[0]].tolerance
    for name, entry in wanted.items():
        if entry.gives is None:
            cells.append(_scored("", entry.retriever, entry.dataset, None, metrics[name], tolerance))
    return cells


def _scored(
    table: str, system: str, column: str, printed: str | None, metrics: Metrics, tolerance: Tolerance
) -> ReproducedCell:
    ours, run = 100 * metrics.mean[MEASURE], str(metrics.reranker)
    low, high = (100 * bound for bound in metrics.interval[MEASURE])
    value = None if printed is None else float(printed)
    return ReproducedCell(
        table, system, column, printed, ours=_rounded(ours),
        difference=None if value is None else _rounded(ours - value),
        equal_to_the_digit=None if printed is None else equal_to_the_digit(ours, printed),
        verdict=tolerance.verdict(ours, value),
        interval_low=_rounded(low), interval_high=_rounded(high),
        queries=metrics.queries.qrels, unanswered=len(metrics.queries.unanswered),
        run=run, command=command(run),
    )  # fmt: skip


def _needs(tables: Tables, row: Row, column: str, runs: Mapping[Quantity, str]) -> str:
    parts = tables.parts(row, column) or [(row, column)]
    missing = [name for source, name in parts if tables.quantity(source, name) not in runs]
    return f"{row.system} on {', '.join(missing)}"


def _rounded(value: float) -> float:
    return round(value, _DECIMALS) + 0.0  # without a minus before a zero


def equal_to_the_digit(ours: float, printed: str) -> bool:
    """Return whether our value, rounded as the published one is, shows the same digits."""
    return f"{ours:.{len(printed.partition('.')[2])}f}" == printed


def command(run: str) -> str:
    """Return the command that recomputes the value of a run."""
    return f"e2rank-eval reproduce {run}"


def reproduction_markdown(cells: Sequence[ReproducedCell]) -> str:
    """Return the cells as Markdown: counts of verdicts, a table of the cells, and the missing cells."""
    counts = Counter(cell.verdict for cell in cells)
    exact = sum(cell.equal_to_the_digit is True for cell in cells)
    lines = [
        "# First stages of the paper, from their published runs",
        "",
        f"{MEASURE} x 100 over all judged queries, with the bootstrap 95 % interval over queries. "
        f"{exact} cells equal the printed ones to the digit. "
        f"Verdicts: {', '.join(f'{name} {count}' for name, count in sorted(counts.items()))}.",
        "",
        "| table | system | column | published | ours | 95 % interval | queries | verdict | command |",
        "|---|---|---|---:|---:|---|---:|---|---|",
        *(
            f"| {cell.table} | {cell.system} | {cell.column} | {cell.published or ''} | {cell.ours:.2f} "
            f"| {cell.interval_low:.1f} to {cell.interval_high:.1f} | {cell.queries} | {cell.verdict} "
            f"| `{cell.command}` |"
            for cell in cells
            if cell.run is not None
        ),
        "",
        "Not run, for want of a registered run (what each average needs: `needs` in the CSV):",
        "",
    ]
    missing: dict[tuple[str, str], list[str]] = {}
    for cell in cells:
        if cell.run is None:
            missing.setdefault((cell.table, cell.system), []).append(cell.column)
    lines += [f"- Table {table}, {system}: {', '.join(names)}" for (table, system), names in missing.items()]
    return "\n".join(lines) + "\n"


def write_reproduction(folder: Path, cache: Path) -> list[ReproducedCell]:
    """Reproduce all runs, write ``first_stages.{csv,md}`` into ``folder``, and return the cells.

    The bytes depend only on the runs.
    """
    import pandas as pd

    cells = reproduce(cache)
    counts = {"queries": "Int64", "unanswered": "Int64"}  # with gaps
    table = pd.DataFrame([asdict(cell) for cell in cells]).astype(counts)
    write_text(folder / "first_stages.csv", table.to_csv(index=False, lineterminator="\n"))
    write_text(folder / "first_stages.md", reproduction_markdown(cells))
    return cells


def write_run_metrics(path: Path, name: str, cache: Path) -> None:
    """Write the per-query metrics of one run of the registry, and a manifest.

    Raises as :func:`run_metrics` does.
    """
    started = time.time()
    write_record(path, run_metrics(name, cache))
    entry = run_entry(name)
    settings = {
        "run": entry.local_copy.sha256,
        "judgements": registry().judgements[entry.dataset].local_copy.sha256,
    }
    write_manifest(path, command=command(name), settings=settings, inputs=[], started=started)
