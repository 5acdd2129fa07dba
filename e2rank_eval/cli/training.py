"""Verbs that train: train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from e2rank_eval.cli.common import app, known


@app.command()
def train(
    config: Annotated[Path, typer.Argument(help="A training file, such as config/train/small.yaml.")],
    runs: Annotated[list[str] | None, typer.Argument(help="Its runs; all by default.")] = None,
) -> None:
    """Train models; a run that was interrupted goes on from its newest checkpoint.

    Example: e2rank-eval train config/train/small.yaml

    Example, on 8 GPUs: accelerate launch --num_processes 8 -m e2rank_eval train config/train/0.6b.yaml stage2
    """
    from e2rank_eval.configuration import read_training
    from e2rank_eval.training.train import train as run

    file = read_training(config)
    for name in runs or file.runs:
        known(name, file.runs, "run", config)
    for name in runs or file.runs:
        typer.echo(run(file, name))
