"""Language models and decoder embeddings run by vLLM on a GPU."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.checkpoints import load_config, load_tokenizer, loadable_folder
from e2rank_eval.models.encoders.backbone import Backbone, TokenSequence, unit_rows
from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.engines import BACKBONES, LANGUAGE_MODELS
from e2rank_eval.models.language_models import Generation, LocalModel
from e2rank_eval.models.registry import ModelEntry

MEMORY_SHARE = 0.45
"""Share of the GPU's memory for one engine, so that an encoder and a language model fit side by side."""

POOLING = {"pooling_type": "LAST"}
"""Set explicitly, since vLLM would otherwise take the pooling of a sentence-transformers folder."""


def load_engine(folder: Path, entry: ModelEntry, **arguments: Any) -> tuple[Any, Any, str]:
    """Return the vllm module, its ``LLM`` of a local checkpoint (safetensors, no code), and its version.

    The prefix cache is disabled, so that measured times do not depend on earlier prompts.

    Raises
    ------
    UnavailableError
        When vLLM is not installed, or there is no GPU for it.
    """
    import torch

    hint = "install requirements-gpu.lock on a machine with a GPU, or set engine: transformers"
    try:
        version = metadata.version("vllm")
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(f"engine vllm is not installed; {hint}") from error
    if not torch.cuda.is_available():
        raise UnavailableError(f"engine vllm finds no GPU; {hint}")
    vllm: Any = importlib.import_module("vllm")
    if arguments["runner"] == "pooling":
        arguments["pooler_config"] = importlib.import_module("vllm.config").PoolerConfig(**POOLING)
    engine = vllm.LLM(
        model=str(folder),
        tokenizer=str(folder),
        max_model_len=entry.window,
        dtype=entry.dtype,
        load_format="safetensors",
        trust_remote_code=False,
        enable_prefix_caching=False,
        gpu_memory_utilization=MEMORY_SHARE,
        seed=0,
        **arguments,
    )
    return vllm, engine, f"vllm {version}"


def _token_prompts(rows: Sequence[Sequence[int]]) -> list[dict[str, list[int]]]:
    """Return the ``TokensPrompt`` of each row, which vLLM reads without adding special tokens."""
    return [{"prompt_token_ids": list(row)} for row in rows]


class VllmBackbone(Backbone):
    """A decoder run by vLLM, with the same inputs and vectors as with transformers.

    vLLM forms the batches, so ``stable`` has no effect: a vector's last bits may depend on the other
    sequences. Vectors are normalised here, in float64, not by vLLM.
    """

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        vllm, self._engine, self.version = load_engine(folder, entry, runner="pooling", convert="embed")
        self._parameters = vllm.PoolingParams(use_activation=False)
        config = load_config(folder)
        dimension, tokenizer = int(config.hidden_size), load_tokenizer(folder)
        super().__init__(tokenizer, window=entry.window, dimension=dimension, dtype=entry.dtype, causal=True)

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:  # noqa: ARG002
        """Return unit vectors float32 [n, d]; raises InputError where one is not finite."""
        states = np.empty((len(sequences), self.dimension), dtype=np.float32)
        if len(sequences):
            prompts = _token_prompts([one.ids for one in sequences])
            found = self._engine.embed(prompts, pooling_params=self._parameters, use_tqdm=False)
            for row, one in enumerate(found):
                states[row] = one.outputs.embedding
        return unit_rows(states)


class VllmModel(LocalModel):
    """A chat model run by vLLM.

    Prompts are passed as token ids, so that vLLM's tokenizer and chat template are not used.
    """

    def __init__(self, folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> None:
        source = loadable_folder(folder, entry.format)
        # raw_logits: vLLM returns logits in place of log-probabilities.
        vllm, self._engine, version = load_engine(
            source, entry, runner="generate", logprobs_mode="raw_logits", max_logprobs=-1
        )
        self._sampling = vllm.SamplingParams
        super().__init__(
            load_tokenizer(source),
            folder,
            entry,
            file_hashes,
            engine=version,
            window=entry.window,
            dtype=entry.dtype,
        )

    def _generate(self, prompts: Sequence[list[int]], most: int) -> list[Generation]:
        found = [one.outputs[0] for one in self._ask(prompts, max_tokens=most)]
        return [
            Generation(
                self._tokens.text(one.token_ids),
                len(prompt),
                len(one.token_ids),
                finished=one.finish_reason == "stop",
            )
            for prompt, one in zip(prompts, found, strict=True)
        ]

    def _logits(self, prompts: Sequence[list[int]], columns: Sequence[int]) -> list[list[float]]:
        # -1 returns the whole vocabulary: a choice may not be among the likeliest tokens.
        found = [one.outputs[0].logprobs[0] for one in self._ask(prompts, max_tokens=1, logprobs=-1)]
        return [[one[column].logprob for column in columns] for one in found]

    def _ask(self, prompts: Sequence[Sequence[int]], **limits: Any) -> list[Any]:
        if not prompts:
            return []
        # Checkpoints have their own sampling settings; temperature 0 makes decoding greedy in any case.
        parameters = self._sampling(temperature=0.0, detokenize=False, **limits)
        found: list[Any] = self._engine.generate(_token_prompts(prompts), parameters, use_tqdm=False)
        return found


BACKBONES.add("vllm", VllmBackbone)
LANGUAGE_MODELS.add("vllm", VllmModel)
