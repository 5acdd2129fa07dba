"""Commands that show what is known: list, doctor, schema, and what the paper states: audit, reproduce."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, JsonOption, app, open_configuration, print_json
from e2rank_eval.errors import InputError


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="datasets, models, rerankers or tables.")],
    config: ConfigOption = DEMO,
    json: JsonOption = False,
) -> None:
    """Show what is known by name.

    Example: e2rank-eval list models
    """
    from e2rank_eval.cli.printing import print_table

    rows = _listing(what, config)
    if json:
        print_json(rows)
    else:
        print_table(what, rows)


def _listing(what: str, config: Path) -> list[dict[str, Any]]:
    from e2rank_eval.datasets.registry import registered_datasets
    from e2rank_eval.models.registry import registered_models

    if what == "datasets":
        return [
            {"name": name, "title": entry.title, "licence": entry.licence,
             "documents": entry.documents or "varies"}
            for name, entry in registered_datasets().items()
        ]  # fmt: skip
    if what == "models":
        return [
            {"name": name, "title": entry.title, "kind": entry.kind, "parameters": entry.parameters,
             "licence": entry.licence, "trained for E2Rank": "yes" if entry.trained_for_e2rank else "no"}
            for name, entry in registered_models().items()
        ]  # fmt: skip
    if what == "rerankers":
        from e2rank_eval.config import FAMILIES

        return [
            {"family": name, "what it does": str(settings.__doc__).partition("\n")[0]}
            for name, settings in FAMILIES.items()
        ]
    if what == "tables":
        from e2rank_eval.report.figures import FIGURES
        from e2rank_eval.report.tables import TABLES

        configuration, _ = open_configuration(config)
        return [
            {"kind": kind, "id": identifier}
            for kind, ids in (
                ("table", TABLES.shown(configuration)),
                ("figure", FIGURES.shown(configuration)),
            )
            for identifier in ids
        ]
    raise InputError(f"nothing to list under {what!r}", hint="list datasets, models, rerankers or tables")


@app.command()
def doctor(config: ConfigOption = DEMO, json: JsonOption = False) -> None:
    """Check all that a configuration needs here: packages, hub, GPU, disk, data sets, weights, registration.

    Exits with code 1 where something is missing, so that it is known before hours of work.

    Example: e2rank-eval doctor --config config/paper.yaml
    """
    from e2rank_eval.cli.doctor import examine
    from e2rank_eval.cli.printing import print_findings

    findings = examine(config)
    if json:
        print_json(findings)
    else:
        print_findings(findings)
    if any(finding["answer"] == "no" for finding in findings):
        raise typer.Exit(1)


@app.command()
def verify(
    model: Annotated[str, typer.Argument(help="A registry model.")],
    cache: Annotated[Path, typer.Option("--cache", help="Where fetched files are kept.")] = Path("cache"),
    json: JsonOption = False,
) -> None:
    """Compare a model with the cosines that its authors published, before a day of GPU time.

    Exits with code 1 where they differ, naming the prompt, end-of-text token, pooling or dtype that
    explains it, if one does.

    Example: e2rank-eval verify e2rank-0.6b
    """
    from e2rank_eval.cli.printing import print_table
    from e2rank_eval.evaluation.verification import verify as compared

    found = compared(model, cache)
    rows = found.rows()
    if json:
        print_json({"passed": found.passed, "rows": rows, "explanations": list(found.explanations)})
    else:
        print_table(f"{model} ({found.published.source})", rows)
        typer.echo(found.verdict())
    if not found.passed:
        raise typer.Exit(1)


@app.command()
def audit(json: JsonOption = False) -> None:
    """Recompute every average that the paper prints, and compare what its tables print twice.

    Example: e2rank-eval audit
    """
    from e2rank_eval.paper.audit import audit as examine
    from e2rank_eval.paper.audit import findings_markdown

    findings = examine()
    if json:
        print_json([asdict(finding) for finding in findings])
    else:
        typer.echo(findings_markdown(findings))


@app.command()
def reproduce(
    ids: Annotated[list[str] | None, typer.Argument(help="Registered runs; all by default.")] = None,
    cache: Annotated[Path, typer.Option("--cache", help="Where fetched files are kept.")] = Path("cache"),
    output: Annotated[
        Path | None, typer.Option("--output", help="Write first_stages.{csv,md} into this folder instead.")
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="Write one run's metrics here, per query, instead.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Score the public first-stage runs that the paper builds on, beside its printed values.

    Example: e2rank-eval reproduce bm25-dl19
    """
    from e2rank_eval.paper import reproduction

    if metrics is not None:
        if ids is None or len(ids) != 1:
            raise InputError(
                "--metrics takes one run", hint="name one: e2rank-eval reproduce RUN --metrics F"
            )
        reproduction.write_run_metrics(metrics, ids[0], cache)
    elif output is not None:
        reproduction.write_reproduction(output, cache)
    else:
        cells = reproduction.reproduce(cache, ids)
        if json:
            print_json([asdict(cell) for cell in cells])
        else:
            typer.echo(reproduction.reproduction_markdown(cells))


@app.command()
def schema(
    of: Annotated[str, typer.Argument(help="config, datasets, models or training.")] = "config",
) -> None:
    """Print the JSON Schema (2020-12) of a YAML file, for an editor's completion.

    Example: e2rank-eval schema training > training.schema.json
    """
    print_json(json_schema(of))


def json_schema(of: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of YAML file, generated from the types that check it."""
    from pydantic import TypeAdapter

    from e2rank_eval.config import Configuration, TrainingFile
    from e2rank_eval.datasets.registry import DatasetEntry
    from e2rank_eval.models.registry import ModelEntry

    types: dict[str, Any] = {
        "config": Configuration,
        "datasets": dict[str, DatasetEntry],
        "models": dict[str, ModelEntry],
        "training": TrainingFile,
    }
    if of not in types:
        raise InputError(f"no schema of {of!r}", hint=f"known: {', '.join(types)}")
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | TypeAdapter(types[of]).json_schema()
