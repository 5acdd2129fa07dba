"""Commands that measure: evaluate, compare, latency, mteb."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from e2rank_eval.cli.common import (
    DEMO,
    ConfigOption,
    JsonOption,
    app,
    known,
    open_configuration,
    require_gpu,
    show,
)

SEED = 13


@app.command()
def evaluate(
    items: Annotated[
        list[str],
        typer.Argument(help="QRELS RUN, in either order; with --config: RERANKER DATASET ..."),
    ],
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Read ITEMS as names in this configuration; store metrics."),
    ] = None,
    first_stage: Annotated[
        str, typer.Option("--first-stage", help="With --config: the first stage that was reranked.")
    ] = "bm25",
    measure: Annotated[
        list[str] | None, typer.Option("--measure", help="Measure, in the notation of ir_measures.")
    ] = None,
    json: JsonOption = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of the intervals; --config has its own.")
    ] = SEED,
) -> None:
    """Score a run against judgements; a judged query that is missing from the run counts as zero.

    Example: e2rank-eval evaluate qrels.txt bm25.run.gz --measure nDCG@10 --measure R@100
    """
    from e2rank_eval.cli.printing import print_metrics
    from e2rank_eval.evaluation.effectiveness import DEFAULT_MEASURES, evaluate_files, write_metrics
    from e2rank_eval.store.results import as_json
    from e2rank_eval.store.trec import is_run

    if config is not None:
        configuration, layout = open_configuration(config)
        reranker, *datasets = items
        if not datasets:
            raise typer.BadParameter("give a reranker and at least one data set")
        known(reranker, configuration.rerankers, "reranker", config)
        known(first_stage, configuration.first_stages, "first stage", config)
        for name in datasets:
            known(name, configuration.datasets, "data set", config)
        written = write_metrics(configuration, reranker, first_stage, datasets, layout)
        means = ", ".join(f"{one.dataset} {100 * one.mean['nDCG@10']:.2f}" for one in written)
        typer.echo(f"nDCG@10 x 100: {means}")
        return
    if len(items) != 2:
        raise typer.BadParameter("give judgements and a run")
    # trec_eval's order; only a run in TREC format can be recognised where it comes first.
    qrels, run = map(Path, items[::-1] if is_run(Path(items[0])) else items)
    metrics = evaluate_files(run, qrels, tuple(measure or DEFAULT_MEASURES), seed=seed)
    show(as_json(metrics), lambda: print_metrics(run, metrics), json=json)


@app.command()
def compare(
    items: Annotated[list[str], typer.Argument(help="QRELS BASE.run OTHER.run ..., or names with --config.")],
    config: Annotated[
        Path | None, typer.Option("--config", help="Read ITEMS as comparisons of this configuration.")
    ] = None,
    measure: Annotated[
        str, typer.Option("--measure", help="Measure, in the notation of ir_measures.")
    ] = "nDCG@10",
    json: JsonOption = False,
    seed: Annotated[
        int, typer.Option("--seed", min=0, help="Seed of tests and intervals; --config has its own.")
    ] = SEED,
) -> None:
    """Test runs against a baseline: paired randomisation test and t-test, Holm correction, effect size.

    Example: e2rank-eval compare qrels.txt bm25.run e2rank.run rocchio.run
    """
    from e2rank_eval.cli.printing import print_comparison
    from e2rank_eval.evaluation import comparison
    from e2rank_eval.store.results import as_json

    if config is not None:
        configuration, layout = open_configuration(config)
        for name in items:
            known(name, configuration.comparisons, "comparison", config)
            typer.echo(comparison.write_comparison(configuration, name, layout))
        return
    if len(items) < 3:
        raise typer.BadParameter("give the qrels, the baseline's run and at least one other run")
    result = comparison.compare_files(Path(items[0]), [Path(item) for item in items[1:]], measure, seed=seed)
    show(as_json(result), lambda: print_comparison(result), json=json)


@app.command()
def latency(
    entry: Annotated[str, typer.Argument(help="A latency entry of the configuration.")],
    config: ConfigOption = DEMO,
    concurrent: Annotated[
        int | None,
        typer.Option(min=1, help="Print throughput with so many concurrent queries; store nothing."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Time the systems of an entry, in turns on the same queries and without caches, then its cost sweep.

    Example: e2rank-eval latency minilm --config config/demo.yaml

    Example: e2rank-eval latency minilm --concurrent 8
    """
    from e2rank_eval.evaluation.machine import wait_passively

    wait_passively()  # before torch is loaded
    from e2rank_eval.cli.printing import print_table
    from e2rank_eval.evaluation.concurrency import concurrent_latency
    from e2rank_eval.evaluation.latency import write_latency
    from e2rank_eval.store.results import Latency, as_json, read_record

    configuration, layout = open_configuration(config)
    settings = configuration.latency[known(entry, configuration.latency, "latency entry", config)]
    for reranker in settings.rerankers:
        require_gpu(configuration, configuration.models_of("rerankers", reranker))
    if concurrent is not None:
        rows = [asdict(one) for one in concurrent_latency(configuration, entry, layout, concurrent)]
        show(rows, lambda: print_table(f"{entry}: {concurrent} concurrent queries", rows), json=json)
        return
    found = read_record(write_latency(configuration, entry, layout), Latency)
    busy = f"; {found.busy}" if found.busy else ""
    made = f"{entry}: {found.rounds} of {found.wanted} rounds, {len(found.timings)} systems{busy}"
    show(as_json(found), lambda: typer.echo(made), json=json)


