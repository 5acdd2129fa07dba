"""The encoder of a registry entry, from its local folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.models.encoders.decoder import DecoderEncoder
from e2rank_eval.models.encoders.pooled import PooledEncoder
from e2rank_eval.models.encoders.pooling import read_pooling
from e2rank_eval.models.encoders.states import TransformerStates
from e2rank_eval.models.encoders.tokenised import TokenisedModel
from e2rank_eval.models.encoders.vllm_states import VllmStates
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.models.vllm_engine import engine_version


def load_encoder(
    folder: Path,
    entry: ModelEntry,
    *,
    file_hashes: Mapping[str, str],
    prompt: str = "eval",
    document_tokens: int | None = None,
) -> Encoder:
    """Load the model in ``folder``; ``file_hashes`` (its files' SHA-256) go into the fingerprints.

    ``prompt`` is the listwise variant of a decoder (a bidirectional encoder has one form of its own);
    ``document_tokens`` replaces the registry's limit. A bidirectional encoder's own ``max_seq_length``
    bounds the registry's limits, but not one that is asked for here.

    Raises
    ------
    InputError
        When the entry is no encoder, or its folder, limits or prompt variant cannot be honoured.
    UnavailableError
        When its engine is not here.
    """
    origin: dict[str, object] = {"files": dict(file_hashes)}
    if entry.engine == "llama.cpp":
        raise InputError(
            f"{entry.title} runs on llama.cpp, which only writes text here",
            hint="name an entry with engine: transformers",
        )
    if entry.kind == "decoder":
        if entry.engine == "vllm":
            origin["engine"] = f"vllm {engine_version()}"
        return DecoderEncoder(
            _states(loadable_folder(folder, entry.format), entry),
            name=entry.title,
            document_tokens=document_tokens or entry.document_tokens,
            query_tokens=entry.query_tokens,
            end_of_text=entry.end_of_text,
            instruction=entry.query_instruction,
            prompt=prompt,
            origin=origin,
        )
    if entry.kind != "encoder":
        raise InputError(
            f"{entry.title} is a {entry.kind}, not an encoder", hint="name an encoder or a decoder"
        )
    if prompt != "eval":
        raise InputError(
            f"{entry.title} reads no prompt {prompt!r}: an encoder has one listwise form of its own",
            hint="leave prompt out",
        )
    pooling = read_pooling(folder)
    longest = pooling.longest or entry.window
    return PooledEncoder(
        _states(loadable_folder(pooling.transformer, entry.format), entry),
        pooling,
        name=entry.title,
        document_tokens=document_tokens or min(entry.document_tokens, longest),
        query_tokens=min(entry.query_tokens, longest),
        instruction=entry.query_instruction,
        origin=origin,
    )


def _states(folder: Path, entry: ModelEntry) -> TokenisedModel:
    if entry.engine == "vllm":
        return VllmStates(folder, window=entry.window, dtype=entry.dtype)
    return TransformerStates(folder, window=entry.window, dtype=entry.dtype, causal=entry.kind == "decoder")
