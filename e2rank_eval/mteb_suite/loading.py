"""Loads a registry model for mteb, and registers E2Rank's checkpoints with it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from mteb.models.model_implementations import MODEL_REGISTRY

from e2rank_eval.encoders.base import Encoder
from e2rank_eval.encoders.cache import CachedEncoder
from e2rank_eval.model_loading import Models
from e2rank_eval.mteb_suite.encoder import MtebEncoder
from e2rank_eval.mteb_suite.instructions import Instructions, TaskInputs
from e2rank_eval.mteb_suite.metering import MeteredEncoder
from e2rank_eval.mteb_suite.model_meta import model_meta, mteb_name, mteb_revision
from e2rank_eval.registry import entries
from e2rank_eval.sources.models import fetch_model


def load_mteb_encoder(
    name: str,
    cache: Path,
    *,
    threads: int,
    instructions: Instructions | None = None,
    keep_vectors: bool = True,
) -> MtebEncoder:
    """The registry model ``name`` as mteb's encoder.

    ``keep_vectors`` stores every vector in ``cache/vectors`` and holds it in memory, so that tasks
    which share texts encode them once; corpora of millions of documents are better without.

    Raises
    ------
    InputError
        When the registry has no such model, or it is no encoder.
    UnavailableError
        When no source could be used.
    """
    entry = entries.model(name)
    metered = MeteredEncoder(Models(cache, threads=threads, vector_cache=False).encoder(name))
    encoder: Encoder = CachedEncoder(metered, cache / "vectors") if keep_vectors else metered
    meta = model_meta(
        name,
        entry,
        revision=mteb_revision(entry, fetch_model(name, cache)),
        dimension=metered.dimension,
    )
    return MtebEncoder(encoder, metered, TaskInputs(entry, instructions), meta)


def register_models() -> list[str]:
    """Make E2Rank's checkpoints known to ``mteb.get_model`` and ``mteb.get_model_meta``; returns their names.

    A model that mteb itself knows by the same name keeps mteb's own loader.
    """
    registered = []
    for name, entry in entries.models().items():
        known_as = mteb_name(name, entry)
        if entry.kind == "decoder" and known_as.startswith("Alibaba-NLP/E2Rank"):
            loader = partial(_load_for_mteb, registry_name=name)
            MODEL_REGISTRY.setdefault(known_as, model_meta(name, entry, revision=None, loader=loader))
            registered.append(known_as)
    return registered


def _load_for_mteb(
    model_name: str,  # noqa: ARG001 - mteb's own call
    revision: str | None,  # noqa: ARG001 - the registry's sources decide
    *,
    registry_name: str,
    cache: str = "cache",
    threads: int = 2,
    **kwargs: Any,  # noqa: ARG001
) -> MtebEncoder:
    return load_mteb_encoder(registry_name, Path(cache), threads=threads)
