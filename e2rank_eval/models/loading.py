"""Loading of encoders and language models, by reference or from a folder, once per process."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.encoders.base import Encoder, FrozenDocuments
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.encoders.decoder import DecoderEncoder
from e2rank_eval.models.encoders.form import read_form
from e2rank_eval.models.encoders.pooled import PooledEncoder
from e2rank_eval.models.engines import BACKBONES, LANGUAGE_MODELS
from e2rank_eval.models.engines.openai_vectors import ServedBackbone, ServedEncoder
from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.provider import Loaded
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import ModelEntry, ResolvedModel


def load_encoder(
    folder: Path,
    entry: ModelEntry,
    *,
    file_hashes: Mapping[str, str],
    prompt: str = "eval",
    document_tokens: int | None = None,
) -> PooledEncoder | DecoderEncoder:
    """Load the encoder in ``folder``; ``file_hashes`` (SHA-256 of its files) are part of the fingerprints.

    ``prompt`` is the listwise variant of a decoder (other encoders have a single listwise form);
    ``document_tokens`` replaces the registry's limit. The ``max_seq_length`` of a sentence-transformers
    model bounds the registry's limits, but not this argument.

    Raises
    ------
    InputError
        When the entry is neither an encoder nor a decoder, or its folder, limits, engine or prompt variant
        is not supported.
    UnavailableError
        When its engine is not installed, or needs a GPU that is missing.
    """
    if entry.kind == "decoder":
        backbone = BACKBONES[entry.engine](loadable_folder(folder, entry.format), entry)
        return DecoderEncoder(backbone, entry, file_hashes, prompt=prompt, document_tokens=document_tokens)
    if entry.kind != "encoder":
        raise InputError(
            f"{entry.title} is a {entry.kind}, not an encoder", hint="name an encoder or a decoder"
        )
    if prompt != "eval":
        raise InputError(
            f"{entry.title} has no prompt {prompt!r}: an encoder has a single listwise form",
            hint="remove prompt",
        )
    form = read_form(folder)
    backbone = BACKBONES[entry.engine](loadable_folder(form.transformer, entry.format), entry, form.head)
    return PooledEncoder(backbone, entry, form, file_hashes, document_tokens=document_tokens)


def served_encoder(entry: ModelEntry, *, prompt: str, document_tokens: int | None) -> Encoder:
    """Connect to a served encoder; E2Rank's prompt needs a decoder with ``server.tokenizer``.

    Raises
    ------
    InputError
        When the server refuses a request, or the prompt variant or a limit is not supported.
    UnavailableError
        When the server or the tokenizer cannot be reached.
    """
    if entry.kind == "encoder" or entry.server is None or entry.server.tokenizer is None:
        return ServedEncoder(entry, document_tokens)
    served = ServedBackbone(entry)
    return DecoderEncoder(served, entry, served.deciding, prompt=prompt, document_tokens=document_tokens)


def load_language_model(folder: Path, entry: ModelEntry, *, file_hashes: Mapping[str, str]) -> LanguageModel:
    """Load the causal language model in ``folder`` on the engine that its entry names.

    It runs on a GPU if there is one, in the entry's dtype; on a CPU always in float32. For an entry with a
    server, nothing is loaded. ``file_hashes`` (file name -> SHA-256) are part of the fingerprint. The window
    is the entry's, or the model's maximum number of positions if that is smaller.

    Raises
    ------
    InputError
        When the model is not a decoder, cannot be loaded from safetensors, lacks weights (such as the
        output layer of an embedding model), or has no chat template.
    UnavailableError
        When the key of the entry's server is not in the environment, or its engine is not installed.
    """
    if entry.kind != "decoder":
        raise InputError(
            f"{entry.title} is of kind {entry.kind!r} and cannot generate text",
            hint="name a model of kind decoder",
        )
    engine = "openai-http" if entry.server is not None else entry.engine
    return LANGUAGE_MODELS[engine](folder, entry, file_hashes)


class Models:
    """Loads models by any reference, and fetches missing files into ``cache``.

    ``vector_cache=False`` disables the cache of document vectors, so that latency is measured with all
    documents encoded. ``load_seconds`` is the total time spent on loading. ``catalogue`` knows the entries
    and resolves references; by default one without an experiment's entries.
    """

    def __init__(
        self, cache: Path, *, threads: int, vector_cache: bool = True, catalogue: Catalogue | None = None
    ) -> None:
        self._cache = cache
        self._threads = threads
        self._vector_cache = vector_cache
        self.catalogue = catalogue or Catalogue(cache)
        self._encoders: dict[tuple[str, str, int | None], Encoder] = {}
        self._loaded: dict[tuple[str, str], Any] = {}
        self.load_seconds = 0.0

    @classmethod
    def of(cls, configuration: Configuration, *, vector_cache: bool = True) -> Models:
        """Return the models of a configuration."""
        return cls(
            configuration.cache,
            threads=configuration.threads,
            vector_cache=vector_cache,
            catalogue=Catalogue.of(configuration),
        )

    def resolve(self, reference: str, *kinds: str) -> ResolvedModel:
        """Return the model restricted to ``kinds``; see :meth:`Catalogue.resolve`."""
        import torch

        torch.set_num_threads(self._threads)
        return self.catalogue.resolve(reference, *kinds)

    def encoder(self, reference: str, *, prompt: str = "eval", document_tokens: int | None = None) -> Encoder:
        key = (reference, prompt, document_tokens)
        if key not in self._encoders:
            found = self.resolve(reference, "encoder", "decoder")
            options: dict[str, Any] = {"prompt": prompt, "document_tokens": document_tokens}
            encoder: Encoder = self._timed(
                lambda: (
                    served_encoder(found.entry, **options)
                    if found.entry.server is not None
                    else load_encoder(found.path, found.entry, file_hashes=found.files, **options)
                )
            )
            plain = found.entry.plain_model
            if plain is not None:
                encoder = FrozenDocuments(encoder, self._plain(reference, plain, document_tokens))
            elif self._vector_cache:
                encoder = CachedEncoder(encoder, self._cache / "vectors")
            self._encoders[key] = encoder
        return self._encoders[key]

    def _plain(self, reference: str, plain: str, document_tokens: int | None) -> Encoder:
        try:
            return self.encoder(plain, document_tokens=document_tokens)
        except (InputError, UnavailableError) as error:
            problem = f"{reference}: its plain_model, which embeds documents: {error}"
            raise type(error)(problem) from error

    def language_model(self, reference: str) -> LanguageModel:
        return self.loaded(
            reference, "decoder", lambda it: load_language_model(it.path, it.entry, file_hashes=it.files)
        )

    def loaded(self, reference: str, kind: str, load: Callable[[ResolvedModel], Loaded]) -> Loaded:
        """Return ``load(model)`` of a model of ``kind``; it is called once, and its result kept."""
        if (reference, kind) not in self._loaded:
            found = self.resolve(reference, kind)
            self._loaded[reference, kind] = self._timed(lambda: load(found))
        kept: Loaded = self._loaded[reference, kind]
        return kept

    def _timed(self, load: Callable[[], Loaded]) -> Loaded:
        start = time.perf_counter()
        found = load()
        self.load_seconds += time.perf_counter() - start
        return found
