"""Registry entries by name: the packaged files merged with what was trained here and a user's overlay."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from e2rank_eval.config import Strict, line_of, load_mapping
from e2rank_eval.config.dataset_fields import (
    AnseriniBM25,
    BM25Setup,
    DatasetEntry,
    DatasetFields,
    DatasetVariant,
)
from e2rank_eval.config.model_fields import ModelEntry, Prices, Server
from e2rank_eval.config.source_kinds import (
    Download,
    GeneratedSource,
    HubSource,
    IrDatasetsSource,
    LocalSource,
    PackageSource,
    Sha256,
    Source,
    TrainedSource,
    UrlSource,
)
from e2rank_eval.errors import InputError

__all__ = [
    "AnseriniBM25",
    "BM25Setup",
    "DatasetEntry",
    "DatasetFields",
    "DatasetVariant",
    "Download",
    "GeneratedSource",
    "HubSource",
    "IrDatasetsSource",
    "LocalSource",
    "ModelEntry",
    "PackageSource",
    "Prices",
    "Server",
    "Sha256",
    "Source",
    "TrainedSource",
    "UrlSource",
    "dataset",
    "datasets",
    "model",
    "models",
    "prices_of",
]

_KINDS: dict[str, type[Strict]] = {"datasets": DatasetEntry, "models": ModelEntry}


def datasets() -> dict[str, DatasetEntry]:
    """Data sets by id, in the file's order."""
    return _load("datasets")


def models() -> dict[str, ModelEntry]:
    """Models by name, in the file's order."""
    return _load("models")


def dataset(name: str) -> DatasetEntry:
    """One data set.

    Raises
    ------
    InputError
        When the registry has no such id; lists those it has.
    """
    entry: DatasetEntry = _one("datasets", name)
    return entry


def model(name: str) -> ModelEntry:
    """One model; raises as :func:`dataset` does."""
    entry: ModelEntry = _one("models", name)
    return entry


def prices_of(model_name: str | None) -> Prices | None:
    """What using a model is charged at; None where it runs here, or nobody has stated it."""
    server = model(model_name).server if model_name else None
    return server.prices if server else None


def _one(kind: str, name: str) -> Any:
    entries = _load(kind)
    if name not in entries:
        what = "data set" if kind == "datasets" else "model"
        near = get_close_matches(name, entries, n=3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(f"unknown {what} {name!r}", hint=f"{meant}see e2rank-eval list {kind}")
    return entries[name]


@cache
def _load(kind: str) -> dict[str, Any]:
    packaged = resources.files(f"e2rank_eval.{kind}") / f"{kind}.yaml"
    values = yaml.safe_load(packaged.read_text(encoding="utf-8"))
    origin: dict[str, str] = dict.fromkeys(values, f"{kind}/{kind}.yaml")
    trained = sorted(Path("models").glob("*/entry.yaml")) if kind == "models" else []
    for overlay in [*trained, Path("config") / f"{kind}.yaml"]:
        if overlay.exists():
            added = load_mapping(overlay)
            values |= added
            origin |= dict.fromkeys(added, str(overlay))
    return _checked(kind, values, origin)


def read_models(path: Path) -> dict[str, ModelEntry]:
    """The models of one file that is laid out as ``config/models.yaml``, such as a training run's.

    Raises
    ------
    InputError
        Naming file and line: no YAML mapping, or a wrong key.
    """
    values = load_mapping(path)
    return _checked("models", values, dict.fromkeys(values, str(path)))


def _checked(kind: str, values: dict[str, Any], origin: dict[str, str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name, value in values.items():
        try:
            entry = _KINDS[kind].model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{name}.{key}: {first['msg']}", path=origin[name],
                line=line_of(origin[name], [name, *first["loc"]]), hint="fix this key",
            ) from error  # fmt: skip
        entries[name] = entry
        if isinstance(entry, DatasetEntry):
            entries |= {f"{name}-{suffix}": _variant(name, entry, suffix) for suffix in entry.variants}
    return entries


def _variant(name: str, entry: DatasetEntry, suffix: str) -> DatasetEntry:
    """The entry with what its variant gives; without sources of its own it uses the entry's fetched files."""
    variant = entry.variants[suffix]
    given = {key: getattr(variant, key) for key in variant.model_fields_set}
    files_of = None if "sources" in given else entry.files_of or name
    changed = given | {"options": entry.options | variant.options, "variants": {}, "files_of": files_of}
    return entry.model_copy(update=changed)
