"""The command rerank-run: any run, data set and model, without a configuration."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2rank_eval.cli.common import app, yaml_value

if TYPE_CHECKING:
    from e2rank_eval.records import Dataset
    from e2rank_eval.store.trec import Run

_NOT_OPTIONS = ("model", "family", "cache", "threads", "seed")
"""Arguments of ``api.load_reranker`` that are not options of a family."""


class Missing(StrEnum):
    """Treatment of documents of a run that are missing from the corpus."""

    FAIL = "fail"
    SKIP = "skip"


@app.command(name="rerank-run")
def rerank_run(
    run: Annotated[Path, typer.Argument(help="TREC run, or JSON lines of candidates with their texts.")],
    model: Annotated[str, typer.Option("--model", help="A registry model, hub id or folder.")],
    output: Annotated[
        Path, typer.Option("--output", help="File of the reranked run.", dir_okay=False, writable=True)
    ],
    dataset: Annotated[
        str | None,
        typer.Option("--dataset", help="A name of: e2rank-eval list datasets; or a folder in BEIR layout."),
    ] = None,
    family: Annotated[str | None, typer.Option("--family", help="See: e2rank-eval list rerankers.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", help="Option of the family, as in prompt_documents=10.")
    ] = None,
    depth: Annotated[int, typer.Option("--depth", min=1, help="Documents to rerank per query.")] = 100,
    missing: Annotated[
        Missing, typer.Option("--missing", help="What to do with documents missing from the corpus.")
    ] = Missing.FAIL,
    cache: Annotated[
        Path, typer.Option("--cache", help="Folder of downloads, vectors and finished queries.")
    ] = Path("cache"),
) -> None:
    """Rerank any run; for judged queries, print nDCG@10 before and after, with a paired test.

    Finished queries are kept, so a killed run resumes.

    Example: e2rank-eval rerank-run bm25.trec --dataset mine/ --model e2rank-minilm --output reranked.trec
    """
    from e2rank_eval import api
    from e2rank_eval.errors import InputError

    if output.exists() and run.exists() and output.samefile(run):
        raise InputError("the output is the run itself", path=output, hint="name another file: --output")
    options = _options(option or [])
    given, collection = _read(run, dataset, cache)
    reranker = api.load_reranker(model, family=family, cache=cache, **options)
    reranked = api.rerank(given, collection, reranker, depth=depth, missing=missing.value, cache=cache)
    api.write_run(reranked, output)
    typer.echo(f"{output}: {reranked}")
    if any(query in collection.qrels for query in given.scores):
        _report(given, reranked, collection)


def _read(path: Path, dataset: str | None, cache: Path) -> tuple[Run, Dataset]:
    from e2rank_eval import api
    from e2rank_eval.errors import InputError
    from e2rank_eval.retrieval.first_stages.run import is_json_lines, read_any
    from e2rank_eval.store.hits import hits_as_dataset, hits_as_run, read_hits

    if dataset is not None:
        return read_any(path), api.load_dataset(dataset, cache=cache)
    if not is_json_lines(path):
        raise InputError("a run file holds no texts", path=path, hint="name its data set: --dataset")
    hits = read_hits(path)
    return hits_as_run(hits), hits_as_dataset(hits, path)


def _options(given: list[str]) -> dict[str, Any]:
    pairs = [option.partition("=") for option in given]
    for name, equals, _ in pairs:
        if not equals:
            raise typer.BadParameter(f"{name!r} is not KEY=VALUE", param_hint="--option")
        if name in _NOT_OPTIONS:
            raise typer.BadParameter(f"{name!r} is not an option of a family", param_hint="--option")
    return {name: yaml_value(value, "--option") for name, _, value in pairs}


def _report(before: Run, after: Run, dataset: Dataset) -> None:
    """Print nDCG@10 of both runs as in trec_eval, the paired test, and how many queries ties change."""
    from e2rank_eval import api
    from e2rank_eval.evaluation.effectiveness import evaluate

    compared = api.compare({"before": before, "after": after}, dataset, baseline="before")
    typer.echo(f"nDCG@10 x 100 with 95 % intervals\n{compared}")
    judged = {query: dict(grades) for query, grades in dataset.qrels.items()}
    ordered = api.run_of((query, before.order(query)) for query in before.scores)
    found = [evaluate(run, judged, ["nDCG@10"]).per_query["nDCG@10"] for run in (before, ordered)]
    decided = sum(found[0][query] != found[1][query] for query in judged)
    if decided:
        typer.echo(
            f"ties change nDCG@10 of {decided} queries: trec_eval breaks them by document id, not by rank"
        )
