"""Loads a registry model as a language model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from e2rank_eval.errors import InputError
from e2rank_eval.models import vllm_engine
from e2rank_eval.models.checkpoints import dtype_on, gguf_file, loadable_folder
from e2rank_eval.models.language_models import llama_cpp
from e2rank_eval.models.language_models.base import LanguageModel
from e2rank_eval.models.language_models.http_model import HttpModel
from e2rank_eval.models.language_models.transformers_model import TransformersModel
from e2rank_eval.models.language_models.vllm_model import LOGPROBS_MODE, VllmModel
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.store.files import sha256_json

_TOKEN_BUDGET = {"cpu": 8192, "cuda": 131_072}


def load_language_model(folder: Path, entry: ModelEntry, *, file_hashes: Mapping[str, str]) -> LanguageModel:
    """The causal language model in ``folder``, on the engine that its entry names.

    It runs on a GPU where there is one, in the entry's dtype; on a CPU always in float32. Where the
    entry names a server, nothing is loaded and the server is asked instead.

    ``file_hashes`` (file name -> SHA-256) make the fingerprint, with everything else that decides an
    output. The window is the entry's, or the positions that the model was built for if fewer.

    Raises
    ------
    InputError
        When the model is no decoder, cannot be loaded from safetensors, lacks weights (such as the
        output layer of an embedding model), or has no chat template.
    UnavailableError
        When the entry names a server whose key is not in the environment, or an engine that is not here.
    """
    if entry.kind != "decoder":
        raise InputError(
            f"{entry.title} is of kind {entry.kind!r} and writes no text", hint="name a model of kind decoder"
        )
    if entry.server is not None:
        return HttpModel(folder.name, entry)
    load = {"vllm": _on_vllm, "llama.cpp": _on_llama_cpp}.get(entry.engine, _on_transformers)
    return load(folder, entry, file_hashes)


def _on_transformers(folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> LanguageModel:
    source = loadable_folder(folder, entry.format)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = dtype_on(device, entry.dtype)
    silence: Any = transformers_logging.disable_progress_bar
    silence()
    loader: Any = AutoModelForCausalLM
    try:
        model, loading = loader.from_pretrained(
            source,
            dtype=getattr(torch, dtype),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be loaded as a causal language model ({error})", path=folder, hint="fetch it again"
        ) from error
    missing = sorted(loading["missing_keys"])
    if missing:
        raise InputError(
            f"weights are missing and would be random: {', '.join(missing[:5])}",
            path=folder,
            hint="name a checkpoint with a language-model head",
        )
    window = min(entry.window, getattr(model.config, "max_position_embeddings", entry.window))
    return TransformersModel(
        model.to(device),
        tokenizer,
        token_budget=_TOKEN_BUDGET[device],
        **_common(folder, entry, file_hashes, "transformers", window, dtype),
    )


def _on_llama_cpp(folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> LanguageModel:
    engine = f"xllamacpp {llama_cpp.engine_version()}"
    file = gguf_file(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file.name, local_files_only=True)
    return llama_cpp.LlamaCppModel(
        file,
        tokenizer,
        threads=torch.get_num_threads(),
        **_common(folder, entry, file_hashes, engine, entry.window, "as in the file"),
    )


def _on_vllm(folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> LanguageModel:
    engine = f"vllm {vllm_engine.engine_version()}"
    source = loadable_folder(folder, entry.format)
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    model, vllm = vllm_engine.load_engine(
        source,
        window=entry.window,
        dtype=entry.dtype,
        runner="generate",
        logprobs_mode=LOGPROBS_MODE,
        max_logprobs=-1,
    )
    return VllmModel(
        model,
        vllm.SamplingParams,
        tokenizer,
        **_common(folder, entry, file_hashes, engine, entry.window, entry.dtype),
    )


def _common(
    folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str], engine: str, window: int, dtype: str
) -> dict[str, Any]:
    settings = {"engine": engine, "window": window, "dtype": dtype, "files": dict(file_hashes)}
    return {
        "name": folder.name,
        "fingerprint": sha256_json(settings),
        "window": window,
        "document_tokens": entry.document_tokens,
    }
