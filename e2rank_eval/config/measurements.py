"""Settings of what is measured and shown: comparisons, latency, mteb tasks, tables and figures."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import Name, Strict, alone
from e2rank_eval.registry import Registry, nearest


def known(where: str, names: Collection[str], entries: Collection[str]) -> None:
    """Raise ValueError for a name that is not in ``entries``; the hint names the nearest, or else all."""
    for name in names:
        if name not in entries:
            details = {"problem": f"{where}: unknown name {name!r}", "hint": nearest(name, entries)}
            raise PydanticCustomError("unknown_name", "{problem}", details)


def distinct(names: list[str]) -> list[str]:
    """Return ``names``; raise ValueError where one is repeated."""
    repeated = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if repeated is not None:
        raise ValueError(f"{repeated!r} is named twice")
    return names


Names = Annotated[list[Name], AfterValidator(distinct)]
"""Names, each once."""

RunKey = tuple[str, str, str]
"""(data set, first stage, reranker)."""


class PublishedRows(Strict):
    """Rows of a table of the paper, shown below a comparison."""

    table: str = Field(description="number of the table in the paper")
    systems: Annotated[list[str], AfterValidator(distinct)] = Field(min_length=1, description="rows to show")
    columns: dict[Name, str] = Field(min_length=1, description="data set or group -> published column")
    other_candidates: Names = Field([], description="data sets for which the paper reranked other candidates")

    @model_validator(mode="after")
    def _other_candidates_are_shown(self) -> PublishedRows:
        known("other_candidates", self.other_candidates, self.columns)
        return self


class ComparisonSettings(Strict):
    """Systems compared on the same queries and candidates, each tested against the baselines."""

    title: str
    datasets: Names = Field(min_length=1)
    first_stage: Name
    rerankers: Names = Field(min_length=1)
    baselines: Names = Field(min_length=1)
    groups: dict[Name, str] = Field(
        {}, description="column -> pattern of the data sets that it averages, such as cqadupstack-*"
    )
    published: PublishedRows | None = None
    note: str = ""

    @property
    def columns(self) -> dict[str, list[str]]:
        """Column -> its data sets, in order: one data set, or all those of a group."""
        found: dict[str, list[str]] = {}
        for dataset in self.datasets:
            groups = (name for name, pattern in self.groups.items() if fnmatchcase(dataset, pattern))
            found.setdefault(next(groups, dataset), []).append(dataset)
        return found

    @property
    def runs(self) -> list[RunKey]:
        """The runs that are compared: every reranker on every data set."""
        return [(dataset, self.first_stage, one) for dataset in self.datasets for one in self.rerankers]

    @model_validator(mode="after")
    def _baselines_are_compared(self) -> ComparisonSettings:
        known("baselines", self.baselines, self.rerankers)
        for name, pattern in self.groups.items():
            if name in self.datasets or name not in self.columns:
                raise ValueError(
                    f"groups.{name}: a data set has this name, or {pattern!r} matches no data set"
                )
        if self.published:
            known("published.columns", self.published.columns, self.columns)
        return self


class CostSweepSettings(Strict):
    """A sweep of cost along one axis at a time; all other settings of a system stay."""

    candidates: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        [], description="numbers of candidates to rerank; at most the depth of the first stage"
    )
    prompt_documents: list[Annotated[int, Field(ge=0, le=1000)]] = Field(
        [], description="numbers of documents in the prompt, E2Rank only; 0: the plain query"
    )
    batch: list[Annotated[int, Field(ge=1, le=1000)]] = Field(
        [], description="numbers of queries that are ranked together"
    )
    samples: int = Field(3, ge=1, description="timed rounds at each point")
    warm_up: int = Field(1, ge=0, le=100, description="untimed rounds at each point")
    document_vectors: list[Literal["online", "stored"]] = Field(["online", "stored"], min_length=1)

    @property
    def depths(self) -> dict[str, list[int]]:
        """Axis -> points of the swept axes that change the cost of one query."""
        axes = {"candidates": self.candidates, "prompt_documents": self.prompt_documents}
        return {axis: points for axis, points in axes.items() if points}

    @field_validator("candidates", "prompt_documents", "batch")
    @classmethod
    def _ascending(cls, points: list[int]) -> list[int]:
        if points != sorted(set(points)):
            raise ValueError("name each point once, in ascending order")
        return points

    @model_validator(mode="after")
    def _has_an_axis(self) -> CostSweepSettings:
        if not (self.candidates or self.prompt_documents or self.batch):
            raise ValueError("a sweep needs candidates, prompt_documents or batch")
        return self


class LatencySettings(Strict):
    """Systems that are timed in turns on the same queries, and the number of rounds."""

    dataset: Name
    first_stage: Name
    rerankers: Names = Field(min_length=1)
    samples: int = Field(
        50, ge=1, description="timed rounds of one query each; queries repeat where there are fewer"
    )
    warm_up: int = Field(2, ge=1, le=100, description="untimed rounds before the timed ones")
    budget: float = Field(
        600, gt=0, description="seconds after which no further round or point of the sweep begins"
    )
    quality: bool = Field(
        True, description="also evaluate the systems, and draw quality against latency; false: only time them"
    )
    sweep: CostSweepSettings | None = Field(None, description="cost sweep, timed after the rounds")

    @property
    def runs(self) -> list[RunKey]:
        """The runs that are timed."""
        return [(self.dataset, self.first_stage, one) for one in self.rerankers]


class MtebSettings(Strict):
    """Models and rerankers that are evaluated on tasks of mteb, each in its own job."""

    title: str
    benchmark: str | None = Field(
        None, description="name in mteb, or local: the tasks of this suite; null: only the given tasks"
    )
    tasks: Annotated[list[str], AfterValidator(distinct)] = Field(
        [], description="tasks of the benchmark, or local tasks; empty: all tasks of the benchmark"
    )
    models: Annotated[list[Reference], AfterValidator(distinct)] = Field([], description="encoders")
    rerankers: Names = Field([], description="rerankers of this file, for retrieval and reranking tasks")
    first_stage: Reference | None = Field(
        None, description="encoder that retrieves the rerankers' candidates; null: the task's candidates"
    )
    depth: int = Field(100, ge=1, le=10_000, description="candidates that are reranked per query")
    instructions: Path | None = Field(
        None, description="YAML file of task -> instruction, which takes precedence over mteb's instructions"
    )
    keep_vectors: bool = Field(
        True, description="false: vectors are not stored; for corpora of millions of documents"
    )
    paper_table: Literal["4", "15", "20"] | None = Field(
        None, description="table of the paper whose values are shown next to ours"
    )

    @model_validator(mode="after")
    def _something_to_run(self) -> MtebSettings:
        if self.benchmark is None and not self.tasks:
            raise ValueError("give a benchmark or tasks")
        if not self.systems:
            raise ValueError("give models or rerankers")
        if shared := set(self.models) & set(self.rerankers):
            raise ValueError(f"{min(shared)!r} is both a model and a reranker")
        return self

    @property
    def systems(self) -> list[str]:
        return [*self.models, *self.rerankers]


class ColumnSettings(Strict):
    """One published column: nDCG@10 on a data set, a phase of its latency, or the mean of a benchmark."""

    dataset: Name | None = None
    first_stage: Name | None = Field(None, description="by default that of the table")
    phase: Literal["documents", "others", "total"] | None = Field(
        None,
        description="mean seconds per query, with documents encoded online; others: total less documents",
    )
    benchmark: str | None = Field(
        None, description="name in mteb; the column is the mean of its tasks for the row's model"
    )

    @model_validator(mode="after")
    def _one_quantity(self) -> ColumnSettings:
        if (self.dataset is None) == (self.benchmark is None):
            raise ValueError("give dataset or benchmark")
        return self


AnyColumn = Annotated[ColumnSettings, alone("dataset", ColumnSettings)]


class RowSettings(Strict):
    """One published row: its reranker, and settings that differ from those of the table."""

    reranker: Name
    first_stage: Name | None = Field(None, description="takes precedence over the column's and the table's")
    columns: dict[str, AnyColumn] = Field({}, description="take precedence over those of the table")


AnyRow = Annotated[RowSettings, alone("reranker", RowSettings)]


class PaperTable(Strict):
    """A table of the paper: the data sets and rerankers that reproduce its published columns and rows.

    Rows without an entry show only their published values. A column that the paper does not print is part
    of a printed average.
    """

    table: str = Field(description="number of the table in the paper")
    first_stage: Name | None = None
    columns: dict[str, AnyColumn] = Field(
        {}, description="published column -> data set; averages of other columns need no entry"
    )
    benchmark: str | None = Field(
        None, description="name in mteb of the benchmark whose tasks or categories are the columns"
    )
    systems: dict[str, AnyRow] = Field({}, description="published row -> reranker")
    baseline: str | None = Field(None, description="row that all other rows are tested against")
    note: str = ""

    def column(self, system: str, column: str) -> ColumnSettings | None:
        """Return the settings of a published column in a row, or else in the table; None without any."""
        row = self.systems.get(system)
        return (row.columns.get(column) if row else None) or self.columns.get(column)

    def names(self) -> dict[str, list[str]]:
        """Return section -> names in this table that must be entries of that section."""
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
    """A kind of figure: ``needs`` are the keys that its entries must have besides ``figure`` and ``title``.

    ``of`` is the section of the configuration in which the entry's key ``of`` names an entry.
    """

    needs: tuple[str, ...] = ("datasets", "first_stage", "rerankers")
    of: str = ""


FIGURE_KINDS: Registry[FigureKind] = Registry("figure", "e2rank_eval.report.figures")
"""The kinds of figures that a configuration can declare, each registered by the module that draws it."""


class PaperFigure(Strict):
    """A figure of stored results; the paper publishes no values of its figures."""

    figure: str = Field(description="a kind of figure, such as sweep or difficulty")
    title: str = ""
    of: Name | None = Field(None, description="the latency entry, comparison or table to draw")
    column: str | None = Field(None, description="bars: the column of the table")
    datasets: list[Name] = Field([])
    first_stage: Name | None = None
    rerankers: list[Name] = Field([])
    against: Name | None = Field(None, description="reranker that all others are compared with")
    points: dict[int, Name] = Field({}, description="sweep: number of prompt documents -> reranker")

    @field_validator("points")
    @classmethod
    def _several_systems(cls, points: dict[int, str]) -> dict[int, str]:
        if len(distinct(list(points.values()))) == 1:
            raise ValueError("a sweep needs two points or more")
        return points

    @model_validator(mode="after")
    def _keys_of_its_kind(self) -> PaperFigure:
        known("figure", [self.figure], FIGURE_KINDS)
        kind = FIGURE_KINDS[self.figure]
        given = {key for key in type(self).model_fields if getattr(self, key)} - {"figure", "title"}
        if given != set(kind.needs) or not (self.title or kind.of):
            needed = kind.needs if kind.of else ("title", *kind.needs)
            raise ValueError(f"{self.figure} needs {', '.join(needed)}, and no other key")
        return self

    @property
    def section(self) -> str:
        """The section of the configuration in which ``of`` names an entry; empty for kinds without ``of``."""
        return FIGURE_KINDS[self.figure].of

    @property
    def systems(self) -> list[str]:
        """The rerankers that are shown or compared with, each once."""
        against = [self.against] if self.against else []
        return list(dict.fromkeys([*against, *self.rerankers, *self.points.values()]))

    @property
    def runs(self) -> list[RunKey]:
        """The runs that it shows, where it has no ``of``: every system on every data set."""
        return [(dataset, str(self.first_stage), one) for dataset in self.datasets for one in self.systems]
