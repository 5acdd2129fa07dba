"""Settings of the paper's tables and figures, and of further analyses: what each shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from e2rank_eval.config.measurements import RunKey
from e2rank_eval.config.systems import Name, Strict
from e2rank_eval.registry import Registry


def _name_alone(key: str, kind: Any) -> BeforeValidator:
    """Let a name stand for settings of ``kind`` whose ``key`` it is."""
    return BeforeValidator(
        lambda given: {key: given} if isinstance(given, str) else given, json_schema_input_type=str | kind
    )


class ColumnSettings(Strict):
    """One published column: nDCG@10 on a data set, a phase of its latency, or the mean of a benchmark."""

    dataset: Name | None = None
    first_stage: Name | None = Field(None, description="the table's when absent")
    phase: Literal["documents", "others", "total"] | None = Field(
        None, description="mean seconds per query, documents encoded online; others: all but documents"
    )
    benchmark: str | None = Field(
        None, description="as mteb names it; the mean of its tasks for the system's model"
    )

    @model_validator(mode="after")
    def _one_quantity(self) -> ColumnSettings:
        if (self.dataset is None) == (self.benchmark is None):
            raise ValueError("give dataset or benchmark")
        return self


AnyColumn = Annotated[ColumnSettings, _name_alone("dataset", ColumnSettings)]


class RowSettings(Strict):
    """One published row: which reranker makes it, and where it departs from the table's settings."""

    reranker: Name
    first_stage: Name | None = Field(None, description="takes precedence over the column's and the table's")
    columns: dict[str, AnyColumn] = Field({}, description="take precedence over those of the table")


AnyRow = Annotated[RowSettings, _name_alone("reranker", RowSettings)]


class PaperTable(Strict):
    """A table of the paper: published columns and rows, and what they are called here.

    Rows that are not named show their published values only. A column that the paper does not print is a
    part of a printed average.
    """

    table: str = Field(description="its number in the paper")
    first_stage: Name | None = None
    columns: dict[str, AnyColumn] = Field(
        {}, description="published column -> data set; columns that are averages of others need no entry"
    )
    benchmark: str | None = Field(
        None, description="as mteb names it: all columns are its tasks or categories"
    )
    systems: dict[str, AnyRow] = Field({}, description="published row -> reranker")
    baseline: str | None = Field(None, description="the row that every other is tested against")
    note: str = ""

    def column(self, system: str, column: str) -> ColumnSettings | None:
        """The settings of a published column in a configured row; None where neither configures it."""
        row = self.systems.get(system)
        return (row.columns.get(column) if row else None) or self.columns.get(column)

    def names(self) -> dict[str, list[str]]:
        """Every name that must be one of the configuration's, by its section."""
        rows = list(self.systems.values())
        columns = [*self.columns.values(), *(column for row in rows for column in row.columns.values())]
        stages = [self.first_stage, *(row.first_stage for row in rows), *(one.first_stage for one in columns)]
        return {
            "datasets": [column.dataset for column in columns if column.dataset],
            "first_stages": [stage for stage in stages if stage],
            "rerankers": [row.reranker for row in rows],
        }


@dataclass(frozen=True, slots=True)
class FigureKind:
    """Which keys an entry of a kind of figure has besides ``figure`` and ``title``, every one of them.

    ``of`` is the section of the configuration that the entry's key of this name names an entry of.
    """

    needs: tuple[str, ...] = ("datasets", "first_stage", "rerankers")
    of: str = ""


FIGURE_KINDS: Registry[FigureKind] = Registry("figure", "e2rank_eval.report.figures")
"""The kinds of figures that a configuration can declare, each registered by the module that draws it."""


class PaperFigure(Strict):
    """A figure of stored results. ``figure`` names the kind; the paper publishes no values of its figures."""

    figure: str = Field(description="a kind of figure, such as sweep or difficulty")
    title: str = ""
    of: Name | None = Field(None, description="a latency entry (frontier) or table (bars)")
    column: str | None = Field(None, description="bars: which column of the table")
    datasets: list[Name] = Field([])
    first_stage: Name | None = None
    rerankers: list[Name] = Field([])
    against: Name | None = Field(None, description="the reranker that all others are compared with")
    points: dict[int, Name] = Field({}, description="sweep: number of prompt documents -> reranker")

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> PaperFigure:
        if self.figure not in FIGURE_KINDS:
            raise ValueError(f"unknown figure {self.figure!r}; known: {', '.join(FIGURE_KINDS)}")
        kind = FIGURE_KINDS[self.figure]
        given = {key for key in type(self).model_fields if getattr(self, key)} - {"figure", "title"}
        if given != set(kind.needs) or not (self.title or kind.of):
            needed = kind.needs if kind.of else ("title", *kind.needs)
            raise ValueError(f"{self.figure} needs {', '.join(needed)}, and no other key")
        return self

    @property
    def section(self) -> str:
        """The section of the configuration that ``of`` names an entry of; empty for other kinds."""
        return FIGURE_KINDS[self.figure].of

    @property
    def systems(self) -> list[str]:
        """The rerankers that are shown or compared with, each once."""
        against = [self.against] if self.against else []
        return list(dict.fromkeys([*against, *self.rerankers, *self.points.values()]))

    @property
    def runs(self) -> list[RunKey]:
        """What it shows and compares with, where it names no entry: every system on every data set."""
        return [(dataset, str(self.first_stage), one) for dataset in self.datasets for one in self.systems]
