"""Typed records of all stored results, for the commands that write them and for all readers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_json, write_json
from e2rank_eval.store.shown import Shown

if TYPE_CHECKING:
    from pandas import DataFrame

Interval = tuple[float, float]
"""Bootstrap 95 % interval, in the unit of its value."""

ModeName = Literal["online", "stored"]
"""Whether document vectors are computed within the measured time, or encoded before it."""

Clock = Literal["cpu", "wall"]
"""CPU time of all threads of the process, which other load hardly affects, or wall time."""

MACRO = "macro-average"
"""The data set name of the rows over all data sets of a comparison."""


class Record(BaseModel):
    """A frozen record; unknown keys are ignored, missing or mistyped ones are errors."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class QueryCounts(Record):
    """Queries of the judgements (``qrels``) and of the ``run``, and how they differ.

    ``ignored`` are queries of the run without judgements, ``unanswered`` judged queries missing from the run,
    which count as 0; ``repeated`` counts repeated judgements.
    """

    qrels: int
    run: int
    ignored: tuple[str, ...]
    unanswered: tuple[str, ...]
    repeated: int


class Metrics(Shown, Record):
    """Effectiveness of one run, with values from 0 to 1; ``per_query[measure][query_id]``.

    ``dataset``, ``first_stage`` and ``reranker`` are empty for a run outside of a configuration. ``failed``
    are the queries that kept their first-stage order after an error; ``ceiling`` is the mean for the best
    order of the same documents.
    """

    dataset: str
    first_stage: str
    reranker: str
    measures: tuple[str, ...]
    queries: QueryCounts
    ties: int
    failed: tuple[str, ...]
    seed: int
    mean: dict[str, float]
    ceiling: dict[str, float]
    interval: dict[str, Interval]
    per_query: dict[str, dict[str, float]]

    def frame(self) -> DataFrame:
        """Return one row for each measure; ``best order`` ranks the same documents by grade."""
        import pandas as pd

        values = {m: (self.mean[m], *self.interval[m], self.ceiling[m]) for m in self.measures}
        frame = pd.DataFrame.from_dict(values, orient="index", columns=["mean", "low", "high", "best order"])
        return 100 * frame

    def notes(self) -> list[str]:
        """Return the numbers of missing, ignored and failed queries, and of ties, where there are any."""
        queries = self.queries
        counted = {
            "queries missing from the run, counted as zero": queries.unanswered,
            "queries of the run without judgements, ignored": queries.ignored,
            "failed queries, kept in first-stage order": self.failed,
        }
        notes = [f"{what}: {len(ids)} ({_first(ids)})" for what, ids in counted.items() if ids]
        if queries.repeated:
            notes.append(f"repeated judgements, counted once: {queries.repeated}")
        if self.ties:
            notes.append(f"tied scores, broken by document id as in trec_eval: {self.ties}")
        if not any(self.ceiling.values()):
            notes.append("no document of the run is relevant; check that both files have the same ids")
        return notes


def _first(ids: Sequence[str], most: int = 10) -> str:
    return ", ".join(ids[:most]) + (", ..." if len(ids) > most else "")


class SystemRow(Record):
    """One system's mean on a data set, a group of data sets, or all of them (:data:`MACRO`)."""

    dataset: str
    reranker: str
    queries: int
    mean: float
    interval: Interval


class TestRow(Record):
    """One paired test; ``difference`` is reranker minus baseline, p values are None with too few queries.

    ``detectable`` is the minimum detectable difference; None over several data sets.
    """

    __test__ = False

    dataset: str
    reranker: str
    baseline: str
    queries: int
    difference: float
    p_randomisation: float | None
    p_t: float | None
    p_holm: float | None
    effect_size: float | None
    detectable: float | None
    wins: int
    ties: int
    losses: int


class Comparison(Shown, Record):
    """Systems compared on the same queries; ``first_stage`` is empty for external runs.

    ``groups`` are columns that show the macro-average of several data sets.
    """

    title: str
    note: str
    first_stage: str
    measure: str
    baselines: tuple[str, ...]
    rerankers: tuple[str, ...]
    datasets: tuple[str, ...]
    groups: dict[str, tuple[str, ...]] = {}
    permutations: int
    seed: int
    systems: tuple[SystemRow, ...]
    tests: tuple[TestRow, ...]

    @property
    def columns(self) -> dict[str, tuple[str, ...]]:
        """The data sets of each column, in order, except the column over all data sets."""
        names = dict.fromkeys(row.dataset for row in self.systems if row.dataset != MACRO)
        return {name: self.groups.get(name, (name,)) for name in names}

    @property
    def overall(self) -> dict[str, SystemRow]:
        """Each reranker's row over all data sets, or on the only one."""
        last = self.systems[-1].dataset
        return {row.reranker: row for row in self.systems if row.dataset == last}

    def frame(self) -> DataFrame:
        """Return one row for each data set and system, with differences to the baselines and Holm's p."""
        import pandas as pd

        rows = []
        for one in self.systems:
            low, high = one.interval
            row = {"dataset": one.dataset, "system": one.reranker, "mean": 100 * one.mean}
            row |= {"low": 100 * low, "high": 100 * high}
            for test in self.tests:
                if (test.dataset, test.reranker) == (one.dataset, one.reranker):
                    row[f"vs {test.baseline}"] = 100 * test.difference
                    row[f"p vs {test.baseline}"] = test.p_holm
            rows.append(row)
        return pd.DataFrame(rows).set_index(["dataset", "system"])

    def notes(self) -> list[str]:
        return [self.note] if self.note else []


