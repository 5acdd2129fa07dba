"""Commands that train: label, training-lists, train, fine-tune, curves."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from e2rank_eval.cli.common import DEMO, ConfigOption, app, known, open_configuration, print_json, yaml_value

if TYPE_CHECKING:
    from e2rank_eval.records import Dataset
    from e2rank_eval.store.results import Comparison
    from e2rank_eval.store.trec import Run
    from e2rank_eval.training.fine_tune import FineTuning


@app.command()
def label(
    lists: Annotated[Path, typer.Argument(help="JSONL with query, document, ranking, source, positives.")],
    output: Annotated[
        Path,
        typer.Argument(help="The JSONL file of ranked lists, with a summary next to it.", dir_okay=False),
    ],
    teacher: Annotated[str, typer.Option(help="The reranker of the configuration that ranks them.")],
    config: ConfigOption = DEMO,
) -> None:
    """Rank training lists with a teacher; lists with malformed rankings are dropped and counted.

    Example: e2rank-eval label lists.jsonl labelled.jsonl --teacher rankgpt-smollm2 --config config/demo.yaml
    """
    from e2rank_eval.errors import InputError
    from e2rank_eval.models.loading import Models
    from e2rank_eval.rerankers.base import RerankContext
    from e2rank_eval.training import teachers

    if output.exists() and lists.exists() and output.samefile(lists):
        raise InputError("the output is the lists themselves", path=output, hint="name another file")
    configuration, _ = open_configuration(config)
    settings = configuration.rerankers[known(teacher, configuration.rerankers, "reranker", config)]
    reranker = settings.build(RerankContext(Models.of(configuration), configuration.seed))
    labels = teachers.label_with_reranker(teachers.read_unlabelled(lists), reranker)
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
    for name in [known(one, file.runs, "run", config) for one in runs or file.runs]:
        typer.echo(run(file, name))


class ControlName(StrEnum):
    """Baselines that are trained on the same lists."""

    QUERY_ENCODER = "query-encoder"
    CROSS_ENCODER = "cross-encoder"


@app.command("fine-tune")
def fine_tune(
    dataset: Annotated[
        str,
        typer.Option(help="A data set with a train split: a name such as beir/scifact, or a BEIR folder."),
    ],
    base: Annotated[
        str, typer.Option(help="The encoder to start from: a registry name, hub id or folder.")
    ] = "all-minilm-l6-v2",
    output: Annotated[
        Path | None, typer.Option(help="The model's folder; by default models/<data set>-<base>.")
    ] = None,
    first_stage: Annotated[
        str, typer.Option(help='First-stage settings as in a configuration, such as "{retriever: rm3}".')
    ] = "{retriever: bm25, analyser: lucene, quantised_lengths: true}",
    documents: Annotated[int, typer.Option(min=1, max=1000, help="Candidates in a prompt.")] = 10,
    depth: Annotated[int, typer.Option(min=2, max=10_000, help="Candidates per query.")] = 100,
    control: Annotated[
        list[ControlName] | None,
        typer.Option(help="Also train these on the same lists; query-encoder by default."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most optimizer steps, of 8 lists each; by default four passes, at most 240 steps."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of training and tests.")] = 13,
    test_split: Annotated[str, typer.Option(help="Split that the table evaluates.")] = "test",
    cache: Annotated[Path, typer.Option(help="Where models and vectors are kept.")] = Path("cache"),
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; the weights depend on their number.")] = 2,
) -> None:
    """Train E2Rank on a data set's train split and test it on the test split; a killed run resumes.

    Held-out training queries decide when training stops. The output folder is a model like any other
    (model: <folder>). A table compares its nDCG@10, with paired tests, with untrained systems and with
    controls trained on the same lists.

    Example: e2rank-eval fine-tune --dataset beir/scifact --base all-minilm-l6-v2
    """
    from e2rank_eval.api import retrieve
    from e2rank_eval.cli.printing import print_comparison
    from e2rank_eval.config.reading import checked
    from e2rank_eval.config.training import JudgedCollection
    from e2rank_eval.datasets.loading import load_split
    from e2rank_eval.models.references import Catalogue
    from e2rank_eval.store.files import write_text
    from e2rank_eval.store.results import write_record
    from e2rank_eval.training.data import graded_lists, nothing_relevant
    from e2rank_eval.training.fine_tune import FineTuning, default_output, flow, reranker
    from e2rank_eval.training.train import refuse_other_files
    from e2rank_eval.training.train import train as run

    made_of = {
        "dataset": dataset,
        "first_stage": yaml_value(first_stage, "--first-stage"),
        "depth": depth,
        "tested": test_split,
    }
    collection = checked(JudgedCollection, made_of, "the options")
    learnt = load_split(dataset, collection.split, cache)
    test = load_split(dataset, test_split, cache).dataset
    wanted = FineTuning(
        base, collection, output or default_output(base, dataset),
        tuple(one.value for one in control or [ControlName.QUERY_ENCODER]), documents, steps, seed, threads,
    )  # fmt: skip
    # What the test needs is checked before anything trains, so that a fault in it costs no time.
    entry = Catalogue(cache).resolve(base, "encoder", "decoder").entry
    options = {"depth": depth} | collection.first_stage
    found = retrieve(test, options.pop("retriever"), cache=cache, threads=threads, **options)
    if not any(test.qrels[query].get(i, 0) > 0 for query, ids in found.scores.items() for i in ids):
        raise nothing_relevant(dataset, test_split)  # every system would score 0
    lists = graded_lists(collection, learnt.dataset, test, cache, threads)
    file = wanted.training_file(entry, learnt, len(lists), cache)
    for name in file.runs:
        refuse_other_files(file.output / name)
    for name in file.runs:
        run(file, name, lists)
    tested = _tested(wanted, test, found, cache)
    write_record(wanted.output / "test.json", tested)
    card = wanted.output / "README.md"
    table = f"\nnDCG@10 x 100 on the {test_split} split:\n\n```\n{tested}\n```\n"
    write_text(card, card.read_text(encoding="utf-8") + table)
    print_comparison(tested)
    typer.echo(f"use it as a reranker: {flow(reranker(_reference(wanted.output), documents))}")


def _reference(folder: Path) -> str:
    """Return the reference to the model in a folder; ``out/mine`` would be a hub id."""
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _tested(wanted: FineTuning, dataset: Dataset, found: Run, cache: Path) -> Comparison:
    """Return a comparison of all systems on ``found``, with the trained model as baseline."""
    from e2rank_eval import api
    from e2rank_eval.training.fine_tune import reranker

    base, documents = wanted.base, wanted.documents
    systems: dict[str, dict[str, Any]] = {
        "fine-tuned": reranker(_reference(wanted.output), documents),
        "query-only": {"family": "e2rank", "model": base, "prompt": "query-only"},
        "Rocchio": {"family": "feedback", "model": base, "documents": 3, "weight": 0.5},
        "untrained prompt": reranker(base, documents),
    }
    for one in wanted.controls:
        model = _reference(wanted.control(one))
        alone = one == "query-encoder"
        systems[f"{one} control"] = (
            reranker(model, 0) if alone else {"family": "cross-encoder", "model": model}
        )
    runs, deepest = {"first stage": found}, max(map(len, found.scores.values()))
    for name, settings in systems.items():
        loaded = api.load_reranker(**settings, cache=cache, threads=wanted.threads)
        runs[name] = api.rerank(found, dataset, loaded, depth=deepest, cache=cache)
    return api.compare(runs, dataset, baseline="fine-tuned", seed=wanted.seed)


@app.command("training-lists")
def training_lists(
    source: Annotated[
        str,
        typer.Argument(help="A judged data set, as in fine-tune, or a YAML file of several collections."),
    ],
    output: Annotated[Path, typer.Argument(help="The JSONL file to write.", dir_okay=False)],
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "train",
    depth: Annotated[int, typer.Option(min=2, max=10_000, help="BM25 candidates per training list.")] = 100,
    cache: Annotated[Path, typer.Option(help="Where models and vectors are kept.")] = Path("cache"),
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 2,
) -> None:
    """Make training lists of a judged data set: BM25's candidates, ordered by their judgements.

    With a YAML file, queries are searched in the texts of all its collections, development lists are written
    to <output>-development.jsonl, and only --cache of the options applies.

    Example: e2rank-eval training-lists config/training-lists/mix.yaml cache/training-lists/mix.jsonl
    """
    from e2rank_eval.config.reading import read_settings
    from e2rank_eval.config.training import JudgedCollection
    from e2rank_eval.config.training_lists import MixSettings, development_path
    from e2rank_eval.training.data import judged_lists
    from e2rank_eval.training.lists import write_lists
    from e2rank_eval.training.mixes import mixed_lists

    if source.endswith((".yaml", ".yml")):
        lists, watched = mixed_lists(read_settings(MixSettings, Path(source)), cache)
        for path, made in ((output, lists), (development_path(output), watched)):
            write_lists(path, made)
            counts = Counter(one.source for one in made)
            typer.echo(f"{path}: {', '.join(f'{number} lists of {name}' for name, number in counts.items())}")
        return
    wanted = JudgedCollection(dataset=source, split=split, depth=depth)
    found = list(judged_lists(wanted, cache, threads).values())
    write_lists(output, found)
    typer.echo(f"{output}: {len(found)} training lists")


@app.command()
def curves(
    folders: Annotated[list[Path], typer.Argument(help="Folders of training runs, each with its log.jsonl.")],
    output: Annotated[
        Path, typer.Option(help="The figure's path, to which .svg, .png and .csv (its data) are added.")
    ] = Path("learning-curves"),
) -> None:
    """Draw the learning curves of training runs: loss, and nDCG@10 on development lists.

    Example: e2rank-eval curves models/e2rank-minilm --output results/curves
    """
    from e2rank_eval.report.learning_curves import write_curves

    for path in write_curves(folders, output):
        typer.echo(path)
