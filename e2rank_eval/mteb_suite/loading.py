"""Loads a registry model for mteb."""

from __future__ import annotations

from pathlib import Path

from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.fetching import fetch_model
from e2rank_eval.models.loading import Models
from e2rank_eval.models.registry import registered_model
from e2rank_eval.mteb_suite.encoder import MtebEncoder
from e2rank_eval.mteb_suite.instructions import Instructions, TaskInputs
from e2rank_eval.mteb_suite.metering import MeteredEncoder
from e2rank_eval.mteb_suite.model_meta import model_meta, mteb_revision


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
    entry = registered_model(name)
    metered = MeteredEncoder(Models(cache, threads=threads, vector_cache=False).encoder(name))
    encoder: Encoder = CachedEncoder(metered, cache / "vectors") if keep_vectors else metered
    meta = model_meta(
        name,
        entry,
        revision=mteb_revision(entry, fetch_model(name, cache)),
        dimension=metered.dimension,
    )
    return MtebEncoder(encoder, metered, TaskInputs(entry, instructions), meta)
