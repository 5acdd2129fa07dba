"""Models by registry name, fetched and loaded once per process."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from e2rank_eval.datasets.sources.fetch import Fetched
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.fetching import fetch_model
from e2rank_eval.models.language_models.base import LanguageModel
from e2rank_eval.models.registry import registered_model


class ModelProvider(Protocol):
    """What first stages and rerankers are given to load models from."""

    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        """The encoder ``name`` with a listwise prompt variant and a limit on documents."""
        ...

    def language_model(self, name: str) -> LanguageModel: ...

    def path(self, name: str) -> Path:
        """The local folder of a model's files, for families with a loader of their own."""
        ...


class Models:
    """Loads registry models from ``cache``, fetching what is missing.

    ``vector_cache=False`` keeps document vectors out of memory and disk between calls: latency
    must be measured on work that is really done. ``load_seconds`` adds up the time spent loading.
    """

    def __init__(self, cache: Path, *, threads: int, vector_cache: bool = True) -> None:
        self._cache = cache
        self._threads = threads
        self._vector_cache = vector_cache
        self._encoders: dict[tuple[str, str, int | None], Encoder] = {}
        self._language_models: dict[str, LanguageModel] = {}
        self.load_seconds = 0.0

    @property
    def keeps_vectors(self) -> bool:
        """Whether a document met before, in this process or an earlier one, costs nothing."""
        return self._vector_cache

    def encoder(self, name: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        key = (name, prompt, document_tokens)
        if key not in self._encoders:
            from e2rank_eval.models.encoders.cache import CachedEncoder
            from e2rank_eval.models.encoders.load import load_encoder
            from e2rank_eval.models.encoders.plain_texts import PlainTexts

            fetched = self._fetched(name)
            start = time.perf_counter()
            encoder = load_encoder(
                fetched.path,
                registered_model(name),
                file_hashes=fetched.files,
                prompt=prompt,
                document_tokens=document_tokens,
            )
            self.load_seconds += time.perf_counter() - start
            plain = registered_model(name).plain_model
            if plain is not None:
                encoder = PlainTexts(encoder, self.encoder(plain, document_tokens=document_tokens))
            elif self._vector_cache:
                encoder = CachedEncoder(encoder, self._cache / "vectors")
            self._encoders[key] = encoder
        return self._encoders[key]

    def language_model(self, name: str) -> LanguageModel:
        if name not in self._language_models:
            from e2rank_eval.models.language_models.load import load_language_model

            fetched = self._fetched(name)
            start = time.perf_counter()
            self._language_models[name] = load_language_model(
                fetched.path, registered_model(name), file_hashes=fetched.files
            )
            self.load_seconds += time.perf_counter() - start
        return self._language_models[name]

    def path(self, name: str) -> Path:
        return self._fetched(name).path

    def _fetched(self, name: str) -> Fetched:
        import torch

        torch.set_num_threads(self._threads)
        return fetch_model(name, self._cache)
