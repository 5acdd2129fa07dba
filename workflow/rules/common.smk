# What every rule file shares: the checked configuration, where artefacts lie, and what follows from both.
import os
import sys
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

from e2rank_eval.configuration import parse_configuration
from e2rank_eval.errors import SuiteError
from e2rank_eval.registry import entries as registry
from e2rank_eval.report.index import figure_ids, table_ids
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text

CONFIGURED_IN = ", ".join(map(str, workflow.configfiles)) or "--config"
try:
    CONFIG = parse_configuration(config, CONFIGURED_IN)
    MODELS = registry.models()
except SuiteError as error:
    raise WorkflowError(f"error: {error}") from error

ROOT = f"results/{CONFIG.profile}"
CONFIG_FILE = f"{ROOT}/{places.CONFIG}"
ENVIRONMENT = "../../environment.yml"

# Shell lines call e2rank-eval by name: the one beside this Python. Workers die with this process.
os.environ["PATH"] = str(Path(sys.executable).parent) + os.pathsep + os.environ["PATH"]
os.environ.setdefault("E2RANK_EVAL_LEADER", str(os.getpid()))


def results(pattern, **names):
    """A place of e2rank_eval.store.layout below this profile's results; unnamed wildcards stay open."""
    for name, value in names.items():
        pattern = pattern.replace("{" + name + "}", value)
    return f"{ROOT}/{pattern}"


def pinned(wanted):
    """Write the configuration as resolved (files plus --config) once, so that verbs read what the graph was built from."""
    text = yaml.safe_dump(wanted, sort_keys=True, allow_unicode=True)
    path = Path(CONFIG_FILE)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


pinned(config)


def model_of(settings):
    """The registry model that a first stage or reranker names, as the list of its record (empty where none)."""
    model = getattr(settings, "model", None)
    if model is None:
        return []
    if model not in MODELS:
        known = ", ".join(MODELS)
        raise WorkflowError(f"error: {CONFIGURED_IN}: unknown model {model!r}; known: {known}")
    return [results(places.MODEL, model=model)]


def settings_of(section, name):
    """What decides a job's bytes, for its params: its settings, its model's registry entry, the shared numbers."""
    settings = getattr(CONFIG, section)[name]
    shared = {"seed": CONFIG.seed, "threads": CONFIG.threads, "depth": CONFIG.depth}
    model = getattr(settings, "model", None)
    entry = MODELS[model].model_dump(mode="json") if model else None
    return settings.model_dump(mode="json") | {"shared": shared, "entry": entry}


# (first stage, reranker) -> the data sets on which something asks for it, in the configuration's order.
RERANKINGS = {}
for section, name, first_stage, rerankers in CONFIG.uses():
    entry = getattr(CONFIG, section)[name]
    wanted = [entry.dataset] if section == "latency" else entry.datasets
    for reranker in rerankers:
        RERANKINGS.setdefault((first_stage, reranker), set()).update(wanted)
RERANKINGS = {key: [d for d in CONFIG.datasets if d in names] for key, names in RERANKINGS.items()}

# first stage -> data sets
RETRIEVALS = {}
for (first_stage, _), names in RERANKINGS.items():
    RETRIEVALS.setdefault(first_stage, set()).update(names)
RETRIEVALS = {key: [d for d in CONFIG.datasets if d in names] for key, names in RETRIEVALS.items()}

# (latency entry, reranker) -> one job each
TIMINGS = [(name, reranker) for name, entry in CONFIG.latency.items() for reranker in entry.rerankers]


def dataset_files(dataset):
    patterns = (places.CORPUS, places.QUERIES, places.QRELS, places.EXCLUSIONS, places.DATASET_MANIFEST)
    return [results(pattern, dataset=dataset) for pattern in patterns]


def places_of(pattern, rankings):
    return [
        results(pattern, dataset=dataset, first_stage=first_stage, reranker=reranker)
        for (first_stage, reranker), datasets in rankings.items()
        for dataset in datasets
    ]


def latency_file(entry, reranker):
    timed = CONFIG.latency[entry]
    return results(places.LATENCY, dataset=timed.dataset, first_stage=timed.first_stage, reranker=reranker)


def comparison_metrics(comparison):
    """The metrics that a comparison or sweep reads."""
    entry = CONFIG.comparisons.get(comparison) or CONFIG.sweeps[comparison]
    rerankers = getattr(entry, "rerankers", None) or list(entry.points.values())
    return places_of(places.METRICS, {(entry.first_stage, reranker): entry.datasets for reranker in rerankers})


TABLES = table_ids(CONFIG)
FIGURES = figure_ids(CONFIG)
TABLE_SUFFIXES = ("csv", "md", "tex", "html")
FIGURE_SUFFIXES = ("png", "svg", "csv")
DATASET_FILES = [path for dataset in CONFIG.datasets for path in dataset_files(dataset)]
CANDIDATE_FILES = [
    results(places.CANDIDATES, dataset=dataset, first_stage=first_stage)
    for first_stage, datasets in RETRIEVALS.items()
    for dataset in datasets
]
RUN_FILES = places_of(places.RUN, RERANKINGS)
METRIC_FILES = places_of(places.METRICS, RERANKINGS)
COMPARISON_FILES = [results(places.COMPARISON, comparison=name) for name in CONFIG.comparisons]
LATENCY_FILES = [latency_file(entry, reranker) for entry, reranker in TIMINGS]
TABLE_FILES = [results(places.TABLE, table=t, suffix=s) for t in TABLES for s in TABLE_SUFFIXES]
FIGURE_FILES = [results(places.FIGURE, figure=f, suffix=s) for f in FIGURES for s in FIGURE_SUFFIXES]


wildcard_constraints:
    dataset="|".join(CONFIG.datasets),
    first_stage="|".join(CONFIG.first_stages),
    reranker="|".join(CONFIG.rerankers),
    comparison="|".join(CONFIG.comparisons) or "none",
    table="|".join(TABLES) or "none",
    figure="|".join(FIGURES) or "none",
    model="|".join(MODELS),
