"""Commands that inform and check: list, doctor, verify, schema, and audit and reproduce for the paper."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten
from typing import Annotated, Any

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, JsonOption, app, open_configuration, print_json, show
from e2rank_eval.errors import InputError
from e2rank_eval.registry import look_up


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="What to list: datasets, models, rerankers or tables.")],
    query: Annotated[str, typer.Argument(help="List only names that contain this text.")] = "",
    every: Annotated[
        bool,
        typer.Option("--all", help="Also list the data sets and models of ir_datasets and mteb."),
    ] = False,
    config: ConfigOption = DEMO,
    json: JsonOption = False,
) -> None:
    """List the known data sets, models or reranker families, or the tables and figures of a configuration.

    Example: e2rank-eval list models

    Example: e2rank-eval list models --all reranker
    """
    from e2rank_eval.cli.printing import print_table

    rows = [row for row in _listing(what, config, every=every) if query.lower() in _name(row).lower()]
    show(rows, lambda: print_table(what, rows), json=json)


def _name(row: dict[str, Any]) -> str:
    return str(next(row[key] for key in ("name", "id", "family") if key in row))


def _of_libraries() -> Iterator[dict[str, Any]]:
    """Yield every data set of ir_datasets, and every retrieval and reranking task of mteb."""
    import mteb

    from e2rank_eval.datasets.library import library_counts, library_ids, required_agreement

    for name in library_ids():
        licence = "needs a signed agreement" if required_agreement(name) else "see ir_datasets"
        yield {"name": f"ir_datasets:{name}", "title": name, "licence": licence,
               "documents": library_counts(name)["documents"]}  # fmt: skip
    kinds: Any = {"task_types": ["Retrieval", "Reranking"], "modalities": ["text"]}
    for task in mteb.get_tasks(**kinds, exclusive_modality_filter=True):
        facts = task.metadata
        yield {"name": f"mteb:{facts.name}", "title": shorten(facts.description, 90, placeholder=" ..."),
               "licence": facts.license or "not stated", "documents": "varies"}  # fmt: skip


def _listing(what: str, config: Path, *, every: bool) -> list[dict[str, Any]]:
    if what == "datasets":
        return [*_datasets(), *(_of_libraries() if every else ())]
    if what == "models":
        return [*_models(), *(_published() if every else ())]
    if what == "rerankers":
        from e2rank_eval.config.systems import FAMILIES

        return [
            {"family": name, "what it does": str(settings.__doc__).partition("\n")[0]}
            for name, settings in FAMILIES.items()
        ]
    if what == "tables":
        from e2rank_eval.report.figures import FIGURES
        from e2rank_eval.report.tables import TABLES

        configuration, _ = open_configuration(config)
        tables = [{"kind": "table", "id": one} for one in TABLES.shown(configuration)]
        return tables + [{"kind": "figure", "id": one} for one in FIGURES.shown(configuration)]
    raise InputError(f"nothing to list under {what!r}", hint="list datasets, models, rerankers or tables")


def _datasets() -> Iterator[dict[str, Any]]:
    from e2rank_eval.datasets.registry import registered_datasets

    for name, entry in registered_datasets().items():
        yield {"name": name, "title": entry.title, "licence": entry.licence,
               "documents": entry.documents or "varies"}  # fmt: skip


def _models() -> Iterator[dict[str, Any]]:
    from e2rank_eval.models.registry import registered_models

    for name, entry in registered_models().items():
        trained = "yes" if entry.trained_for_e2rank else "no"
        yield {"name": name, "title": entry.title or name, "kind": entry.kind or "as recognised",
               "parameters": entry.parameters or "", "licence": entry.licence or "",
               "trained for E2Rank": trained}  # fmt: skip


def _published() -> Iterator[dict[str, Any]]:
    from e2rank_eval.models.mteb_metadata import published_models
    from e2rank_eval.models.recognition import readable

    for name, one in published_models(Path("cache")).items():
        kind = "needs remote code: not supported" if one.needs_code else ", ".join(one.types)
        yield {"name": name, "title": name, "kind": kind, "licence": one.licence or "",
               "parameters": readable(one.parameters) if one.parameters else "",
               "trained for E2Rank": "no"}  # fmt: skip


@app.command()
def doctor(
    model: Annotated[str | None, typer.Argument(help="A registry model, hub id or folder.")] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Experiment configuration.")] = None,
    systems: Annotated[str, typer.Option(help="Check only these systems, separated by commas.")] = "",
    datasets: Annotated[str, typer.Option(help="Check only these data sets, separated by commas.")] = "",
    json: JsonOption = False,
) -> None:
    """Check packages, hub, GPU, disk, data sets and models that a configuration needs.

    Exits with code 1 where something is missing, before hours of work. With MODEL, shows instead how that
    model is recognised, and the file from which each property was read.

    Example: e2rank-eval doctor --config config/paper.yaml --systems bm25,e2rank-0.6b --datasets dl19,dl20

    Example: e2rank-eval doctor ./checkpoints/mine
    """
    from e2rank_eval.cli.doctor import examine, examine_model
    from e2rank_eval.cli.printing import print_findings

    chosen = {key: names for key, names in (("systems", systems), ("datasets", datasets)) if names}
    findings = examine(config or DEMO, chosen) if model is None else examine_model(model, config)
    show(findings, lambda: print_findings(findings), json=json)
    if any(finding["answer"] == "no" for finding in findings):
        raise typer.Exit(1)


@app.command()
def verify(
    model: Annotated[str, typer.Argument(help="A registry model, hub id or folder.")],
    cache: Annotated[Path, typer.Option("--cache", help="Where fetched files are kept.")] = Path("cache"),
    output: Annotated[
        Path | None, typer.Option("--output", help="Write the comparison to this JSON file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Compare cosine similarities of a model's vectors with those that its authors published.

    Exits with code 1 where they differ, and names the prompt, end-of-text token, pooling or dtype that
    explains the difference, if there is one.

    Example: e2rank-eval verify e2rank-0.6b
    """
    from e2rank_eval.cli.printing import print_table
    from e2rank_eval.evaluation.verification import verify as compared
    from e2rank_eval.store.files import write_json

    found = compared(model, cache)
    stored = {"passed": found.passed, "rows": found.rows(), "explanations": list(found.explanations)}
    if json:
        print_json(stored)
    else:
        print_table(f"{model} ({found.published.source})", found.rows())
        typer.echo(found.verdict())
    if not found.passed:
        raise typer.Exit(1)
    if output is not None:
        write_json(output, stored)


