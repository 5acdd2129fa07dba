"""The command that prints JSON Schemas of the YAML files, generated from the types that check them."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from e2rank_eval.cli.common import app, print_json


class SchemaOf(Enum):
    """The kinds of YAML files that a schema describes."""

    CONFIG = "config"
    DATASETS = "datasets"
    MODELS = "models"
    TRAINING = "training"


@app.command()
def schema(
    of: Annotated[SchemaOf, typer.Argument(help="Which YAML file to describe.")] = SchemaOf.CONFIG,
) -> None:
    """Print the JSON Schema (2020-12) of a YAML file, for an editor's completion.

    Example: e2rank-eval schema training > training.schema.json
    """
    print_json(json_schema(of))


def json_schema(of: SchemaOf) -> dict[str, Any]:
    """Return the JSON Schema of one kind of YAML file."""
    from pydantic import TypeAdapter

    from e2rank_eval.config import Configuration, TrainingFile
    from e2rank_eval.datasets.registry import DatasetEntry
    from e2rank_eval.models.registry import ModelEntry

    types: dict[SchemaOf, Any] = {
        SchemaOf.CONFIG: Configuration,
        SchemaOf.DATASETS: dict[str, DatasetEntry],
        SchemaOf.MODELS: dict[str, ModelEntry],
        SchemaOf.TRAINING: TrainingFile,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | TypeAdapter(types[of]).json_schema()
