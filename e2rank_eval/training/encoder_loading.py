"""The encoder that a run of Stage I or II trains, and the plain one beside it."""

from __future__ import annotations

from pathlib import Path

from e2rank_eval.config import Stage1Run, Stage2Run
from e2rank_eval.config.entries import ModelEntry
from e2rank_eval.datasets.sources.fetch import Fetched
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.encoders.decoder import DecoderEncoder
from e2rank_eval.models.encoders.load import load_encoder
from e2rank_eval.models.encoders.pooled import PooledEncoder
from e2rank_eval.training.vector_objective import VectorObjective


def vector_objective(
    settings: Stage1Run | Stage2Run, name: str, base: ModelEntry, fetched: Fetched, cache: Path
) -> VectorObjective:
    """The objective on model ``name``, loaded with the run's own limits.

    Where documents stay frozen they are cut as the registry has it for the base model, so that an index
    of its vectors serves; their vectors are kept in ``cache/vectors/``.

    Raises
    ------
    InputError
        When the model is no encoder, or reads less than the run asks for.
    """
    frozen = isinstance(settings, Stage2Run) and settings.frozen_documents
    plain = load_encoder(fetched.path, base, file_hashes=fetched.files) if frozen else None
    limits = {"query_tokens": settings.query_tokens, "window": settings.window or base.window}
    wanted = settings.prompt.variant if isinstance(settings, Stage2Run) else "training"
    prompt = wanted if base.kind == "decoder" else "eval"  # a bidirectional encoder has one form
    trained = load_encoder(
        fetched.path,
        base.model_copy(update=limits | {"dtype": "float32"}),
        file_hashes=fetched.files,
        prompt=prompt,
        document_tokens=min(settings.document_tokens, limits["window"]),
    )
    if not isinstance(trained, PooledEncoder | DecoderEncoder):
        raise InputError(f"{name} cannot be trained", hint="train its base model")
    return VectorObjective(trained, settings, CachedEncoder(plain, cache / "vectors") if plain else None)
