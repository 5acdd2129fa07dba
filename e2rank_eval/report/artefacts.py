"""The stored results as typed records: what a metrics, comparison, latency or manifest file says."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]
ModeName = Literal["online", "stored"]


class Artefact(BaseModel):
    """Frozen; keys that a report does not use are passed over, missing or mistyped ones are errors."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class QueryCounts(Artefact):
    qrels: int
    run: int
    unanswered: tuple[str, ...]


class Metrics(Artefact):
    """One run's effectiveness, values from 0 to 1; ``per_query[measure][query_id]``."""

    dataset: str
    first_stage: str
    reranker: str
    measures: tuple[str, ...]
    queries: QueryCounts
    ties: int
    failed: tuple[str, ...]
    mean: dict[str, float]
    interval: dict[str, Interval]
    per_query: dict[str, dict[str, float]]


class SystemRow(Artefact):
    dataset: str
    reranker: str
    queries: int
    mean: float
    interval: Interval


class TestRow(Artefact):
    """One paired test; ``difference`` is reranker minus baseline, p values are None where too few queries.

    ``detectable`` is the smallest difference that the test could be expected to find; files made before
    it was added have none.
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
    detectable: float | None = None
    wins: int
    ties: int
    losses: int


class Comparison(Artefact):
    title: str
    note: str
    first_stage: str
    measure: str
    baselines: tuple[str, ...]
    rerankers: tuple[str, ...]
    datasets: tuple[str, ...]
    permutations: int
    systems: tuple[SystemRow, ...]
    tests: tuple[TestRow, ...]


class Mode(Artefact):
    """Times of one system with documents encoded online or their vectors stored; seconds throughout."""

    samples: int
    warm_up: int
    warm_up_agreed: bool
    seconds: dict[str, tuple[float, ...]]
    percentiles: dict[str, dict[str, float | None]]
    mean: float
    interval: Interval
    queries_per_second: float
    prompt_tokens: float
    document_tokens: float
    output_tokens: float
    peak_memory_bytes: int
    candidates: float
    tokenising: float | None = None
    flops: float | None = None
    peak_share: float | None = None

    @property
    def median(self) -> float:
        """p50 of the total, in seconds; there whatever the number of samples."""
        value = self.percentiles["total"]["p50"]
        assert value is not None
        return value


class CostPoint(Artefact):
    """One point of a sweep; ``seconds`` of each call, which ranks one query or, on axis batch, ``value``."""

    axis: Literal["candidates", "prompt_documents", "batch"]
    value: int
    mode: ModeName
    seconds: tuple[float, ...]
    queries_per_second: float


class Latency(Artefact):
    dataset: str
    first_stage: str
    reranker: str
    modes: dict[ModeName, Mode]
    load_seconds: float
    device: str
    threads: int
    labels: tuple[str, ...]
    resumed: bool
    sweep: tuple[CostPoint, ...] = ()


class MtebTask(Artefact):
    """One task of an mteb record: ``score`` x 100 or None, and what computing it took where known."""

    task: str
    type: str
    score: float | None
    seconds: float | None
    texts: int | None
    tokens: int | None
    truncated: int | None
    forward_tokens: int | None
    failure: str | None


class MtebRecord(Artefact):
    """One model or reranker on the tasks of an mteb entry."""

    system: str
    name: str
    revision: str
    tasks: tuple[MtebTask, ...]
    missing: tuple[str, ...]


class Manifest(Artefact):
    """The volatile facts of how one artefact was made."""

    artefact: str
    sha256: str
    command: str
    settings: dict[str, Any]
    inputs: dict[str, str]
    versions: dict[str, str]
    hardware: dict[str, Any]
    started: str
    seconds: float


class Spread(Artefact):
    min: float
    median: float
    mean: float
    max: float


class Statistics(Artefact):
    words_per_document: Spread
    words_per_query: Spread
    tokens_per_document: Spread
    tokens_per_query: Spread
    judgements_per_query: Spread
    grades: dict[str, int]


class DatasetDescription(Artefact):
    """A stored collection's manifest; ``show_text`` says whether its texts may be shown to others."""

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
