"""JSON Schemas (2020-12) of the configuration files, generated from the types that check them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from e2rank_eval.configuration import Configuration, TrainingFile
from e2rank_eval.registry.entries import DatasetEntry, ModelEntry
from e2rank_eval.registry.runs import RunRegistry

_FOLDER = Path(__file__).parent / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """Schema by file name: the experiment configuration, the registries and training files."""
    types: dict[str, Any] = {
        "config.schema.json": Configuration,
        "datasets.schema.json": dict[str, DatasetEntry],
        "models.schema.json": dict[str, ModelEntry],
        "runs.schema.json": RunRegistry,
        "training.schema.json": TrainingFile,
    }
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: dialect | TypeAdapter(kind).json_schema() for name, kind in types.items()}


def main(arguments: list[str]) -> int:
    """Write the schemas; with ``--check``, only say whether those on disk are the current ones."""
    stale = []
    for name, schema in schemas().items():
        path, text = _FOLDER / name, json.dumps(schema, indent=1, sort_keys=True) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if "--check" not in arguments:
                path.write_text(text, encoding="utf-8")
    if "--check" in arguments and stale:
        sys.stderr.write(f"stale: {', '.join(stale)}; run make schemas\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
