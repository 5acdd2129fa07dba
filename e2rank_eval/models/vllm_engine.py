"""vLLM where it is installed and a GPU is there; how it is told what to load and what to read."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval.errors import UnavailableError

MEMORY_SHARE = 0.45
"""Of the GPU for one engine, so that an encoder and a language model can stand side by side."""


def engine_version() -> str:
    """Version of vLLM.

    Raises
    ------
    UnavailableError
        When it is not installed, or there is no GPU for it.
    """
    import torch

    hint = "install requirements-gpu.lock on a machine with a GPU, or set engine: transformers"
    try:
        version = metadata.version("vllm")
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(f"engine vllm is not installed; {hint}") from error
    if not torch.cuda.is_available():
        raise UnavailableError(f"engine vllm finds no GPU; {hint}")
    return version


def load_engine(folder: Path, **arguments: Any) -> tuple[Any, Any]:
    """A ``vllm.LLM`` of the model in ``folder``, and the vllm module."""
    vllm: Any = importlib.import_module("vllm")
    return vllm.LLM(**engine_arguments(folder, **arguments)), vllm


def engine_arguments(folder: Path, *, window: int, dtype: str, **others: Any) -> dict[str, Any]:
    """Arguments of ``vllm.LLM`` for a local checkpoint: safetensors, none of its code, no prefix cache.

    Without a prefix cache, time spent does not depend on what was read before.
    """
    return {
        "model": str(folder),
        "tokenizer": str(folder),
        "max_model_len": window,
        "dtype": dtype,
        "load_format": "safetensors",
        "trust_remote_code": False,
        "enable_prefix_caching": False,
        "gpu_memory_utilization": MEMORY_SHARE,
        "seed": 0,
        **others,
    }


def token_prompts(rows: Sequence[Sequence[int]]) -> list[dict[str, list[int]]]:
    """``TokensPrompt`` of each row: read as it stands, with no special token added."""
    return [{"prompt_token_ids": list(row)} for row in rows]
