"""The command line: one function per verb; a known error becomes one line and exit code 2."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from e2rank_eval.configuration import Configuration
    from e2rank_eval.store.layout import Layout

app = typer.Typer(
    name="e2rank-eval",
    help="Evaluate E2Rank and its baselines: quality with significance, latency with percentiles.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigOption = Annotated[Path, typer.Option("--config", help="Experiment configuration.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
_DEMO = Path("config/demo.yaml")


def _open(config: Path) -> tuple[Configuration, Layout]:
    from e2rank_eval.configuration import read_configuration
    from e2rank_eval.store.layout import Layout

    configuration = read_configuration(config)
    return configuration, Layout(Path("results") / configuration.profile)


def _known(name: str, known: Any, what: str, config: Path) -> str:
    from e2rank_eval.errors import InputError

    if name not in known:
        raise InputError(f"no {what} named {name!r}", path=config, mend=f"known: {', '.join(known)}")
    return name


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets of the configuration; all by default.")
    ] = None,
    config: ConfigOption = _DEMO,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="Registry models to fetch instead.")
    ] = None,
) -> None:
    """Fetch data sets or models, check them, and store them in one layout.

    Example: e2rank-eval fetch lee --config config/demo.yaml
    """
    from e2rank_eval.datasets.fetch import fetch_dataset
    from e2rank_eval.sources.models import fetch_model, write_model_record

    configuration, layout = _open(config)
    for name in model or ():
        write_model_record(layout, name, fetch_model(name, configuration.cache))
    for name in names or ([] if model else configuration.datasets):
        _known(name, configuration.datasets, "data set", config)
        fetch_dataset(name, configuration, layout)


@app.command()
def retrieve(
    first_stage: Annotated[str, typer.Argument(help="A first stage of the configuration.")],
    datasets: Annotated[list[str] | None, typer.Argument(help="Data sets; all by default.")] = None,
    config: ConfigOption = _DEMO,
) -> None:
    """Retrieve candidates for every query of fetched data sets.

    Example: e2rank-eval retrieve bm25 lee --config config/demo.yaml
    """
    from e2rank_eval.model_loading import Models
    from e2rank_eval.retrieval.retrieve import retrieve as run
    from e2rank_eval.store.locks import exclusive

    configuration, layout = _open(config)
    _known(first_stage, configuration.first_stages, "first stage", config)
    names = [
        _known(n, configuration.datasets, "data set", config) for n in datasets or configuration.datasets
    ]
    models = Models(configuration.cache, threads=configuration.threads)
    with exclusive(_lock(configuration, "retrieve", first_stage), what=f"retrieving {first_stage}"):
        run(configuration, first_stage, names, layout, models)


@app.command()
def rerank(
    reranker: Annotated[str, typer.Argument(help="A reranker of the configuration.")],
    datasets: Annotated[list[str] | None, typer.Argument(help="Data sets; all by default.")] = None,
    first_stage: Annotated[str, typer.Option("--first-stage", help="Whose candidates to rerank.")] = "bm25",
    config: ConfigOption = _DEMO,
) -> None:
    """Rerank stored candidates; finished shards are kept, so a killed run goes on where it was.

    Example: e2rank-eval rerank e2rank-minilm lee --first-stage bm25 --config config/demo.yaml
    """
    from e2rank_eval.model_loading import Models
    from e2rank_eval.rerankers.execution import rerank as run
    from e2rank_eval.store.locks import exclusive

    configuration, layout = _open(config)
    _known(reranker, configuration.rerankers, "reranker", config)
    _known(first_stage, configuration.first_stages, "first stage", config)
    names = [
        _known(n, configuration.datasets, "data set", config) for n in datasets or configuration.datasets
    ]
    models = Models(configuration.cache, threads=configuration.threads)
    with exclusive(_lock(configuration, "rerank", first_stage, reranker), what=f"reranking with {reranker}"):
        run(configuration, reranker, first_stage, names, layout, models)


def _lock(configuration: Configuration, *names: str) -> Path:
    return configuration.cache / "locks" / f"{configuration.profile}-{'-'.join(names)}.lock"


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="TREC run, plain or gzipped.")],
    qrels: Annotated[Path, typer.Argument(help="Judgements in TREC or BEIR form, plain or gzipped.")],
    measure: Annotated[list[str] | None, typer.Option("--measure", help="As ir_measures names it.")] = None,
    json: JsonOption = False,
    output: Annotated[Path | None, typer.Option("--output", help="Also write the metrics here.")] = None,
    trace: Annotated[
        Path | None, typer.Option("--trace", help="The run's traces, to name failed queries.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the bootstrap interval.")] = 13,
) -> None:
    """Score a run against judgements; every judged query counts, an unanswered one as zero.

    Example: e2rank-eval evaluate bm25.run.gz qrels.txt --measure nDCG@10 --measure R@100
    """
    from e2rank_eval.evaluation.effectiveness import DEFAULT_MEASURES
    from e2rank_eval.evaluation.scoring import evaluate_files, write_metrics

    started = time.time()
    metrics = evaluate_files(run, qrels, tuple(measure or DEFAULT_MEASURES), traces=trace, seed=seed)
    if output is not None:
        write_metrics(
            output, metrics, inputs=[p for p in (run, qrels, trace) if p is not None], started=started
        )
    if json:
        _print_json(metrics)
    elif output is None:
        from e2rank_eval.printing import print_metrics

        print_metrics(run, metrics)


@app.command()
def compare(
    items: Annotated[list[str], typer.Argument(help="QRELS BASE.run OTHER.run ..., or names with --config.")],
    config: Annotated[Path | None, typer.Option("--config", help="Then ITEMS are comparisons of it.")] = None,
    measure: Annotated[str, typer.Option("--measure")] = "nDCG@10",
    json: JsonOption = False,
) -> None:
    """Test runs against a baseline: paired randomisation test and t-test, Holm correction, effect size.

    Example: e2rank-eval compare qrels.txt bm25.run e2rank.run rocchio.run
    """
    from e2rank_eval.evaluation import comparison

    if config is not None:
        configuration, layout = _open(config)
        for name in items:
            _known(name, configuration.comparisons, "comparison", config)
            comparison.write_comparison(configuration, name, layout)
        return
    if len(items) < 3:
        raise typer.BadParameter("give the qrels, the baseline's run and at least one other run")
    result = comparison.compare_files(Path(items[0]), [Path(item) for item in items[1:]], measure)
    if json:
        _print_json(result)
    else:
        from e2rank_eval.printing import print_comparison

        print_comparison(result)


@app.command()
def latency(
    entry: Annotated[str, typer.Argument(help="A latency entry of the configuration.")],
    rerankers: Annotated[
        list[str] | None, typer.Argument(help="Some of its rerankers; all by default.")
    ] = None,
    config: ConfigOption = _DEMO,
    refuse_busy: Annotated[bool, typer.Option(help="Refuse on a busy machine instead of labelling.")] = False,
) -> None:
    """Time rerankers query by query, alone on the machine, without caches.

    Example: e2rank-eval latency minilm e2rank-minilm --config config/demo.yaml
    """
    from e2rank_eval.evaluation.latency import latency as run

    configuration, layout = _open(config)
    _known(entry, configuration.latency, "latency entry", config)
    for reranker in rerankers or configuration.latency[entry].rerankers:
        _known(
            reranker, configuration.latency[entry].rerankers, f"reranker in latency entry {entry!r}", config
        )
        run(configuration, entry, reranker, layout, refuse_busy=refuse_busy)


@app.command()
def table(
    ids: Annotated[list[str] | None, typer.Argument(help="Tables; all by default.")] = None,
    config: ConfigOption = _DEMO,
) -> None:
    """Write tables as CSV, Markdown, LaTeX and HTML from stored results.

    Example: e2rank-eval table embedded --config config/demo.yaml
    """
    from e2rank_eval.report.tables import table_ids, write_table

    configuration, layout = _open(config)
    for identifier in ids or table_ids(configuration):
        write_table(layout, configuration, _known(identifier, table_ids(configuration), "table", config))


@app.command()
def figure(
    ids: Annotated[list[str] | None, typer.Argument(help="Figures; all by default.")] = None,
    config: ConfigOption = _DEMO,
) -> None:
    """Draw figures as PNG and SVG, with their data as CSV, from stored results.

    Example: e2rank-eval figure frontier-minilm --config config/demo.yaml
    """
    from e2rank_eval.report.figures import figure_ids, write_figure

    configuration, layout = _open(config)
    for identifier in ids or figure_ids(configuration):
        write_figure(layout, configuration, _known(identifier, figure_ids(configuration), "figure", config))


@app.command()
def site(config: ConfigOption = _DEMO) -> None:
    """Write the static page tree that opens from disk.

    Example: e2rank-eval site --config config/demo.yaml
    """
    from e2rank_eval.report.site import write_site

    configuration, layout = _open(config)
    typer.echo(write_site(layout, configuration))


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="datasets, models, rerankers or tables.")],
    config: ConfigOption = _DEMO,
    json: JsonOption = False,
) -> None:
    """Show what is known by name.

    Example: e2rank-eval list models
    """
    from e2rank_eval.printing import listing, print_listing

    rows = listing(what, config)
    if json:
        _print_json(rows)
    else:
        print_listing(what, rows)


@app.command()
def doctor(config: ConfigOption = _DEMO, json: JsonOption = False) -> None:
    """Say what this machine can run: packages, hub, GPU, disk, and which registry entries resolve.

    Example: e2rank-eval doctor
    """
    from e2rank_eval.doctor import examine
    from e2rank_eval.printing import print_findings

    findings = examine(config)
    if json:
        _print_json(findings)
    else:
        print_findings(findings)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False))


def main() -> None:
    """Entry point. Under a workflow manager (``E2RANK_EVAL_LEADER``), die when it dies."""
    from e2rank_eval.errors import SuiteError

    leader = os.environ.get("E2RANK_EVAL_LEADER")
    if leader:
        from e2rank_eval.store.locks import die_with

        die_with(int(leader))
    try:
        app()
    except SuiteError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from error
