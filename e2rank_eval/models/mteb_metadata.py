"""Metadata of published models from mteb's registry, cached as JSON, since importing mteb takes seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from math import inf
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from e2rank_eval.config.systems import Strict
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_json, write_json

_COMMIT = re.compile(r"[0-9a-f]{40}")


class PublishedModel(Strict):
    """mteb's metadata of one model on the hub; None or empty where mteb has no value.

    ``revision`` is a commit (None for mteb's other revisions: base and adapter, or a version of a service);
    ``longest`` is the longest input in tokens; ``needs_code`` says that the model runs code of its own.
    """

    types: list[str]
    revision: str | None
    licence: str | None
    longest: int | None
    parameters: int | None
    prompts: dict[str, str]
    needs_code: bool
    loader: str
    """The mteb class that runs the model; some imply a prompt."""


def published_models(folder: Path) -> dict[str, PublishedModel]:
    """Return mteb's text models by hub id, cached in ``folder``."""
    return _read(folder / f"mteb-models-{version('mteb')}-2.json")


@cache
def _read(path: Path) -> dict[str, PublishedModel]:
    if not path.is_file():
        say("reading mteb's registry of models once")
        write_json(path, _from_mteb())
    return TypeAdapter(dict[str, PublishedModel]).validate_python(read_json(path))


def _from_mteb() -> dict[str, dict[str, Any]]:
    from mteb.models.model_implementations import MODEL_REGISTRY

    return {
        name: _facts(meta).model_dump()
        for name, meta in sorted(MODEL_REGISTRY.items())
        if "text" in meta.modalities and meta.open_weights is not False
    }


def _facts(meta: Any) -> PublishedModel:
    loading: Mapping[str, Any] = meta.loader_kwargs or {}
    prompts = {
        str(getattr(key, "value", key)): text for key, text in loading.get("model_prompts", {}).items()
    }
    return PublishedModel(
        types=list(meta.model_type),
        revision=meta.revision if _COMMIT.fullmatch(meta.revision or "") else None,
        licence=meta.license and str(meta.license),
        longest=int(meta.max_tokens) if 0 < (meta.max_tokens or 0) < inf else None,
        parameters=meta.n_parameters,
        prompts={side: str(prompts[side]) for side in ("query", "document") if side in prompts},
        needs_code=bool(loading.get("trust_remote_code")),
        loader=getattr(meta.loader, "__name__", ""),
    )
