"""Rows of the paper that published runs give back: our value beside the printed one, with a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.evaluation.scoring import metrics_record
from e2rank_eval.paper import published
from e2rank_eval.paper import runs as registry
from e2rank_eval.paper.first_stage_runs import load_judgements, load_run
from e2rank_eval.paper.quantities import Quantity, Row, Tables
from e2rank_eval.paper.structure import Tolerance, structure
from e2rank_eval.paper.verdicts import Verdict, equal_to_the_digit, verdict
from e2rank_eval.progress import track
from e2rank_eval.store.results import Metrics

MEASURE = "nDCG@10"
TABLES = ("1", "2", "11", "18", "21")
SEED = 13
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run scores: mean nDCG@10 x 100 over all judged queries and its bootstrap 95 % interval."""

    run: str
    ours: float
    interval: tuple[float, float]
    queries: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class ReproducedCell:
    """One cell of a table, and what our run gives for it.

    ``measured`` is None where no run gives it: ``needs`` then says what would. ``table`` and
    ``printed`` are empty where the paper prints no value.
    """

    table: str
    system: str
    column: str
    printed: str | None
    verdict: Verdict
    measured: Measured | None
    command: str
    needs: str

    @property
    def equal(self) -> bool | None:
        """Whether our value shows the printed digits; None where one of the two is missing."""
        if self.measured is None or self.printed is None:
            return None
        return equal_to_the_digit(self.measured.ours, self.printed)


def quantities() -> dict[str, Quantity | None]:
    """Run of the registry -> the quantity that it gives, None where the paper prints none."""
    text = Path(__file__).with_name("reproduction.yaml").read_text(encoding="utf-8")
    return {name: Quantity(**value) if value else None for name, value in yaml.safe_load(text).items()}


def measure(name: str, cache: Path, runs_from: Path | None = None) -> Measured:
    """Score one run of the registry; a judged query that it lacks counts as 0.

    Raises
    ------
    InputError, UnavailableError
        As ``first_stage_runs.load_run`` does.
    """
    found = run_metrics(name, cache, runs_from)
    low, high = found.interval[MEASURE]
    return Measured(
        name, _PERCENT * found.mean[MEASURE], (_PERCENT * low, _PERCENT * high),
        found.queries.qrels, len(found.queries.unanswered),
    )  # fmt: skip


def run_metrics(name: str, cache: Path, runs_from: Path | None = None) -> Metrics:
    """Evaluate one run of the registry; values from 0 to 1.

    Raises as :func:`measure` does.
    """
    entry = registry.run(name)
    judgements = load_judgements(entry.dataset, cache, runs_from)
    found = evaluate(load_run(name, cache, runs_from), judgements, [MEASURE])
    return metrics_record(found, names=(entry.dataset, entry.retriever, name), seed=SEED)


def reproduce(
    cache: Path, runs_from: Path | None = None, names: Iterable[str] | None = None
) -> list[ReproducedCell]:
    """Every cell of the rows that runs of the registry (``names``, all by default) belong to.

    A row is shown whole: its cells that no run gives are ``not run`` and say what they need.
    """
    wanted, of = list(names or quantities()), quantities()
    for name in wanted:
        registry.run(name)
    progress = track(wanted, description="runs", total=len(wanted))
    given = {name: measure(name, cache, runs_from) for name in progress}
    tables = Tables([cell for cell in published.cells() if cell.table in TABLES], structure())
    by_quantity = {quantity: found for name, found in given.items() if (quantity := of[name]) is not None}
    cells = []
    for row in tables.rows.values():
        if any(tables.quantity(row, column) in by_quantity for column in row.cells):
            cells += [_cell(tables, row, column, by_quantity) for column in row.cells]
    tolerance = structure().tables[TABLES[0]].tolerance
    return cells + [_unpublished(found, tolerance) for name, found in given.items() if of[name] is None]


def _cell(tables: Tables, row: Row, column: str, by_quantity: Mapping[Quantity, Measured]) -> ReproducedCell:
    found = by_quantity.get(tables.quantity(row, column))
    printed = row.cells[column]
    meaning = tables.structure.tables[row.table]
    if found is None:
        return ReproducedCell(
            row.table, row.system, column, printed.printed, "not run", None, "",
            _needs(tables, row, column, by_quantity),
        )  # fmt: skip
    judged = verdict(found.ours, printed.value, meaning.tolerance, found.interval)
    return ReproducedCell(
        row.table, row.system, column, printed.printed, judged, found, command(found.run), ""
    )


def _needs(tables: Tables, row: Row, column: str, by_quantity: Mapping[Quantity, Measured]) -> str:
    parts = tables.parts(row, column) if column in tables.structure.tables[row.table].averages else None
    missing = [
        name for source, name in parts or [(row, column)]
        if tables.quantity(source, name) not in by_quantity
    ]  # fmt: skip
    return f"{row.system} on {', '.join(missing)}"


def _unpublished(found: Measured, tolerance: Tolerance) -> ReproducedCell:
    entry = registry.run(found.run)
    judged = verdict(found.ours, None, tolerance)
    return ReproducedCell("", entry.retriever, entry.dataset, None, judged, found, command(found.run), "")


def command(run: str) -> str:
    """What a reader copies to make the value again: it names the run, not a path."""
    return f"e2rank-eval reproduce {run}"
