"""The configuration of an experiment: data sets, systems, measurements, and the selection that is run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import filter as filter_names
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, field_validator, model_validator

from e2rank_eval.config.measurements import (
    ComparisonSettings,
    LatencySettings,
    MtebSettings,
    PaperFigure,
    PaperTable,
    known,
)
from e2rank_eval.config.reading import checked, load_mapping
from e2rank_eval.config.systems import AnyFirstStage, AnyReranker, Name, Strict, alone
from e2rank_eval.errors import InputError

_PARTS = {"datasets": "datasets", "first_stage": "first_stages", "rerankers": "rerankers"}
"""Part of a run -> the section of the configuration that defines it."""

_NOT_RUN = (
    "false: run only where {} is given as a list that names it; otherwise tables of the paper show only the "
    "published value"
)


class DatasetSettings(Strict):
    """The data set of a name: a data set of the registry or a library, a folder, or a slice of another."""

    id: str | None = Field(None, description="registry id; by default the name, unless another key is given")
    ir_datasets: str | None = Field(None, description="id of ir_datasets, such as beir/nfcorpus/test")
    mteb: str | None = Field(None, description="retrieval or reranking task of mteb, such as NFCorpus")
    path: Path | None = Field(
        None, description="folder with corpus.jsonl[.gz], queries.jsonl, qrels/<split>.tsv or qrels.tsv"
    )
    split: str = Field("test", description="split of a folder, as in qrels/<split>.tsv")
    slice_of: Name | None = Field(
        None, description="another data set of this configuration, of which a sample of queries is kept"
    )
    queries: int | None = Field(None, ge=1, description="number of queries in a slice (seeded sample)")
    run: bool = Field(True, description=_NOT_RUN.format("datasets"))

    @model_validator(mode="after")
    def _one_origin(self) -> DatasetSettings:
        origins = (self.id, self.ir_datasets, self.mteb, self.path, self.slice_of)
        if sum(origin is not None for origin in origins) > 1:
            raise ValueError("give one of id, ir_datasets, mteb, path, slice_of")
        if (self.slice_of is None) != (self.queries is None):
            raise ValueError("slice_of and queries go together")
        if self.path is None and "split" in self.model_fields_set:
            raise ValueError("split has no meaning without path: a registered data set has its own")
        return self


class SystemSettings(Strict):
    """An alias for rows ``<first stage>/<reranker>``, in which ``*`` matches any name."""

    rows: list[str] = Field(min_length=1)
    run: bool = Field(True, description=_NOT_RUN.format("systems"))


AnySystem = Annotated[SystemSettings, alone("rows", SystemSettings, list[str])]


class Configuration(Strict):
    """The configuration of one experiment; config/demo.yaml is an example."""

    profile: Name
    seed: int = Field(13, ge=0)
    threads: int = Field(2, ge=1, description="CPU threads of a model job; the bytes of results depend on it")
    depth: int = Field(100, ge=1, le=10_000)
    shard_queries: int = Field(16, ge=1, description="queries per resumable shard")
    jobs: int = Field(
        1,
        ge=1,
        le=10_000,
        description="jobs that share reranking or encoding one data set; not part of the cache key",
    )
    gpus: int = Field(0, ge=0, description="GPUs that a scheduler gives to each job that loads a model")
    cache: Path = Path("cache")
    datasets: dict[Name, DatasetSettings] = Field(
        min_length=1,
        description="name -> data set. A list of names, such as --config 'datasets=[dl19,dl20]' for "
        "Snakemake, runs only these; a name that no file defines is a registry id",
    )
    systems: dict[str, AnySystem] = Field(
        {},
        description="alias -> rows <first stage>/<reranker> that are run; empty: all. A list of aliases or "
        "rows, such as --config 'systems=[bm25,e2rank-0.6b]', runs only these",
    )
    first_stages: dict[Name, AnyFirstStage] = Field(min_length=1)
    rerankers: dict[Name, AnyReranker] = Field(min_length=1)
    comparisons: dict[Name, ComparisonSettings] = Field(default_factory=dict)
    latency: dict[Name, LatencySettings] = Field(default_factory=dict)
    training: list[Path] = Field(
        [], description="training files whose runs the Snakemake target training trains"
    )
    mteb: dict[Name, MtebSettings] = Field(default_factory=dict)
    tables: dict[Name, PaperTable] = Field(default_factory=dict, description="tables of the paper")
    figures: dict[Name, PaperFigure] = Field(
        default_factory=dict, description="figures of the paper, and of further analyses"
    )
    models: dict[str, dict[str, Any]] = Field(
        {}, description="further models, in the form of config/models.yaml, for this experiment only"
    )
    _origin: str = PrivateAttr("")

    @property
    def origin(self) -> str:
        """The file that it was read from, as named in the commands that reports print."""
        return self._origin

    @model_validator(mode="before")
    @classmethod
    def _lists_name_entries(cls, values: Any) -> Any:
        return choose(values, {}) if isinstance(values, dict) else values

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
                known(f"datasets.{name}.slice_of", [dataset.slice_of], self.datasets)
                if self.datasets[dataset.slice_of].slice_of is not None:
                    raise ValueError(
                        f"datasets.{name}: a slice of a slice; slice {dataset.slice_of}'s data set instead"
                    )
        for name, stage in self.first_stages.items():
            known(f"first_stages.{name}.of", stage.fused, self.first_stages)
            if any(self.first_stages[one].fused for one in stage.fused):
                raise ValueError(f"first_stages.{name}: a fusion of a fusion; name its first stages instead")
        for alias, system in self.systems.items():
            for row in system.rows:
                first_stage, _, reranker = row.rpartition("/")
                if not first_stage and row == alias:
                    known("systems", [alias], [one for one in self.systems if one != alias])
                for part, entries in ((first_stage, self.first_stages), (reranker, self.rerankers)):
                    known(f"systems.{alias}", [] if filter_names(entries, part) else [part], entries)
        for name, suite in self.mteb.items():
            known(f"mteb.{name}.rerankers", suite.rerankers, self.rerankers)
        for section in ("comparisons", "latency", "figures"):
            for name, entry in getattr(self, section).items():
                for (key, part), names in zip(_PARTS.items(), zip(*entry.runs, strict=True), strict=False):
                    known(f"{section}.{name}.{key}", names, getattr(self, part))
        for name, figure in self.figures.items():
            if figure.section:
                known(f"figures.{name}.of", [str(figure.of)], getattr(self, figure.section))
        for name, table in self.tables.items():
            for part, found in table.names().items():
                known(f"tables.{name}.{part}", found, getattr(self, part))
        if both := self.tables.keys() & self.figures.keys():
            raise ValueError(f"figures.{min(both)}: a table has this name")
        self._timings_resolve()
        return self

    def _timings_resolve(self) -> None:
        for name, timed in self.latency.items():
            depth = self.depth_of(timed.first_stage)
            deepest = max(timed.sweep.candidates, default=0) if timed.sweep else 0
            if deepest > depth:
                raise ValueError(
                    f"latency.{name}.sweep.candidates: {deepest} exceeds the depth {depth} "
                    f"of {timed.first_stage}"
                )

    def selects(self, first_stage: str, reranker: str) -> bool:
        """Whether a row is run; ``*`` as first stage means any first stage."""
        if not self.systems:
            return True
        rows = [row.rpartition("/") for one in self.systems.values() if one.run for row in one.rows]
        return any(
            fnmatchcase(reranker, name) and (first_stage == "*" or fnmatchcase(first_stage, stage))
            for stage, _, name in rows
        )

    def runs_on(self, dataset: str) -> bool:
        """Whether a data set is run."""
        return dataset in self.datasets and self.datasets[dataset].run

    def parts(self, section: str, name: str) -> list[Any]:
        """Return the settings of a first stage or reranker, then those of the first stages that it fuses."""
        systems: Mapping[str, Any] = getattr(self, section)
        return [systems[name], *(systems[other] for other in getattr(systems[name], "fused", []))]

    def vector_models(self, first_stage: str) -> list[str]:
        """Return the references to the models whose document vectors a first stage keeps between jobs."""
        storing = [one for one in self.parts("first_stages", first_stage) if one.stores_vectors]
        return sorted({model for one in storing if (model := getattr(one, "model", None))})

    def models_of(self, section: str, name: str) -> list[str]:
        """Return the references to the models that a first stage or reranker uses."""
        parts = self.parts(section, name)
        return sorted({model for one in parts if (model := getattr(one, "model", None))})

    def mteb_models(self, suite: MtebSettings, system: str) -> list[str]:
        """Return the references to the models that a system uses on the tasks of ``suite``."""
        if system in suite.models:
            return [system]
        named = [getattr(self.rerankers[system], "model", None), suite.first_stage]
        return sorted({model for model in named if model is not None})

    def timed_by(self, dataset: str, first_stage: str, reranker: str) -> str | None:
        """Return the first latency entry that times a run; None where none does."""
        run = (dataset, first_stage, reranker)
        return next((name for name, one in self.latency.items() if run in one.runs), None)

    def registry_id(self, dataset: str) -> str | None:
        """Return the registry id of a data set, or of the data set of a slice; None for a local folder."""
        settings = self.datasets[dataset]
        for library in ("ir_datasets", "mteb"):
            if identifier := getattr(settings, library):
                return f"{library}:{identifier}"
        if settings.slice_of is not None:
            return self.registry_id(settings.slice_of)
        return None if settings.path is not None else settings.id or dataset

    def depth_of(self, first_stage: str) -> int:
        return self.first_stages[first_stage].depth or self.depth


def read_configuration(path: Path) -> Configuration:
    """Read and check a YAML configuration file.

    Raises
    ------
    InputError
        When the file is missing, is not a YAML mapping, repeats a key, or fails a check.
    """
    return parse_configuration(load_mapping(path), path)


def parse_configuration(values: dict[str, Any], path: Path | str) -> Configuration:
    """Check a configuration already read from ``path``, and return the part of it that is run.

    Raises
    ------
    InputError
        Naming the file, the line where ``path`` is one file, the key and what is wrong with it.
    """
    configuration = checked(Configuration, values, path)
    configuration._origin = str(path)
    return selected(configuration)


def one_system(sections: Mapping[str, Any]) -> Configuration:
    """Return a configuration of only the systems in ``sections``, checked like a configuration file.

    Errors name an option alone, as the caller gave it.
    """
    needed = {
        "profile": "python",
        "datasets": {"dataset": {}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"first-stage": {"family": "identity"}},
    }
    try:
        return parse_configuration(needed | dict(sections), "")
    except InputError as error:
        problem = re.sub(r"\b(rerankers|first_stages)\.[\w-]+\.", "", error.problem)
        raise InputError(problem, hint=error.hint) from error


def choose(values: Mapping[str, Any], defined: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return ``values``, in which a list given for ``datasets`` or ``systems`` is replaced by a mapping.

    ``defined`` maps a section to its entries by name: entries that the list names are run, others are not.
    A name that is not defined is a registry id, or a row ``<first stage>/<reranker>``. A string is split at
    commas; brackets around it are ignored.
    """
    chosen = dict(values)
    for section in {"datasets", "systems"} & values.keys():
        given = values[section]
        if isinstance(given, str):
            given = [name.strip() for name in given.strip("[] ").split(",")]
        if isinstance(given, list):
            entries = dict(defined.get(section, {}))
            if section == "systems":
                entries = {n: e if isinstance(e, dict) else {"rows": e} for n, e in entries.items()}
            new = {str(name): {} if section == "datasets" else {"rows": [str(name)]} for name in given}
            chosen[section] = {
                n: {**e, "run": n in new} if isinstance(e, dict) else e for n, e in (new | entries).items()
            }
    return chosen


