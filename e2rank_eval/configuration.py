"""The experiment configuration (config/*.yaml): its fields, their ranges, and one clear error for a wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from e2rank_eval.errors import InputError

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
"""A name that is also a file name: letters, digits, dot, underscore, hyphen."""


class Strict(BaseModel):
    """Refuses unknown keys and later changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSettings(Strict):
    """Which data set a name stands for: a registry id, a folder in BEIR layout, or a slice of another."""

    id: str | None = Field(
        None, description="registry id; the name itself when neither path nor slice_of is given"
    )
    path: Path | None = Field(
        None, description="folder with corpus.jsonl[.gz], queries.jsonl, qrels/<split>.tsv or qrels.tsv"
    )
    split: str = Field("test", description="which qrels/<split>.tsv of a folder")
    slice_of: Name | None = Field(
        None, description="another data set of this configuration, cut to a few queries"
    )
    queries: int | None = Field(None, ge=1, description="how many queries a slice keeps (seeded sample)")

    @model_validator(mode="after")
    def _one_origin(self) -> DatasetSettings:
        if sum(origin is not None for origin in (self.id, self.path, self.slice_of)) > 1:
            raise ValueError("give one of id, path, slice_of")
        if (self.slice_of is None) != (self.queries is None):
            raise ValueError("slice_of and queries go together")
        return self


class FirstStageSettings(Strict):
    """How candidates are retrieved."""

    retriever: Literal["bm25", "dense"]
    model: Name | None = Field(None, description="registry model, dense only")
    depth: int | None = Field(
        None, ge=1, le=10_000, description="candidates per query; the global depth when absent"
    )
    label: str | None = None
    k1: float = Field(0.9, ge=0)
    b: float = Field(0.4, ge=0, le=1)

    @model_validator(mode="after")
    def _model_iff_dense(self) -> FirstStageSettings:
        if (self.retriever == "dense") != (self.model is not None):
            raise ValueError("a dense first stage needs a model, and only a dense one takes it")
        return self


class RerankerBase(Strict):
    label: str | None = Field(None, description="how tables name it")
    on_error: Literal["fail", "keep-first-stage"] = "fail"


class IdentitySettings(RerankerBase):
    family: Literal["identity"]


class E2RankSettings(RerankerBase):
    """E2Rank: the listwise prompt embedded as one enriched query, cosine to every candidate."""

    family: Literal["e2rank"]
    model: Name
    prompt: Literal["eval", "readme", "training", "query-only"] = "eval"
    prompt_documents: int = Field(20, ge=1, le=1000, description="how many candidates stand in the prompt")
    prompt_order: Literal["first-stage", "reversed", "shuffled"] = "first-stage"
    combination: Literal["pure", "residual"] = Field(
        "pure", description="listwise vector alone, or added to the query's"
    )
    weight: float = Field(1.0, gt=0, le=10, description="of the plain query vector, residual only")
    document_tokens: int | None = Field(None, ge=8, description="cut every document at so many tokens")


class FeedbackSettings(RerankerBase):
    """Rocchio on vectors: unit(query + weight * unit(mean of the first documents))."""

    family: Literal["feedback"]
    model: Name
    documents: int = Field(3, ge=1, le=1000)
    weight: float = Field(0.5, gt=0, le=100)
    document_tokens: int | None = Field(None, ge=8)


class ListwiseSettings(RerankerBase):
    """RankGPT-style: an LLM writes a permutation of a window that slides from the bottom up."""

    family: Literal["listwise"]
    model: Name
    window: int = Field(20, ge=2, le=100)
    step: int = Field(10, ge=1, le=100)
    document_tokens: int | None = Field(None, ge=8)

    @model_validator(mode="after")
    def _step_within_window(self) -> ListwiseSettings:
        if self.step > self.window:
            raise ValueError(f"step {self.step} exceeds window {self.window}, which would skip documents")
        return self


class CrossEncoderSettings(RerankerBase):
    family: Literal["cross-encoder"]
    model: Name
    document_tokens: int | None = Field(None, ge=8)


class PointwiseSettings(RerankerBase):
    """Pointwise LLM: logit of yes minus logit of no."""

    family: Literal["pointwise-llm"]
    model: Name
    document_tokens: int | None = Field(None, ge=8)


class CustomSettings(RerankerBase):
    """A user's own family: ``factory`` is ``package.module:callable`` or an entry point's name."""

    family: Literal["custom"]
    factory: str
    options: dict[str, Any] = {}


RerankerSettings = Annotated[
    IdentitySettings
    | E2RankSettings
    | FeedbackSettings
    | ListwiseSettings
    | CrossEncoderSettings
    | PointwiseSettings
    | CustomSettings,
    Field(discriminator="family"),
]


class ComparisonSettings(Strict):
    """Systems compared on the same queries and candidates, each tested against the baselines."""

    title: str
    datasets: list[Name] = Field(min_length=1)
    first_stage: Name
    rerankers: list[Name] = Field(min_length=1)
    baselines: list[Name] = Field(min_length=1)
    note: str = ""

    @model_validator(mode="after")
    def _baselines_are_compared(self) -> ComparisonSettings:
        _known("baselines", self.baselines, dict.fromkeys(self.rerankers))
        return self


