"""The whole job graph of a configuration: runs, tables, figures and their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from e2rank_eval.config import parse_configuration
from e2rank_eval.config.experiment import with_chosen
from e2rank_eval.config.measurements import RunKey
from e2rank_eval.config.reading import line_of
from e2rank_eval.config.references import file_name
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.errors import InputError
from e2rank_eval.graph.files import Files, Key
from e2rank_eval.graph.trainings import Trainings
from e2rank_eval.models.entries import as_trained
from e2rank_eval.paper.grid import runs
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.outputs import Shown, files_of
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store import layout as places

TABLE_SUFFIXES = ("csv", "md", "tex", "html")
FIGURE_SUFFIXES = ("png", "svg", "csv")


class Graph(Files):
    """The job graph of a configuration, on which alone the rules of the workflow depend.

    ``tables`` and ``figures`` are those of the configuration by id; ``tables_by_entry`` maps (section, entry)
    of the configuration to the ids of the tables that show the entry. ``rerankings`` maps (first stage,
    reranker) to the data sets on which a table or figure shows it, in the configuration's order;
    ``retrievals`` maps first stages likewise. ``models`` maps file names of models to their references.
    ``mteb_jobs`` are the (mteb entry, system) pairs.

    Raises
    ------
    InputError
        When the configuration fails a check, or names a model that is not registered or not trained yet.
    """

    def __init__(self, values: dict[str, Any], paths: Sequence[str]) -> None:
        values = with_chosen(values, [Path(path) for path in paths])
        super().__init__(as_trained(parse_configuration(values, ", ".join(paths))), values)
        configuration = self.configuration
        self.trainings = Trainings(self)
        self.tables, self.figures = TABLES.shown(configuration), FIGURES.shown(configuration)
        self.tables_by_entry: dict[tuple[str, str], list[str]] = {}
        for name, table in self.tables.items():
            self.tables_by_entry.setdefault((table.kind.section, table.entry), []).append(name)
        shown: list[Shown[Any]] = [*self.tables.values(), *self.figures.values()]
        keys = [key for one in shown for key in self._runs(one)]
        evaluated = [key for one in shown if self._evaluated(one) for key in self._runs(one)]
        self.rerankings = self._in_order(
            ((stage, reranker), dataset) for dataset, stage, reranker in evaluated
        )
        self.retrievals = self._in_order((stage, dataset) for dataset, stage, _ in keys)
        self.mteb_jobs = [(name, one) for name, suite in configuration.mteb.items() for one in suite.systems]
        self._check_registries()

    def _in_order(self, wanted: Iterable[tuple[Key, str]]) -> dict[Key, list[str]]:
        """Return data sets by key, each once, in the configuration's order."""
        names: dict[Key, set[str]] = {}
        for key, dataset in wanted:
            names.setdefault(key, set()).add(dataset)
        return {key: [d for d in self.configuration.datasets if d in some] for key, some in names.items()}

    def _check_registries(self) -> None:
        """Check that all models and data sets of runs are registered; other models may be trained later."""
        configuration, models = self.configuration, self.used_models()
        origin = configuration.origin
        trained = {run: self.trainings.entry(path, run) for path, run in self.trainings.runs}
        bases = {
            run.model: (path, "runs", name)
            for (path, name), (_, run) in self.trainings.runs.items()
            if run.model is not None
        }
        named = {
            model: (origin, section, name)
            for section in ("first_stages", "rerankers")
            for name, one in getattr(configuration, section).items()
            if (model := getattr(one, "model", None))
        }
        self.models = {}
        for model in [*self.catalogue.names, *models, *bases, *sorted(named.keys() - trained.keys())]:
            if model in models and model in trained and model not in self.catalogue.names:
                config = origin.replace(",", "")
                hint = f"train it: snakemake {trained[model]} --configfile {config}"
                raise InputError(f"model {model!r} is not trained yet", path=origin, hint=hint)
            with _located(*(bases | named).get(model, (origin,)), "model"):
                self.models[self.catalogue.name(model)] = self.catalogue.canonical(model)
        for name in configuration.datasets:
            if identifier := configuration.registry_id(name):
                with _located(origin, "datasets", name):
                    registered_dataset(identifier)

    def used_models(self) -> list[str]:
        """Return the references to the models of all jobs, each once."""
        configuration = self.configuration
        found = [configuration.models_of("first_stages", stage) for stage in self.retrievals]
        timed = [name for one in configuration.latency.values() for name in one.rerankers]
        reranked = [name for _, name in self.rerankings]
        found += [configuration.models_of("rerankers", name) for name in (*reranked, *timed)]
        found += [configuration.mteb_models(configuration.mteb[entry], one) for entry, one in self.mteb_jobs]
        return list(dict.fromkeys(model for models in found for model in models))

    def _runs(self, shown: Shown[Any]) -> list[RunKey]:
        """Return the runs that a table or figure shows."""
        return runs(self.configuration, shown.kind.section, shown.entry)

    def _evaluated(self, shown: Shown[Any]) -> bool:
        """Return whether its runs are reranked and evaluated, not only timed."""
        return shown.kind.section != "latency" or self.configuration.latency[shown.entry].quality

    def inputs(self, shown: Shown[Any]) -> list[str]:
        """Return exactly the files of which a table or figure is made."""
        return self._below(shown.inputs(self.configuration))

    def _below(self, paths: Iterable[str]) -> list[str]:
        return [f"{self.root}/{path}" for path in paths]

    def shown_settings(self, shown: Shown[Any]) -> dict[str, Any]:
        """Return what determines a table or figure besides its inputs: its entry, its systems' settings."""
        keys = self._runs(shown)
        systems = [
            *(self.configuration.first_stages[stage] for stage in dict.fromkeys(key[1] for key in keys)),
            *(self.configuration.rerankers[name] for name in dict.fromkeys(key[2] for key in keys)),
        ]
        entry = getattr(self.configuration, shown.kind.section)[shown.entry]
        return {
            "entry": entry.model_dump(mode="json"),
            "systems": [one.model_dump(mode="json") for one in systems],
            "seed": self.configuration.seed,
        }

    def compared_metrics(self, comparison: str) -> list[str]:
        return self._below(files_of("comparisons", places.METRICS)(self.configuration, comparison))

    def latency_files(self) -> list[str]:
        return [self.path(places.LATENCY, latency=name) for name in self.configuration.latency]

    def mteb_files(self) -> list[str]:
        return [self.mteb_file(*job) for job in self.mteb_jobs]

    def mteb_file(self, entry: str, system: str) -> str:
        return self.path(places.MTEB_RECORD, entry=entry, system=file_name(system))

    def comparison_files(self) -> list[str]:
        return [self.path(places.COMPARISON, comparison=name) for name in self.configuration.comparisons]

    def table_files(self, ids: Iterable[str]) -> list[str]:
        return [self.path(places.TABLE, table=one, suffix=s) for one in ids for s in TABLE_SUFFIXES]

    def figure_files(self, ids: Iterable[str]) -> list[str]:
        return [self.path(places.FIGURE, figure=one, suffix=s) for one in ids for s in FIGURE_SUFFIXES]

    def named_files(self, name: str) -> list[str]:
        """Return the files, in all formats, of a table or figure that the configuration names."""
        own = self.tables_by_entry.get(("tables", name), [])
        return self.table_files(own) + self.figure_files({name} & self.figures.keys())


@contextmanager
def _located(path: str, *place: str) -> Iterator[None]:
    """Give an InputError in the block the file that names the wrong model or data set, and the line of it."""
    try:
        yield
    except InputError as error:
        problem = error.problem if error.path is None else f"{error.path}: {error.problem}"
        raise InputError(problem, path=path, line=line_of(path, place), hint=error.hint) from error