@app.command()
def audit(json: JsonOption = False) -> None:
    """Recompute every average in the paper's tables, and compare values that the paper prints twice.

    Example: e2rank-eval audit
    """
    from e2rank_eval.paper.audit import audit as examine
    from e2rank_eval.paper.audit import findings_markdown

    findings = examine()
    stored = [asdict(finding) for finding in findings]
    show(stored, lambda: typer.echo(findings_markdown(findings)), json=json)


@app.command()
def reproduce(
    ids: Annotated[list[str] | None, typer.Argument(help="Registered runs; all by default.")] = None,
    cache: Annotated[Path, typer.Option("--cache", help="Where fetched files are kept.")] = Path("cache"),
    output: Annotated[
        Path | None,
        typer.Option("--output", help="Write first_stages.csv and first_stages.md to this folder instead."),
    ] = None,
    metrics: Annotated[
        Path | None, typer.Option("--metrics", help="Write the per-query metrics of one run to this file.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Score the public first-stage runs that the paper reranks, next to the values that it prints.

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
        page = reproduction.reproduction_markdown(cells)
        show([asdict(cell) for cell in cells], lambda: typer.echo(page), json=json)


@app.command()
def schema(
    of: Annotated[str, typer.Argument(help="Kind of file: config, datasets, models or training.")] = "config",
) -> None:
    """Print the JSON Schema (2020-12) of a kind of YAML file, for completion in an editor.

    Example: e2rank-eval schema training > training.schema.json
    """
    print_json(json_schema(of))


def json_schema(of: str) -> dict[str, Any]:
    """Return the JSON Schema of one kind of YAML file, generated from the types that check it."""
    from pydantic import TypeAdapter

    from e2rank_eval.config import Configuration
    from e2rank_eval.config.training import TrainingFile
    from e2rank_eval.datasets.registry import DatasetEntry
    from e2rank_eval.models.registry import GivenEntry

    types: dict[str, Any] = {
        "config": Configuration,
        "datasets": dict[str, DatasetEntry],
        "models": dict[str, GivenEntry],
        "training": TrainingFile,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | TypeAdapter(look_up(types, of, "schema")).json_schema()