class LatencySettings(Strict):
    """Which systems are timed, on what, and how many samples."""

    dataset: Name
    first_stage: Name
    rerankers: list[Name] = Field(min_length=1)
    samples: int = Field(50, ge=1, description="timed queries; all of them where there are fewer")
    warm_up: int = Field(
        10, ge=1, le=100, description="at most so many untimed runs, fewer once three agree within 10 %"
    )
    document_vectors: list[Literal["online", "stored"]] = Field(
        ["online", "stored"], min_length=1, description="for families that encode documents by themselves"
    )


class SweepSettings(Strict):
    """nDCG@10 by number of prompt documents (figure 2): systems in the order of the axis."""

    title: str
    datasets: list[Name] = Field(min_length=1)
    first_stage: Name
    points: dict[int, Name] = Field(min_length=2, description="number of prompt documents -> reranker")


class Configuration(Strict):
    """One whole experiment. Names refer to each other within the file; see config/demo.yaml."""

    profile: Name
    seed: int = Field(13, ge=0)
    threads: int = Field(2, ge=1, description="threads of one model job; part of what decides the bytes")
    depth: int = Field(100, ge=1, le=10_000)
    shard_queries: int = Field(16, ge=1, description="queries per resumable shard")
    cache: Path = Path("cache")
    datasets: dict[Name, DatasetSettings] = Field(min_length=1)
    first_stages: dict[Name, FirstStageSettings] = Field(min_length=1)
    rerankers: dict[Name, RerankerSettings] = Field(min_length=1)
    comparisons: dict[Name, ComparisonSettings] = {}
    latency: dict[Name, LatencySettings] = {}
    sweeps: dict[Name, SweepSettings] = {}

    @model_validator(mode="after")
    def _names_resolve(self) -> Configuration:
        for name, dataset in self.datasets.items():
            if dataset.slice_of is not None:
                _known(f"datasets.{name}.slice_of", [dataset.slice_of], self.datasets)
                if self.datasets[dataset.slice_of].slice_of is not None:
                    raise ValueError(
                        f"datasets.{name}: a slice of a slice; slice {dataset.slice_of}'s origin instead"
                    )
        for section, entries in (("comparisons", self.comparisons), ("sweeps", self.sweeps)):
            for name, entry in entries.items():
                _known(f"{section}.{name}.datasets", entry.datasets, self.datasets)
        timings: dict[tuple[str, str, str], str] = {}
        for name, timed in self.latency.items():
            _known(f"latency.{name}.dataset", [timed.dataset], self.datasets)
            for reranker in timed.rerankers:
                earlier = timings.setdefault((timed.dataset, timed.first_stage, reranker), name)
                if earlier != name:
                    raise ValueError(
                        f"latency.{name} and latency.{earlier} both time {reranker!r} on the same candidates"
                    )
        for section, name, first_stage, rerankers in self.uses():
            _known(f"{section}.{name}.first_stage", [first_stage], self.first_stages)
            _known(f"{section}.{name}", rerankers, self.rerankers)
        return self

    def uses(self) -> list[tuple[str, str, str, list[str]]]:
        """(section, entry, first stage, rerankers) of everything that names a first stage and rerankers."""
        found = [("comparisons", n, c.first_stage, c.rerankers) for n, c in self.comparisons.items()]
        found += [("latency", n, t.first_stage, t.rerankers) for n, t in self.latency.items()]
        return found + [("sweeps", n, s.first_stage, list(s.points.values())) for n, s in self.sweeps.items()]

    def depth_of(self, first_stage: str) -> int:
        return self.first_stages[first_stage].depth or self.depth


def _known(where: str, names: list[str], known: dict[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: unknown name {name!r} (known: {', '.join(known)})")


def parse_configuration(values: dict[str, Any], path: Path | str) -> Configuration:
    """Check a configuration already read from ``path``.

    Raises
    ------
    InputError
        Naming the file, the key and what is wrong with it.
    """
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(_explain(first), path=path, mend=_mend(first)) from error


def read_configuration(path: Path) -> Configuration:
    """Read and check a YAML configuration file.

    Raises
    ------
    InputError
        When the file is missing, is no YAML mapping, or fails a check.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("no such configuration", path=path, mend="see config/ for examples") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not YAML: {error.problem}", path=path, line=line) from error
    if not isinstance(values, dict):
        raise InputError("not a mapping of settings", path=path, mend="see config/demo.yaml")
    return parse_configuration(values, path)


_FAMILIES = ("identity", "e2rank", "feedback", "listwise", "cross-encoder", "pointwise-llm", "custom")


def _explain(error: Any) -> str:
    key = ".".join(str(part) for part in error["loc"] if part not in _FAMILIES) or "configuration"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    message = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return f"{key}: {message}{shown}"


def _mend(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "remove it or mend its spelling"
    return "mend this key"
