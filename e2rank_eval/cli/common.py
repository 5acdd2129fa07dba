"""Shared by all commands: the Typer application, common options, and look-up of names in a configuration."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from e2rank_eval.config import Configuration
    from e2rank_eval.store.layout import Layout

app = typer.Typer(
    name="e2rank-eval",
    help="Evaluate E2Rank and its baselines: quality with significance, latency with percentiles.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

ConfigOption = Annotated[Path, typer.Option("--config", help="Experiment configuration.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DEMO = Path("config/demo.yaml")
PAPER = Path("config/paper.yaml")


def open_configuration(config: Path) -> tuple[Configuration, Layout]:
    """Return a configuration and the layout of its results in ``results/<profile>``."""
    from e2rank_eval.config import read_configuration
    from e2rank_eval.errors import InputError
    from e2rank_eval.models.entries import as_trained
    from e2rank_eval.store.layout import Layout

    if config == DEMO and not config.exists():
        raise InputError("no configuration in this folder", path=config, hint="name one: --config FILE")
    configuration = as_trained(read_configuration(config))
    return configuration, Layout(Path("results") / configuration.profile)


def known(name: str, names: Any, what: str, config: Path) -> str:
    """Return ``name``; raise :class:`InputError` with the nearest names where it is not one of ``names``."""
    from e2rank_eval.errors import InputError
    from e2rank_eval.registry import nearest

    if name not in names:
        raise InputError(f"no {what} named {name!r}", path=config, hint=nearest(name, names))
    return name


def require_gpu(configuration: Configuration, models: Iterable[str]) -> None:
    """Raise :class:`UnavailableError` where one of these models needs a GPU and there is none.

    ``E2RANK_CPU=1`` allows such models on the CPU, where they take minutes per query.
    """
    from e2rank_eval.errors import UnavailableError
    from e2rank_eval.models.references import Catalogue

    for entry in map(Catalogue.of(configuration).entry, models):
        if entry.needs_gpu and os.environ.get("E2RANK_CPU") != "1":
            import torch

            if not torch.cuda.is_available():
                problem = f"{entry.title} ({entry.parameters} parameters) needs a GPU and none was found"
                raise UnavailableError(f"{problem}; E2RANK_CPU=1 runs it on the CPU, in minutes per query")


def yaml_value(text: str, option: str) -> Any:
    """Return the value of an option that is written in YAML; raise a usage error where it is not YAML."""
    from yaml import YAMLError, safe_load

    try:
        return safe_load(text)
    except YAMLError as error:
        raise typer.BadParameter(f"{text!r} is not YAML", param_hint=option) from error


def show(stored: Any, readable: Callable[[], object], *, json: bool) -> None:
    """Print ``stored`` as JSON with sorted keys, or call ``readable``, which prints it as text."""
    if json:
        print_json(stored)
    else:
        readable()


def print_json(value: Any) -> None:
    """Print a JSON value with sorted keys."""
    import json

    typer.echo(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False))
