"""What first stages and rerankers are given to load models from; imports no loader."""

from __future__ import annotations

from typing import Protocol

from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.registry import Prices, ResolvedModel


class ModelProvider(Protocol):
    """Loads models for first stages and rerankers, by any reference."""

    def encoder(self, reference: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        """Return the encoder with a listwise prompt variant and a limit on documents."""
        ...

    def language_model(self, reference: str) -> LanguageModel: ...

    def prices(self, reference: str | None) -> Prices | None:
        """Return what using a model is charged at; None where it runs here, or nobody has stated it."""
        ...

    def resolve(self, reference: str, *kinds: str) -> ResolvedModel:
        """Return folder, hashes and entry of a model that is one of ``kinds``, for families with a loader.

        Raises
        ------
        InputError
            When it is none of them, as its files have it.
        """
        ...
