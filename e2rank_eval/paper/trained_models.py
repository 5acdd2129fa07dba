"""Models that a configuration's training files make: the command for one that nobody has trained yet."""

from __future__ import annotations

import shlex
from pathlib import Path

from e2rank_eval.config import Configuration, TrainingFile, entries, read_training


def training_command(configuration: Configuration, model: str) -> str | None:
    """The command that trains ``model``, runs that it starts from included.

    None where the registry has the model already, or no training file of the configuration makes it.

    Raises
    ------
    InputError
        When a training file is missing or malformed; none is read for a model of the registry.
    """
    if model in entries.models():
        return None
    for path in configuration.training:
        file = read_training(path)
        if model in file.runs:
            return shlex.join(["e2rank-eval", "train", str(path), *_untrained(file, model)])
    return None


def untrained_systems(configuration: Configuration, entry: str) -> dict[str, str]:
    """Systems of an mteb entry that wait for a training, with the command for a model that each lacks."""
    found = {}
    for system in configuration.mteb[entry].systems:
        models = configuration.mteb_models(entry, system)
        commands = (training_command(configuration, model) for model in models)
        if command := next(filter(None, commands), None):
            found[system] = command
    return found


def _untrained(file: TrainingFile, run: str) -> list[str]:
    """The run and those before it that have not left their weights, in the order of training."""
    follows = file.runs[run].follows
    before = [] if follows is None or _trained(file.output, follows) else _untrained(file, follows)
    return [*before, run]


def _trained(output: Path, run: str) -> bool:
    return (output / run / "entry.yaml").exists()
