"""Tables of one mteb entry: means by task type (the paper's table 4), and scores by task (its table 15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.config.references import file_name
from e2rank_eval.mteb_suite.summary import published_scores, summarise
from e2rank_eval.paper import published as paper
from e2rank_eval.report.table import Cell, Heading, Table
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store import layout as places

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import MtebRecord, TaskMean

_SOURCE = "Published rows: embeddings-benchmark/results at f4cc6c8b, one row for each revision of a model."
_PARTIAL = "A mean over only some tasks shows their number; it is not comparable with a mean over all tasks."


@dataclass(frozen=True, slots=True)
class _Row:
    """One row: our, published or the paper's scores x 100 by task."""

    name: str
    scores: Mapping[str, float]
    tags: tuple[str, ...] = ()


def _inputs(configuration: Configuration, name: str) -> list[str]:
    systems = configuration.mteb[name].systems
    return [places.MTEB_RECORD.format(entry=name, system=file_name(system)) for system in systems]


@TABLES.register("mteb", "mteb", _inputs, "mteb-{}")
def mteb_table(results: Results, entry: str) -> Table:
    """Means of mteb's main scores × 100 by task type, over tasks and over types, with those of the paper and
    of published results on the same tasks.
    """
    records = _records(results, entry)
    wanted = _wanted(records)
    kinds = sorted(set(wanted.values()))
    rows: list[tuple[Cell | str | float | None, ...]] = []
    published = _published(wanted)
    for one in [*_ours(records), *_paper_by_task(results, entry), *published]:
        summary = summarise(wanted, one.scores)
        means = [summary.by_type[kind] for kind in kinds]
        cells = map(_mean, [*means, summary.tasks, summary.types])
        scored = f"{summary.tasks.scored} of {len(wanted)}"
        rows.append((Cell(one.name, tags=one.tags), *cells, scored))
    for name, values in _paper_by_type(results, entry).items():
        printed = [values.get(column) for column in [*map(_column, kinds), "avg"]]
        rows.append((Cell(name, tags=("paper",)), *printed, None, None))
    counts = [sum(kind == one for one in wanted.values()) for kind in kinds]
    columns: tuple[Heading, ...] = (
        "system",
        *((f"{kind} ({count})", "score") for kind, count in zip(kinds, counts, strict=True)),
        (f"mean over tasks ({len(wanted)})", "score"),
        (f"mean over types ({len(kinds)})", "score"),
        "tasks scored",
    )
    notes = ("mteb's main scores x 100.", _PARTIAL, *_missing(records), *([_SOURCE] if published else []))
    return Table.of(f"mteb-{entry}", _title(results, entry), columns, rows, notes)


@TABLES.register("mteb-tasks", "mteb", _inputs, "mteb-{}-tasks")
def mteb_tasks_table(results: Results, entry: str) -> Table:
    """mteb's main score × 100 on every task, with the paper's value where it has the task."""
    records = _records(results, entry)
    wanted = _wanted(records)
    shown = [*_ours(records), *_paper_by_task(results, entry)]
    rows: list[tuple[Cell | str | float | None, ...]] = [
        (task, kind, *(one.scores.get(task) for one in shown)) for task, kind in wanted.items()
    ]
    means = [_mean(summarise(wanted, one.scores).tasks) for one in shown]
    rows.append(("mean over tasks", None, *means))
    headings = [(" ".join((one.name, *(f"({tag})" for tag in one.tags))), "score") for one in shown]
    notes = ("mteb's main scores x 100.", _PARTIAL, *_missing(records))
    title = f"{_title(results, entry)}: by task"
    columns: tuple[Heading, ...] = ("task", "type", *headings)
    return Table.of(f"mteb-{entry}-tasks", title, columns, rows, notes)


def _records(results: Results, entry: str) -> list[MtebRecord]:
    return [results.mteb(entry, system) for system in results.configuration.mteb[entry].systems]


def _title(results: Results, entry: str) -> str:
    return results.configuration.mteb[entry].title


def _wanted(records: Sequence[MtebRecord]) -> dict[str, str]:
    return {task.task: task.type for record in records for task in record.tasks}


def _ours(records: Sequence[MtebRecord]) -> list[_Row]:
    return [
        _Row(record.system, {task.task: task.score for task in record.tasks if task.score is not None})
        for record in records
    ]


def _published(wanted: Mapping[str, str]) -> list[_Row]:
    """Return the published rows that have a score on any of the tasks."""
    return [
        _Row(f"{row.model} @ {row.revision[:12]}", row.scores, ("published",))
        for row in published_scores()
        if wanted.keys() & row.scores.keys()
    ]


def _paper_by_task(results: Results, entry: str) -> list[_Row]:
    """Return the rows of the paper's tables 15 and 20, whose columns are tasks."""
    number = results.configuration.mteb[entry].paper_table
    rows = paper.values(number) if number and number != "4" else {}
    return [_Row(name, means, ("paper",)) for name, means in rows.items()]


def _paper_by_type(results: Results, entry: str) -> dict[str, dict[str, float]]:
    """Return the rows of the paper's table 4, whose columns are types."""
    return paper.values("4") if results.configuration.mteb[entry].paper_table == "4" else {}


def _column(kind: str) -> str:
    """Return the paper's name of a task type.

    >>> _column("PairClassification"), _column("STS")
    ('pair-classification', 'sts')
    """
    return "pair-classification" if kind == "PairClassification" else kind.lower()


def _mean(mean: TaskMean) -> Cell:
    partial = mean.value is not None and not mean.complete
    return Cell(mean.value, tags=(f"{mean.scored} of {mean.wanted}",) if partial else ())


def _missing(records: Sequence[MtebRecord]) -> list[str]:
    return [
        f"{one.system} lacks {len(missing)} of {len(one.tasks)} tasks: {', '.join(missing)}."
        for one in records
        if (missing := one.means.missing)
    ]