@app.command()
def mteb(
    system: Annotated[str, typer.Argument(help="A registry model, or a reranker of the configuration.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help='Name in mteb, or "local" for the tasks of this suite.')
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option("--tasks", help="Tasks, separated by commas; package.module:Class is a task of yours."),
    ] = None,
    entry: Annotated[
        str | None, typer.Option("--entry", help="Take the other options from this mteb entry.")
    ] = None,
    instructions: Annotated[
        Path | None,
        typer.Option("--instructions", help="YAML file, task: instruction, in place of mteb's instructions."),
    ] = None,
    first_stage: Annotated[
        str | None,
        typer.Option("--first-stage", help="Registry model that retrieves a reranker's candidates."),
    ] = None,
    config: ConfigOption = DEMO,
    json: JsonOption = False,
) -> None:
    """Evaluate a model or reranker with mteb; finished tasks are kept, and missing tasks are named.

    Example: e2rank-eval mteb all-minilm-l6-v2 --benchmark "MTEB(eng, v2)"

    Example: e2rank-eval mteb all-minilm-l6-v2 --tasks LeeRetrieval,ReutersR8Classification

    Results are mteb's own files, in results/<profile>/mteb. To load local tasks and models with mteb, first
    call e2rank_eval.mteb_suite.tasks.register("results/<profile>/mteb").
    """
    from e2rank_eval.cli.printing import print_mteb
    from e2rank_eval.config.measurements import MtebSettings
    from e2rank_eval.config.reading import checked
    from e2rank_eval.mteb_suite.running import refuse_missing, run_mteb, write_mteb_record
    from e2rank_eval.store.results import as_json

    configuration, layout = open_configuration(config)
    if entry is not None:
        if any((benchmark, tasks, instructions, first_stage)):
            raise typer.BadParameter("--entry already gives benchmark, tasks, instructions and first stage")
        known(entry, configuration.mteb, "mteb entry", config)
        known(system, configuration.mteb[entry].systems, f"system in mteb entry {entry!r}", config)
        require_gpu(configuration, configuration.mteb_models(configuration.mteb[entry], system))
        record = write_mteb_record(configuration, entry, system, layout)
    else:
        if benchmark is None and not tasks:
            raise typer.BadParameter("give --benchmark, --tasks or --entry")
        names = [name for given in tasks or () for name in given.split(",")]
        kind = "rerankers" if system in configuration.rerankers else "models"
        given = {
            "title": benchmark or "mteb",
            "benchmark": benchmark,
            "tasks": list(dict.fromkeys(names)),
            "instructions": instructions,
            "first_stage": first_stage,
            kind: [system],
        }
        settings = checked(MtebSettings, given, "the options")
        require_gpu(configuration, configuration.mteb_models(settings, system))
        record = run_mteb(configuration, settings, system, layout)
    show(as_json(record), lambda: print_mteb(record), json=json)
    if entry is None:
        refuse_missing(record.tasks)