def with_chosen(values: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """Return ``values``, where a list for ``datasets`` or ``systems`` selects from the entries of ``paths``.

    ``values`` are those of the files, merged, with changes of Snakemake's command line; see :func:`choose`.
    """
    defined: dict[str, dict[str, Any]] = {
        section: {} for section in ("datasets", "systems") if not isinstance(values.get(section, {}), dict)
    }
    for file in map(load_mapping, paths if defined else ()):
        for section, entries in defined.items():
            given = file.get(section)
            entries |= given if isinstance(given, dict) else {}
    return choose(values, defined)


def selected(whole: Configuration) -> Configuration:
    """Return the configuration with only the comparisons, latency and mteb entries and figures that are run.

    These keep the data sets and systems that are run; an entry without any is dropped. Tables of the paper
    stay complete: rows and columns that are not run show their published values.
    """
    used = {getattr(whole.rerankers[n], "model", None) for n in whole.rerankers if whole.selects("*", n)}

    def datasets(names: Sequence[str]) -> list[str]:
        return [name for name in names if whole.runs_on(name)]

    def rows(first_stage: str | None, names: Sequence[str]) -> list[str]:
        return [name for name in names if whole.selects(str(first_stage), name)]

    kept: dict[str, dict[str, Any]] = {"comparisons": {}, "latency": {}, "mteb": {}, "figures": {}}

    def keep(section: str, name: str, **parts: Any) -> None:
        """Keep an entry with these parts, unless the selection has emptied one of them."""
        entry: Strict = getattr(whole, section)[name]
        if all(part or not getattr(entry, key) for key, part in parts.items()):
            kept[section][name] = entry.model_copy(update=parts)

    for name, one in whole.comparisons.items():
        rerankers, baselines = (rows(one.first_stage, names) for names in (one.rerankers, one.baselines))
        keep("comparisons", name, datasets=datasets(one.datasets), rerankers=rerankers, baselines=baselines)
    for name, timed in whole.latency.items():
        if whole.runs_on(timed.dataset):
            keep("latency", name, rerankers=rows(timed.first_stage, timed.rerankers))
    for name, suite in whole.mteb.items():
        models = [model for model in suite.models if model in used or not whole.systems]
        if models or rows("*", suite.rerankers):
            kept["mteb"][name] = suite.model_copy(
                update={"models": models, "rerankers": rows("*", suite.rerankers)}
            )
    for name, figure in whole.figures.items():
        if figure.section:
            if figure.of in kept.get(figure.section, whole.tables):
                keep("figures", name)
            continue
        stage = figure.first_stage
        points = {n: one for n, one in figure.points.items() if rows(stage, [one])}
        keep(
            "figures", name, datasets=datasets(figure.datasets), rerankers=rows(stage, figure.rerankers),
            against=next(iter(rows(stage, [figure.against] if figure.against else [])), None),
            points=points if len(points) > 1 else {},
        )  # fmt: skip
    return whole.model_copy(update=kept)
