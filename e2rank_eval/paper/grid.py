"""A table of the paper as the configuration maps it: every printed cell with the results that give it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from e2rank_eval.config import (
    ColumnSettings,
    Configuration,
    SystemSettings,
    TableArtefact,
    line_of,
    stand_in,
)
from e2rank_eval.errors import InputError
from e2rank_eval.paper import published
from e2rank_eval.paper.mteb_tasks import tasks_of
from e2rank_eval.paper.published import PublishedCell
from e2rank_eval.paper.quantities import Quantity, Tables
from e2rank_eval.paper.reproduction import quantities
from e2rank_eval.paper.structure import TableStructure, structure
from e2rank_eval.paper.trained_models import training_command

PUBLISHED_ONLY = "another's system: no reranker is configured for this row"


@dataclass(frozen=True, slots=True)
class RunSource:
    """nDCG@10 of one run; ``published_run`` names a public run of the registry that gives it as well.

    All other fields are empty where only that one does.
    """

    dataset: str
    first_stage: str
    reranker: str
    published_run: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.dataset, self.first_stage, self.reranker


@dataclass(frozen=True, slots=True)
class LatencySource:
    """Mean seconds per query of one phase (documents, others, total), documents encoded online."""

    dataset: str
    first_stage: str
    reranker: str
    phase: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.dataset, self.first_stage, self.reranker


@dataclass(frozen=True, slots=True)
class TaskSource:
    """The main score of a model on one task of MTEB; ``benchmark`` is the one that the table is of."""

    model: str
    task: str
    benchmark: str


Source = RunSource | LatencySource | TaskSource


@dataclass(frozen=True, slots=True)
class GridCell:
    """One printed cell. Ours is the mean over ``sources``; where there are none, ``needs`` says why."""

    system: str
    column: str
    published: PublishedCell | None
    sources: tuple[Source, ...]
    needs: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """``cells`` are row by row in print order; with ``stand_ins`` ours are of other systems and data."""

    id: str
    settings: TableArtefact
    meaning: TableStructure
    columns: tuple[str, ...]
    systems: tuple[str, ...]
    cells: tuple[GridCell, ...]
    stand_ins: bool

    @property
    def unit(self) -> str:
        return next(cell.published.unit for cell in self.cells if cell.published is not None)

    def sources(self) -> list[Source]:
        """Every result that the table is made of, each once."""
        return list(dict.fromkeys(source for cell in self.cells for source in cell.sources))


def grid(configuration: Configuration, name: str, origin: str = "") -> Grid:
    """The grid of table artefact ``name``.

    Raises
    ------
    InputError
        When the paper has no such table, or the table no such row or column.
    """
    settings = configuration.artefacts[name]
    assert isinstance(settings, TableArtefact)
    cells = published.table(settings.table)
    columns = tuple(dict.fromkeys(cell.column for cell in cells))
    systems = tuple(dict.fromkeys(cell.system for cell in cells))
    baseline = {settings.baseline: None} if settings.baseline else {}
    for row in [*settings.systems, *baseline]:
        if row not in systems:
            raise InputError(
                f"artefacts.{name}: table {settings.table} has no row {row!r}",
                path=origin or None, line=line_of(origin, ["artefacts", name, "systems", row]),
                hint=f"known: {', '.join(systems)}",
            )  # fmt: skip
    resolver = _Resolver(configuration, settings)
    found = tuple(resolver.cell(system, column) for system in systems for column in columns)
    meaning = structure().tables[settings.table]
    return Grid(name, settings, meaning, columns, systems, found, configuration.stand_ins is not None)


@cache
def _tables() -> Tables:
    return Tables(published.cells(), structure())


class _Resolver:
    """Finds the sources of a table's cells."""

    def __init__(self, configuration: Configuration, settings: TableArtefact) -> None:
        self._configuration = configuration
        self._settings = settings
        self._meaning = structure().tables[settings.table]
        self._commands: dict[str, str | None] = {}
        self._runs = {quantity: run for run, quantity in quantities().items() if quantity is not None}

    def cell(self, system: str, column: str) -> GridCell:
        row = _tables().rows[self._settings.table, system]
        printed = row.cells.get(column)
        given = self._settings.systems.get(system)
        settings = SystemSettings(reranker=given) if isinstance(given, str) else given
        if settings is None or settings.needs is not None:
            return GridCell(system, column, printed, (), settings.needs or "" if settings else PUBLISHED_ONLY)
        if command := self._untrained(settings):
            return GridCell(system, column, printed, (), f"a checkpoint that is trained here: {command}")
        try:
            quantity = _tables().quantity(row, column)
            sources = tuple(
                source
                for part in self._parts(settings, column)
                for source in self._sources(settings, part, Quantity(quantity.setting, quantity.system, part))
            )
        except LookupError as missing:
            return GridCell(system, column, printed, (), str(missing.args[0]))
        # Several collections may have one stand-in, which counts once.
        return GridCell(system, column, printed, tuple(dict.fromkeys(sources)))

    def _untrained(self, settings: SystemSettings) -> str | None:
        """The command that trains the row's model, where it has yet to be trained."""
        model = self._model(settings)
        if model is not None and model not in self._commands:
            self._commands[model] = training_command(self._configuration, model)
        return None if model is None else self._commands[model]

    def _model(self, settings: SystemSettings) -> str | None:
        model: str | None = getattr(self._configuration.rerankers[str(settings.reranker)], "model", None)
        return model

    def _parts(self, settings: SystemSettings, column: str) -> list[str]:
        """The columns that ``column`` averages; itself where it is configured or no average."""
        known = {**self._settings.columns, **settings.columns}
        parts = self._meaning.averages.get(column)
        if column in known or parts is None or self._settings.benchmark:
            return [column]
        return list(structure().parts[parts])

    def _sources(self, settings: SystemSettings, column: str, quantity: Quantity) -> Iterator[Source]:
        if self._settings.benchmark:
            yield from self._tasks(settings, self._settings.benchmark, column)
            return
        given = settings.columns.get(column) or self._settings.columns.get(column)
        run = None if self._configuration.stand_ins else self._runs.get(quantity)
        if given is None and run is not None:
            yield RunSource("", "", "", run)
            return
        if given is None:
            raise LookupError(f"no data set is configured for {column}")
        where = ColumnSettings(dataset=given) if isinstance(given, str) else given
        if where.benchmark is not None:
            yield from self._tasks(settings, where.benchmark, "avg")
            return
        first_stage = settings.first_stage or where.first_stage or self._settings.first_stage
        if first_stage is None:
            raise LookupError(f"no first stage is configured for {column}")
        key = (str(where.dataset), first_stage, str(settings.reranker))
        if where.phase is not None:
            yield LatencySource(*key, where.phase)
        else:
            yield RunSource(*key, run)

    def _tasks(self, settings: SystemSettings, benchmark: str, column: str) -> Iterator[Source]:
        model = self._model(settings)
        if model is None:
            raise LookupError(f"reranker {settings.reranker} has no model to embed with")
        stand_ins = self._configuration.stand_ins
        patterns = stand_ins.tasks if stand_ins else {}
        for task in dict.fromkeys(stand_in(task, patterns) for task in tasks_of(benchmark, column)):
            yield TaskSource(model, task, benchmark)
