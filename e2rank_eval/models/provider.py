"""What first stages and rerankers are given to load models from; imports no loader."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.language_models import LanguageModel


class ModelProvider(Protocol):
    """Loads models for first stages and rerankers."""

    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        """Return the encoder ``name`` with a listwise prompt variant and a limit on documents."""
        ...

    def language_model(self, name: str) -> LanguageModel: ...

    def path(self, name: str) -> Path:
        """Return the local folder of a model's files, for families with a loader of their own."""
        ...
