"""The cells of a table or figure of the paper, each with the results that the configuration maps to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import PaperTable, RunKey
from e2rank_eval.config.reading import line_of
from e2rank_eval.errors import InputError
from e2rank_eval.paper import published
from e2rank_eval.paper.published import PublishedCell, Quantity, Tables, TableStructure, structure
from e2rank_eval.paper.runs import registry, run_entry
from e2rank_eval.registry import look_up, nearest

_V2 = "MTEB(eng, v2)"


@dataclass(frozen=True, slots=True)
class RunSource:
    """nDCG@10 of one run, or else of ``published_run``, a public run of the registry.

    ``run`` is None where only the public run gives the value.
    """

    run: RunKey | None
    published_run: str | None = None


@dataclass(frozen=True, slots=True)
class LatencySource:
    """Mean seconds per query of one phase (documents, others, total), documents encoded online."""

    run: RunKey
    phase: str


@dataclass(frozen=True, slots=True)
class TaskSource:
    """The main score of a model on one task of MTEB, as a part of ``benchmark``."""

    model: str
    task: str
    benchmark: str


Source = RunSource | LatencySource | TaskSource


@dataclass(frozen=True, slots=True)
class GridCell:
    """One printed cell. Our value is the mean over ``sources``, which is empty where a part is not run."""

    system: str
    column: str
    published: PublishedCell | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of the paper; ``cells`` are in print order, row by row."""

    id: str
    settings: PaperTable
    meaning: TableStructure
    columns: tuple[str, ...]
    systems: tuple[str, ...]
    cells: tuple[GridCell, ...]

    @property
    def unit(self) -> str:
        return next(cell.published.unit for cell in self.cells if cell.published is not None)


def grid(configuration: Configuration, name: str) -> Grid:
    """Return the grid of table ``name`` of the configuration.

    Raises
    ------
    InputError
        When the paper has no such table, or the table no such row or column.
    """
    settings = configuration.tables[name]
    printed = published.table(settings.table)
    columns = tuple(dict.fromkeys(cell.column for cell in printed))
    systems = tuple(dict.fromkeys(cell.system for cell in printed))
    for row in [*settings.systems, *([settings.baseline] if settings.baseline else [])]:
        if row not in systems:
            raise InputError(
                f"tables.{name}: table {settings.table} has no row {row!r}",
                path=configuration.origin or None,
                line=line_of(configuration.origin, ["tables", name, "systems", row]),
                hint=nearest(row, systems),
            )  # fmt: skip
    rows = _tables().rows
    cells = tuple(
        GridCell(
            system,
            column,
            rows[settings.table, system].cells.get(column),
            _of_cell(configuration, settings, system, column),
        )
        for system in systems
        for column in columns
    )
    return Grid(name, settings, structure().tables[settings.table], columns, systems, cells)


def sources(configuration: Configuration, name: str) -> list[Source]:
    """Return the results that a table, or a figure of one of its columns, shows, each once.

    Raises as :func:`grid` does.
    """
    figure = configuration.figures.get(name)
    cells = grid(configuration, str(figure.of) if figure else name).cells
    shown = [cell for cell in cells if figure is None or cell.column == figure.column]
    return list(dict.fromkeys(source for cell in shown for source in cell.sources))


def runs(configuration: Configuration, section: str, name: str) -> list[RunKey]:
    """Return the runs that an entry of a section of the configuration shows, each once.

    Raises as :func:`grid` does.
    """
    entry: Any = getattr(configuration, section)[name]
    of = entry.section if section == "figures" else ""
    if of not in ("", "tables"):
        return runs(configuration, of, entry.of)
    if "tables" in (section, of):
        found = [getattr(source, "run", None) for source in sources(configuration, name)]
        return list(dict.fromkeys(run for run in found if run is not None))
    return list(getattr(entry, "runs", []))


def tasks_of(benchmark: str, column: str) -> tuple[str, ...]:
    """Return the tasks of ``column``: a task's own name, a category, or ``avg`` for all of them.

    Raises
    ------
    InputError
        When the benchmark, or the column in it, is unknown.
    """
    categories = look_up(benchmarks(), benchmark, "benchmark")
    if column == "avg":
        return tuple(task for tasks in categories.values() for task in tasks)
    return look_up(categories, column, f"column of {benchmark}")


@cache
def benchmarks() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return benchmark -> published column -> its tasks."""
    read = yaml.safe_load(Path(__file__).with_name("mteb_tasks.yaml").read_text(encoding="utf-8"))
    found = {name: {column: tuple(tasks) for column, tasks in one.items()} for name, one in read.items()}
    return found | {_V2: {task: (task,) for task in structure().parts["mteb-v2"]}}


def entry_of(configuration: Configuration, source: TaskSource) -> str | None:
    """Return the mteb entry that scores the task; an entry of the whole benchmark takes precedence."""
    own = {name: one for name, one in configuration.mteb.items() if source.model in one.models}
    whole = [name for name, one in own.items() if one.benchmark == source.benchmark and not one.tasks]
    return next(iter([*whole, *(name for name, one in own.items() if source.task in one.tasks)]), None)


@cache
def _tables() -> Tables:
    return Tables()


@cache
def _public_runs() -> dict[Quantity, str]:
    """Return the public runs of the registry by the quantity that they reproduce."""
    return {entry.gives: run for run, entry in registry().runs.items() if entry.gives is not None}


def _of_cell(
    configuration: Configuration, settings: PaperTable, system: str, column: str
) -> tuple[Source, ...]:
    """Return the results behind a cell, or those of all parts of an average; empty where one is missing."""
    if system not in settings.systems:
        return ()
    average = structure().tables[settings.table].averages.get(column)
    whole = average is None or settings.benchmark or settings.column(system, column)
    parts = [column] if whole else list(structure().parts[str(average)])
    measured = _tables().quantity(_tables().rows[settings.table, system], column)
    found = []
    for part in parts:
        run = _public_runs().get(Quantity(measured.setting, measured.system, part))
        found.append(list(_of_part(configuration, settings, system, part, run)))
    return tuple(dict.fromkeys(source for part in found for source in part)) if all(found) else ()


def _of_part(
    configuration: Configuration, settings: PaperTable, system: str, column: str, run: str | None
) -> Iterator[Source]:
    """Yield the results behind one column, if it is configured and selected."""
    row, where = settings.systems[system], settings.column(system, column)
    benchmark = settings.benchmark or (where.benchmark if where else None)
    public = run_entry(run).dataset if run is not None else None
    if benchmark:
        model: str | None = getattr(configuration.rerankers[row.reranker], "model", None)
        if model is not None and configuration.selects("*", row.reranker):
            for task in tasks_of(benchmark, column if settings.benchmark else "avg"):
                yield TaskSource(model, task, benchmark)
    elif where is None:
        if public and configuration.runs_on(public) and configuration.selects("*", row.reranker):
            yield RunSource(None, run)
    else:
        dataset, first_stage = (
            str(where.dataset),
            row.first_stage or where.first_stage or settings.first_stage,
        )
        if (
            first_stage
            and configuration.runs_on(dataset)
            and configuration.selects(first_stage, row.reranker)
        ):
            key = (dataset, first_stage, row.reranker)
            if not where.phase:
                yield RunSource(key, run if public == dataset else None)
            elif configuration.timed_by(*key):
                yield LatencySource(key, where.phase)
