"""Commands that train: label, training-lists, train, curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, app, known, open_configuration, print_json

SPARSE = "splade-tiny-msmarco"
"""The sparse encoder that ``label --blend`` takes beside the dense one."""


@app.command()
def label(
    lists: Annotated[Path, typer.Argument(help="JSONL with query, document, ranking, source, positives.")],
    output: Annotated[Path, typer.Argument(help="The ranked lists to write; a summary is written beside.")],
    teacher: Annotated[
        str | None, typer.Option(help="A reranker of the configuration that ranks them.")
    ] = None,
    oracle: Annotated[
        str | None, typer.Option(help="Or an encoder that is given the positives with the query.")
    ] = None,
    blend: Annotated[str | None, typer.Option(help="Or an encoder together with a sparse one.")] = None,
    config: ConfigOption = DEMO,
) -> None:
    """Let a teacher rank training lists; those whose ranking was malformed are dropped and counted.

    Example: e2rank-eval label lists.jsonl labelled.jsonl --blend all-minilm-l6-v2

    Example: e2rank-eval label lists.jsonl labelled.jsonl --teacher rankgpt-smollm2 --config config/demo.yaml
    """
    from e2rank_eval.config.training_lists import BlendSettings
    from e2rank_eval.models.loading import Models
    from e2rank_eval.rerankers.base import RerankContext
    from e2rank_eval.training import teachers

    if sum(one is not None for one in (teacher, oracle, blend)) != 1:
        raise typer.BadParameter("give one of --teacher, --oracle and --blend")
    configuration, _ = open_configuration(config)
    models = Models.of(configuration)
    given = teachers.read_unlabelled(lists)
    if teacher is not None:
        settings = configuration.rerankers[known(teacher, configuration.rerankers, "reranker", config)]
        reranker = settings.build(RerankContext(models, configuration.seed))
        labels = teachers.label_with_reranker(given, reranker)
    else:
        both = BlendSettings(sparse=SPARSE) if blend else None
        scorer = teachers.load_teacher(models, str(blend or oracle), both)
        labels = teachers.Labels(teachers.rank_lists(given, scorer))
    teachers.write_labels(output, labels)
    print_json(labels.summary())


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A training file, such as config/train/small.yaml.")],
    runs: Annotated[list[str] | None, typer.Argument(help="Its runs; all by default.")] = None,
) -> None:
    """Train models; an interrupted run resumes from its newest checkpoint.

    Example: e2rank-eval train config/train/small.yaml e2rank-minilm

    Example, on 8 GPUs: accelerate launch --num_processes 8 -m e2rank_eval train config/train/0.6b.yaml
    """
    from e2rank_eval.config.reading import read_settings
    from e2rank_eval.config.training import TrainingFile
    from e2rank_eval.training.train import train as run

    file = read_settings(TrainingFile, config)
    for name in runs or file.runs:
        known(name, file.runs, "run", config)
    for name in runs or file.runs:
        typer.echo(run(file, name))


@app.command("training-lists")
def training_lists(
    source: Annotated[
        Path, typer.Argument(help="A folder in BEIR layout, or a YAML file of pinned packages.")
    ],
    output: Annotated[Path, typer.Argument(help="The JSONL file to write.")],
    split: Annotated[str, typer.Option(help="Of a folder: qrels/<split>.tsv.")] = "train",
    model: Annotated[
        str, typer.Option(help="Registry encoder whose vectors the teacher compares.")
    ] = "all-minilm-l6-v2",
    depth: Annotated[int, typer.Option(min=2, help="BM25 candidates of a training list.")] = 50,
    cache: Annotated[Path, typer.Option(help="Where models and vectors are kept.")] = Path("cache"),
    threads: Annotated[int, typer.Option(min=1)] = 2,
) -> None:
    """Make training lists of a judged collection, ranked by an oracle teacher.

    A YAML file may name another teacher: the encoder blended with a sparse one.

    Example: e2rank-eval training-lists config/training-lists/docstrings.yaml docstrings.jsonl
    """
    from e2rank_eval.models.loading import Models
    from e2rank_eval.training.lists import write_lists
    from e2rank_eval.training.sources import read_collection, unranked_lists
    from e2rank_eval.training.teachers import load_teacher, rank_lists

    dataset, blend = read_collection(source, split)
    teacher = load_teacher(Models(cache, threads=threads), model, blend)
    found = rank_lists(unranked_lists(dataset, depth), teacher)
    write_lists(output, found)
    typer.echo(f"{output}: {len(found)} training lists of {len(dataset.queries)} queries")


@app.command()
def curves(
    folders: Annotated[list[Path], typer.Argument(help="Folders of training runs, each with its log.jsonl.")],
    output: Annotated[
        Path, typer.Option(help="Where the figure goes; .svg, .png and .csv (its data) are added.")
    ] = Path("learning-curves"),
) -> None:
    """Draw the learning curves of training runs: loss, and nDCG@10 on development lists.

    Example: e2rank-eval curves models/e2rank-minilm models/ablation-full --output results/curves
    """
    from e2rank_eval.report.learning_curves import write_curves

    for path in write_curves(folders, output):
        typer.echo(path)
