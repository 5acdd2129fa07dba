"""The verb that evaluates embeddings: mteb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, JsonOption, app, known, open_configuration, print_json


@app.command()
def mteb(
    system: Annotated[str, typer.Argument(help="A registry model, or a reranker of the configuration.")],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help='As mteb names it; "local": the suite\'s own tasks.')
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option("--tasks", help="Some tasks, commas between; package.module:Class: one of yours."),
    ] = None,
    entry: Annotated[
        str | None, typer.Option("--entry", help="Take all this from an mteb entry of the configuration.")
    ] = None,
    instructions: Annotated[
        Path | None, typer.Option("--instructions", help="YAML file: task -> instruction, before mteb's own.")
    ] = None,
    first_stage: Annotated[
        str | None, typer.Option("--first-stage", help="Registry model that finds a reranker's candidates.")
    ] = None,
    config: ConfigOption = DEMO,
    json: JsonOption = False,
) -> None:
    """Evaluate a model on mteb's tasks, with mteb; finished tasks are kept, missing ones are named.

    Example: e2rank-eval mteb all-minilm-l6-v2 --benchmark "MTEB(eng, v2)"

    Example: e2rank-eval mteb all-minilm-l6-v2 --tasks LeeRetrieval,ReutersR8Classification

    Results are mteb's own files, below results/<profile>/mteb. For mteb's tables to know the local tasks and
    models, call e2rank_eval.mteb_suite.registration.register("results/<profile>/mteb") first.
    """
    from e2rank_eval.cli.printing import print_mteb
    from e2rank_eval.config import MtebSettings
    from e2rank_eval.mteb_suite.execution import refuse_missing, run_mteb, write_mteb_record
    from e2rank_eval.store.results import as_json

    configuration, layout = open_configuration(config)
    if entry is not None:
        _refuse_beside_entry(benchmark, tasks, instructions, first_stage)
        known(entry, configuration.mteb, "mteb entry", config)
        known(system, configuration.mteb[entry].systems, f"system in mteb entry {entry!r}", config)
        record = write_mteb_record(configuration, entry, system, layout)
    else:
        if benchmark is None and not tasks:
            raise typer.BadParameter("give --benchmark, --tasks or --entry")
        names = [name for given in tasks or () for name in given.split(",")]
        kind = "rerankers" if system in configuration.rerankers else "models"
        settings = MtebSettings.model_validate(
            {
                "title": benchmark or "mteb",
                "benchmark": benchmark,
                "tasks": list(dict.fromkeys(names)),
                "instructions": instructions,
                "first_stage": first_stage,
                kind: [system],
            }
        )
        record = run_mteb(configuration, settings, system, layout)
    if json:
        print_json(as_json(record))
    else:
        print_mteb(record)
    if entry is None:
        refuse_missing(record.tasks)


def _refuse_beside_entry(*options: object) -> None:
    if any(options):
        raise typer.BadParameter("--entry brings benchmark, tasks, instructions and first stage with it")
