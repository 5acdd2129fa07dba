"""The interface through which first stages and rerankers obtain models; imports no loader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.entries import Entries
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.registry import ResolvedModel

Loaded = TypeVar("Loaded")


class ModelProvider(Protocol):
    """Loads models for first stages and rerankers, by any reference; ``catalogue`` knows their entries."""

    @property
    def catalogue(self) -> Entries: ...

    def encoder(self, reference: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        """Return the encoder, with a listwise prompt variant and a limit on document tokens."""
        ...

    def language_model(self, reference: str) -> LanguageModel: ...

    def loaded(self, reference: str, kind: str, load: Callable[[ResolvedModel], Loaded]) -> Loaded:
        """Return ``load(model)`` of a model of ``kind``, for families with their own loader; loaded once."""
        ...

    def resolve(self, reference: str, *kinds: str) -> ResolvedModel:
        """Return folder, hashes and entry of a model of one of ``kinds``.

        Raises
        ------
        InputError
            When the model is recognised as none of these kinds.
        """
        ...
