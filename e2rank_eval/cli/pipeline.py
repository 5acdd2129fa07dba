"""Commands of the data flow: fetch, retrieve, rerank."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, app, known, open_configuration, require_gpu

if TYPE_CHECKING:
    from e2rank_eval.config import Configuration
    from e2rank_eval.store.parts import Part

PartOption = Annotated[
    str | None,
    typer.Option(
        "--part", metavar="N/OF", help="Process only this part of one data set, and keep it in the cache."
    ),
]


@app.command()
def fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets of the configuration; all by default.")
    ] = None,
    config: ConfigOption = DEMO,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", help="Fetch this registry model, hub id or folder instead."),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Fetch the registry's data sets, except those that only you can provide."),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Fetch nothing; show sizes, licences and what is already stored."),
    ] = False,
) -> None:
    """Fetch data sets or models, check them, and store them in one layout.

    Example: e2rank-eval fetch lee --config config/demo.yaml

    Example: e2rank-eval fetch --all --dry-run
    """
    from e2rank_eval.config.experiment import DatasetSettings
    from e2rank_eval.datasets.fetch import fetch_dataset
    from e2rank_eval.datasets.registry import registered_datasets
    from e2rank_eval.models.entries import write_model_record
    from e2rank_eval.models.references import Catalogue

    configuration, layout = open_configuration(config)
    if every:
        registered = {name: DatasetSettings() for name in registered_datasets()}
        configuration = configuration.model_copy(update={"datasets": registered | configuration.datasets})
    chosen = names or ([] if model else list(configuration.datasets))
    for name in chosen:
        known(name, configuration.datasets, "data set", config)
    if dry_run:
        _show_plan(configuration, chosen)
        return
    for reference in model or ():
        found = Catalogue.of(configuration).examine(reference)
        write_model_record(layout, found)
        typer.echo(f"{found.entry.title}: {found.entry.parameters} parameters, {len(found.files)} files")
    for name in chosen:
        if every and (needed := _only_yours(configuration, name)):
            typer.echo(f"{name}: skipped; {needed}")
        else:
            fetch_dataset(name, configuration, layout)


def _only_yours(configuration: Configuration, name: str) -> str | None:
    """Return what the user must provide for a data set; None where it can be fetched or is there."""
    from e2rank_eval.datasets.loading import plan

    identifier = configuration.registry_id(name)
    rows = plan([identifier], configuration.cache) if identifier else []
    return next((row["registration"] or row["from"] for row in rows if row["state"] == "manual"), None)


def _show_plan(configuration: Configuration, names: Sequence[str]) -> None:
    from e2rank_eval.cli.printing import print_plan
    from e2rank_eval.datasets.loading import plan

    whole = [name for name in names if configuration.datasets[name].slice_of is None]
    registered = [one for name in whole if (one := configuration.registry_id(name))]
    print_plan(plan(registered, configuration.cache))


@app.command()
def retrieve(
    first_stage: Annotated[str, typer.Argument(help="A first stage of the configuration.")],
    datasets: Annotated[list[str] | None, typer.Argument(help="Data sets; all by default.")] = None,
    config: ConfigOption = DEMO,
    part: PartOption = None,
) -> None:
    """Retrieve candidates for every query of fetched data sets.

    With --part, encode only a part of the corpus for dense retrieval, so that several jobs share the work.

    Example: e2rank-eval retrieve bm25 lee --config config/demo.yaml
    """
    from e2rank_eval.models.loading import Models
    from e2rank_eval.retrieval import retrieve as retrieval
    from e2rank_eval.store.layout import CANDIDATES

    configuration, layout = open_configuration(config)
    known(first_stage, configuration.first_stages, "first stage", config)
    names, share = _chosen(datasets, part, configuration, config)
    require_gpu(configuration, configuration.models_of("first_stages", first_stage))
    models = Models.of(configuration)
    if share is None:
        with _locked(configuration, "retrieve", first_stage):
            retrieval.retrieve(configuration, first_stage, names, layout, models)
        typer.echo(_queries(layout.path(CANDIDATES, dataset=n, first_stage=first_stage) for n in names))
    else:
        with _locked(configuration, "encode", first_stage, *names, share):
            retrieval.encode_part(configuration, first_stage, names[0], layout, models, share)


@app.command()
def rerank(
    reranker: Annotated[str, typer.Argument(help="A reranker of the configuration.")],
    datasets: Annotated[list[str] | None, typer.Argument(help="Data sets; all by default.")] = None,
    first_stage: Annotated[
        str, typer.Option("--first-stage", help="First stage whose candidates are reranked.")
    ] = "bm25",
    config: ConfigOption = DEMO,
    part: PartOption = None,
) -> None:
    """Rerank stored candidates; finished shards are kept, so a killed run resumes.

    With --part, rank only a part of the shards; a run without --part then collects the finished shards.

    Example: e2rank-eval rerank e2rank-minilm lee --first-stage bm25 --config config/demo.yaml
    """
    from e2rank_eval.models.loading import Models
    from e2rank_eval.rerankers import execution
    from e2rank_eval.store.layout import STATISTICS

    configuration, layout = open_configuration(config)
    known(reranker, configuration.rerankers, "reranker", config)
    known(first_stage, configuration.first_stages, "first stage", config)
    names, share = _chosen(datasets, part, configuration, config)
    require_gpu(configuration, configuration.models_of("rerankers", reranker))
    models = Models.of(configuration)
    if share is None:
        with _locked(configuration, "rerank", first_stage, reranker):
            execution.rerank(configuration, reranker, first_stage, names, layout, models)
        typer.echo(_queries(layout.run_path(STATISTICS, (n, first_stage, reranker)) for n in names))
    else:
        with _locked(configuration, "rerank", first_stage, reranker, *names, share):
            execution.rerank_part(configuration, reranker, first_stage, names[0], layout, models, share)


def _queries(files: Iterable[Path]) -> str:
    """Return the number of queries in each of these files, which have one query per line."""
    counts = [path.read_bytes().count(b"\n") for path in files]
    return f"{' + '.join(map(str, counts))} queries"


def _chosen(
    datasets: Sequence[str] | None, part: str | None, configuration: Configuration, config: Path
) -> tuple[list[str], Part | None]:
    """Return the data sets, all by default, and the part of the only one that this job does."""
    from e2rank_eval.store.parts import parse_part

    names = [known(n, configuration.datasets, "data set", config) for n in datasets or configuration.datasets]
    if part is not None and len(names) != 1:
        raise typer.BadParameter("--part takes one data set")
    return names, None if part is None else parse_part(part)


def _locked(configuration: Configuration, *names: object) -> AbstractContextManager[None]:
    """Return a lock that keeps two processes from doing the same work at once."""
    from e2rank_eval.store.locks import exclusive

    # A name of a configuration cannot contain "+", so different work never has the same lock.
    name = "+".join(map(str, (configuration.profile, *names))).replace("/", "-of-")
    path = configuration.cache / "locks" / f"{name}.lock"
    return exclusive(path, what=" ".join(map(str, names)))
