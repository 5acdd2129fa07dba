"""Settings of a whole experiment: data sets, systems, what is compared, timed and swept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from e2rank_eval.configuration.artefacts import ArtefactSettings, FigureArtefact, TableArtefact
from e2rank_eval.configuration.stand_ins import StandIns, substitute
from e2rank_eval.configuration.systems import FirstStageSettings, Name, RerankerSettings, Strict


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
        if self.path is None and "split" in self.model_fields_set:
            raise ValueError("split has no meaning without path: a registered data set has its own")
        return self


class ComparisonSettings(Strict):
    """Systems compared on the same queries and candidates, each tested against the baselines."""

    title: str
    datasets: list[Name] = Field(min_length=1)
    first_stage: Name
    rerankers: list[Name] = Field(min_length=1)
    baselines: list[Name] = Field(min_length=1)
    note: str = ""

    @property
    def systems(self) -> list[str]:
        return self.rerankers

    @field_validator("datasets", "rerankers", "baselines")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        return _distinct(names)

    @model_validator(mode="after")
    def _baselines_are_compared(self) -> ComparisonSettings:
        _known("baselines", self.baselines, dict.fromkeys(self.rerankers))
        return self


class CostSweepSettings(Strict):
    """How cost grows along each axis by itself; a system keeps its other settings."""

    candidates: list[Annotated[int, Field(ge=1, le=10_000)]] = Field(
        [], description="how many candidates are ranked; at most what the first stage gives"
    )
    prompt_documents: list[Annotated[int, Field(ge=0, le=1000)]] = Field(
        [], description="how many of them stand in the prompt, E2Rank only; 0: the plain query"
    )
    batch: list[Annotated[int, Field(ge=1, le=1000)]] = Field(
        [], description="how many queries are ranked together"
    )
    samples: int = Field(3, ge=1, description="timed runs at each point")
    warm_up: int = Field(1, ge=0, le=100, description="untimed runs at each point")
    document_vectors: list[Literal["online", "stored"]] = Field(["online", "stored"], min_length=1)

    @property
    def depths(self) -> dict[str, list[int]]:
        """The axes along which a query gets dearer, those that are swept."""
        axes = {"candidates": self.candidates, "prompt_documents": self.prompt_documents}
        return {axis: points for axis, points in axes.items() if points}

    @field_validator("candidates", "prompt_documents", "batch")
    @classmethod
    def _rising(cls, points: list[int]) -> list[int]:
        if points != sorted(set(points)):
            raise ValueError("name each point once, in rising order")
        return points

    @model_validator(mode="after")
    def _has_an_axis(self) -> CostSweepSettings:
        if not (self.candidates or self.prompt_documents or self.batch):
            raise ValueError("a sweep needs candidates, prompt_documents or batch")
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
    sweep: CostSweepSettings | None = Field(None, description="further points, timed after the samples")

    @field_validator("rerankers", "document_vectors")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        return _distinct(names)


class SweepSettings(Strict):
    """nDCG@10 by number of prompt documents (figure 2): systems in the order of the axis."""

    title: str
    datasets: list[Name] = Field(min_length=1)
    first_stage: Name
    points: dict[int, Name] = Field(min_length=2, description="number of prompt documents -> reranker")

    @property
    def systems(self) -> list[str]:
        return list(self.points.values())

    @field_validator("datasets")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        return _distinct(names)

    @field_validator("points")
    @classmethod
    def _systems_named_once(cls, points: dict[int, str]) -> dict[int, str]:
        _distinct(list(points.values()))
        return points


class MtebSettings(Strict):
    """Models and rerankers on tasks of mteb, one job for each of them."""

    title: str
    benchmark: str | None = Field(
        None, description="as mteb names it, or local: the suite's own tasks; null: tasks names them"
    )
    tasks: list[str] = Field([], description="of the benchmark, or local ones; empty: all of the benchmark")
    models: list[Name] = Field([], description="encoders of the model registry")
    rerankers: list[Name] = Field([], description="of this file; for retrieval and reranking tasks")
    first_stage: Name | None = Field(
        None, description="registry encoder that finds and orders the rerankers' candidates; null: the task's"
    )
    depth: int = Field(100, ge=1, le=10_000, description="candidates that a reranker is given")
    instructions: Path | None = Field(None, description="YAML file: task -> instruction, before mteb's own")
    keep_vectors: bool = Field(
        True, description="false: no vector is stored; for corpora of millions of documents"
    )
    allow_missing: bool = Field(False, description="true: tables are drawn though tasks failed, and say so")
    paper_table: Literal["4", "15", "20"] | None = Field(
        None, description="the paper's table whose values stand beside"
    )

    @field_validator("tasks", "models", "rerankers")
    @classmethod
    def _named_once(cls, names: list[str]) -> list[str]:
        return _distinct(names)

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


class Configuration(Strict):
    """One whole experiment. Names refer to each other within the file; see config/demo.yaml."""

    profile: Name
    seed: int = Field(13, ge=0)
    threads: int = Field(2, ge=1, description="threads of one model job; part of what decides the bytes")
    depth: int = Field(100, ge=1, le=10_000)
    shard_queries: int = Field(16, ge=1, description="queries per resumable shard")
    jobs: int = Field(
        1,
        ge=1,
        le=10_000,
        description="jobs that reranking or encoding one data set is spread over; decides no byte",
    )
    gpus: int = Field(0, ge=0, description="GPUs that a scheduler gives to each job that loads a model")
    cache: Path = Path("cache")
    datasets: dict[Name, DatasetSettings] = Field(min_length=1)
    first_stages: dict[Name, FirstStageSettings] = Field(min_length=1)
    rerankers: dict[Name, RerankerSettings] = Field(min_length=1)
    comparisons: dict[Name, ComparisonSettings] = Field(default_factory=dict)
    latency: dict[Name, LatencySettings] = Field(default_factory=dict)
    sweeps: dict[Name, SweepSettings] = Field(default_factory=dict)
    training: list[Path] = Field([], description="training files whose runs the target training makes")
    mteb: dict[Name, MtebSettings] = Field(default_factory=dict)
    artefacts: dict[Name, ArtefactSettings] = Field(default_factory=dict)
    stand_ins: StandIns | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_stand_ins(cls, values: Any) -> Any:
        return substitute(values)

    @field_validator("profile")
    @classmethod
    def _leaves_the_reference_alone(cls, profile: str) -> str:
        if profile == "reference":
            raise ValueError("results/reference holds the committed figures; name the profile otherwise")
        return profile

    @model_validator(mode="after")
    def _names_resolve(self) -> Configuration:
        for name, dataset in self.datasets.items():
            if dataset.slice_of is not None:
                _known(f"datasets.{name}.slice_of", [dataset.slice_of], self.datasets)
                if self.datasets[dataset.slice_of].slice_of is not None:
                    raise ValueError(
                        f"datasets.{name}: a slice of a slice; slice {dataset.slice_of}'s origin instead"
                    )
        for name, stage in self.first_stages.items():
            _known(f"first_stages.{name}.of", stage.of, self.first_stages)
            if any(self.first_stages[one].of for one in stage.of):
                raise ValueError(f"first_stages.{name}: a fusion of a fusion; name what that one fuses")
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
        for name, suite in self.mteb.items():
            _known(f"mteb.{name}.rerankers", suite.rerankers, self.rerankers)
        for section, name, first_stage, rerankers in self.uses():
            _known(f"{section}.{name}.first_stage", [first_stage], self.first_stages)
            _known(f"{section}.{name}", rerankers, self.rerankers)
        self._artefacts_resolve()
        for name, timed in self.latency.items():
            depth = self.depth_of(timed.first_stage)
            deepest = max(timed.sweep.candidates, default=0) if timed.sweep else 0
            if deepest > depth:
                raise ValueError(
                    f"latency.{name}.sweep.candidates: {deepest} exceeds the depth {depth} "
                    f"of {timed.first_stage}"
                )
        return self

    def _artefacts_resolve(self) -> None:
        for name, artefact in self.artefacts.items():
            named = artefact.names() if isinstance(artefact, TableArtefact) else _names(artefact)
            for section, found in named.items():
                _known(f"artefacts.{name}", found, getattr(self, section))

    def uses(self) -> list[tuple[str, str, str, list[str]]]:
        """(section, entry, first stage, rerankers) of everything that names a first stage and rerankers."""
        found = [("comparisons", n, c.first_stage, c.systems) for n, c in self.comparisons.items()]
        found += [("latency", n, t.first_stage, t.rerankers) for n, t in self.latency.items()]
        return found + [("sweeps", n, s.first_stage, s.systems) for n, s in self.sweeps.items()]

    def registry_id(self, dataset: str) -> str | None:
        """The registry's id of a data set, or of what a slice is cut from; None for a local folder."""
        settings = self.datasets[dataset]
        if settings.slice_of is not None:
            return self.registry_id(settings.slice_of)
        return None if settings.path is not None else settings.id or dataset

    def depth_of(self, first_stage: str) -> int:
        return self.first_stages[first_stage].depth or self.depth


def _names(figure: FigureArtefact) -> dict[str, list[str]]:
    """What a figure names, by section; a bar chart's table is another artefact."""
    sections = {"frontier": "latency", "sweep": "sweeps", "bars": "artefacts"}
    if figure.figure in sections:
        return {sections[figure.figure]: [str(figure.of)]}
    stages = [figure.first_stage] if figure.first_stage else []
    return {"datasets": figure.datasets, "first_stages": stages, "rerankers": figure.systems}


def _known(where: str, names: list[str], known: dict[str, Any]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{where}: unknown name {name!r} (known: {', '.join(known)})")


def _distinct(names: list[str]) -> list[str]:
    repeated = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if repeated is not None:
        raise ValueError(f"{repeated!r} is named twice")
    return names