class Timing(Record):
    """Seconds of a system in one mode by phase and sample, with ``total`` for all; token counts per query.

    ``wall`` is wall time, ``cpu`` CPU time of all threads. ``tokenising`` is a share of the total,
    ``peak_share`` a share of the device's measured peak rate; ``flops`` and ``peak_share`` are None where the
    model's shape is unknown.
    """

    reranker: str
    mode: ModeName
    wall: dict[str, tuple[float, ...]]
    cpu: dict[str, tuple[float, ...]]
    tokenising: float
    prompt_tokens: float
    document_tokens: float
    output_tokens: float
    candidates: float
    flops: float | None = None
    peak_share: float | None = None


class CostPoint(Record):
    """One point of a sweep, with the seconds of each call, which ranks one query (axis batch: ``value``)."""

    axis: Literal["candidates", "prompt_documents", "batch"]
    value: int
    reranker: str
    mode: ModeName
    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def queries_per_second(self) -> float:
        return (self.value if self.axis == "batch" else 1) * len(self.wall) / sum(self.wall)


class Latency(Record):
    """Times of the systems of one entry, measured in turns: samples i are of the same query and round.

    Ratios are of the seconds that ``clock`` names. ``rounds`` of ``wanted`` rounds over ``queries`` queries
    were completed within ``budget`` seconds; ``skipped`` are points of the sweep beyond the budget.
    ``passive_waits`` says whether waiting threads slept (``OMP_WAIT_POLICY=passive``), ``busy`` describes the
    load of other processes. Memory and loading time are totals over all systems.
    """

    dataset: str
    first_stage: str
    clock: Clock
    queries: int
    rounds: int
    wanted: int
    budget: float
    timings: tuple[Timing, ...]
    sweep: tuple[CostPoint, ...]
    skipped: tuple[str, ...]
    load_seconds: float
    peak_memory_bytes: int | None
    device: str
    threads: int
    passive_waits: bool
    busy: str | None

    def seconds(self, timing: Timing) -> tuple[float, ...]:
        """Return the total seconds of each sample by ``clock``."""
        return (timing.cpu if self.clock == "cpu" else timing.wall)["total"]


class TaskMean(Record):
    """``value`` over ``scored`` of ``wanted`` tasks; None where none is scored."""

    value: float | None
    scored: int
    wanted: int

    @property
    def complete(self) -> bool:
        return self.scored == self.wanted

    def text(self) -> str:
        """Return the mean as text, with the number of tasks; marked if it is over a part of them.

        >>> [TaskMean(value=81.0, scored=2, wanted=wanted).text() for wanted in (2, 3)]
        ['81.00 (2 of 2)', '81.00 (only 2 of 3)']
        """
        if self.value is None:
            return f"– (0 of {self.wanted})"
        return f"{self.value:.2f} ({'' if self.complete else 'only '}{self.scored} of {self.wanted})"


class MtebTask(Record):
    """One task of an mteb record: ``score`` is mteb's main score x 100, the mean over splits and subsets.

    Seconds and tokens are totals over all attempts at the task; None for a result that was already stored.
    ``failure`` is the reason for a missing score.
    """

    task: str
    type: str
    score: float | None = None
    seconds: float | None = None
    texts: int | None = None
    tokens: int | None = None
    truncated: int | None = None
    forward_tokens: int | None = None
    failure: str | None = None


class MtebMeans(Record):
    """Means of an mteb record.

    ``tasks`` is over tasks (mteb's "Mean (Task)", the paper's "Avg."), ``by_type`` over the tasks of each
    type, and ``types`` over these means (mteb's "Mean (TaskType)").
    """

    tasks: TaskMean
    types: TaskMean
    by_type: dict[str, TaskMean]
    missing: tuple[str, ...]


class MtebRecord(Record):
    """One model or reranker on the tasks of an mteb entry."""

    system: str
    name: str
    revision: str
    benchmark: str | None
    tasks: tuple[MtebTask, ...]
    means: MtebMeans


class Manifest(Record):
    """How one output file was made; differs between machines and runs."""

    file: str
    sha256: str
    command: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    versions: dict[str, str]
    hardware: dict[str, Any]
    started: str
    seconds: float


class Spread(Record):
    min: float
    median: float
    mean: float
    max: float


class Statistics(Record):
    """Statistics of a data set; ``grades`` counts judgements by grade."""

    words_per_document: Spread
    words_per_query: Spread
    tokens_per_document: Spread
    tokens_per_query: Spread
    judgements_per_query: Spread
    grades: dict[str, int]


class DatasetDescription(Record):
    """The description of a stored data set; ``show_text`` says whether its texts may be published."""

    id: str
    title: str
    documents: int
    queries: int
    judgements: int
    licence: str
    show_text: bool
    left_out: dict[str, int]
    findings: dict[str, int]
    statistics: Statistics


Kind = TypeVar("Kind", bound=Record)


def as_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON-ready dictionaries and lists."""
    return record.model_dump(mode="json")


def write_record(path: Path, record: Record) -> None:
    """Write a record as indented JSON with sorted keys; raises ValueError for NaN."""
    write_json(path, as_json(record))


def read_record(path: Path, kind: type[Kind]) -> Kind:
    """Read a record that :func:`write_record` wrote.

    Raises
    ------
    InputError
        When the file is missing, is not JSON or lacks a field of ``kind``.
    """
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{key}: {first['msg']}", path=path, hint="make this file again") from error
