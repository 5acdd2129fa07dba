"""vLLM as an engine on a GPU: of text, and of decoders' vectors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.encoders.backbone import Backbone, TokenSequence, unit_rows
from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.engines import BACKBONES, LANGUAGE_MODELS
from e2rank_eval.models.language_models import (
    Generation,
    Identity,
    Likelihood,
    LocalModel,
    Message,
    NextToken,
)
from e2rank_eval.models.registry import ModelEntry

MEMORY_SHARE = 0.45
"""Share of the GPU's memory for one engine, so that an encoder and a language model fit side by side."""

POOLING = {"pooling_type": "LAST"}
"""Set rather than left to the checkpoint: vLLM would take another one from a sentence-transformers folder."""


def engine_arguments(folder: Path, *, window: int, dtype: str, **others: Any) -> dict[str, Any]:
    """Return arguments of ``vllm.LLM`` for a local checkpoint: safetensors, no code, no prefix cache.

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


def _version() -> str:
    import torch

    hint = "install requirements-gpu.lock on a machine with a GPU, or set engine: transformers"
    try:
        version = metadata.version("vllm")
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(f"engine vllm is not installed; {hint}") from error
    if not torch.cuda.is_available():
        raise UnavailableError(f"engine vllm finds no GPU; {hint}")
    return f"vllm {version}"


def _token_prompts(rows: Sequence[Sequence[int]]) -> list[dict[str, list[int]]]:
    """Return the ``TokensPrompt`` of each row, which vLLM reads without adding special tokens."""
    return [{"prompt_token_ids": list(row)} for row in rows]


class VllmBackbone(Backbone):
    """The same sequences in, the same vectors out as with transformers, for decoders.

    vLLM forms the batches, so ``stable`` promises nothing here: a vector's last bits may depend on the
    other sequences. The state is asked for as it is and brought to unit length here, in float64.
    """

    def __init__(
        self, engine: Any, parameters: Any, tokenizer: Any, *, window: int, dimension: int, dtype: str
    ) -> None:
        super().__init__(tokenizer, window=window, dimension=dimension, dtype=dtype)
        self._engine = engine
        self._parameters = parameters

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:  # noqa: ARG002
        """Return unit vectors float32 [n, d]; raises InputError where one is not finite."""
        states = np.empty((len(sequences), self.dimension), dtype=np.float32)
        if len(sequences):
            prompts = _token_prompts([one.ids for one in sequences])
            found = self._engine.embed(prompts, pooling_params=self._parameters, use_tqdm=False)
            for row, one in enumerate(found):
                states[row] = one.outputs.embedding
        return unit_rows(states)

    def synchronise(self) -> None:
        """Do nothing: every call waits for its answers."""


class VllmModel(LocalModel):
    """``engine`` is a ``vllm.LLM``; ``sampling`` its ``SamplingParams``. It forms the batches itself.

    Prompts are sent as token ids, so vLLM's own chat template and tokenizer play no part.
    """

    def __init__(self, engine: Any, sampling: Any, tokenizer: Any, identity: Identity) -> None:
        super().__init__(tokenizer, identity)
        self._engine = engine
        self._sampling = sampling

    def generate(
        self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        """Continue each chat greedily. ``output_tokens`` includes the token that ends the answer."""
        prompts = self._prompts(chats, reserve=max_new_tokens)
        answers = self._ask(prompts, max_tokens=max_new_tokens, min_tokens=min_new_tokens)
        return [
            Generation(
                self._tokens.text(one.outputs[0].token_ids),
                len(prompt),
                len(one.outputs[0].token_ids),
                finished=one.outputs[0].finish_reason == "stop",
            )
            for prompt, one in zip(prompts, answers, strict=True)
        ]

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        """Return logits of the first token of each choice as the next token after each chat."""
        columns = self._first_tokens(choices)
        prompts = self._prompts(chats, reserve=1)
        # -1 asks for the whole vocabulary: a choice may be far from the likeliest tokens.
        answers = self._ask(prompts, max_tokens=1, logprobs=-1)
        rows = [[one.outputs[0].logprobs[0][column].logprob for column in columns] for one in answers]
        logits = np.array(rows, dtype=np.float32).reshape(-1, len(columns))
        return NextToken(logits, tuple(len(prompt) for prompt in prompts))

    def likelihood(
        self, chats: Sequence[Sequence[Message]], continuations: Sequence[str]
    ) -> list[Likelihood]:
        """Return the mean log-probability of the tokens of each continuation as the answer to its chat.

        Its logits are those of a prompt: each position's whole vocabulary, normalised here.
        """
        answers = self._answers(continuations)
        prompts = self._prompts(chats, reserve=max((len(answer) for answer in answers), default=0))
        rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        found = self._ask(rows, max_tokens=1, prompt_logprobs=-1)
        return [
            Likelihood(_mean(one.prompt_logprobs[-len(answer) :], answer), len(row))
            for one, answer, row in zip(found, answers, rows, strict=True)
        ]

    def _ask(self, prompts: Sequence[Sequence[int]], **limits: Any) -> list[Any]:
        if not prompts:
            return []
        # Checkpoints come with sampling settings of their own; temperature 0 is greedy whatever they say.
        parameters = self._sampling(temperature=0.0, detokenize=False, **limits)
        found: list[Any] = self._engine.generate(_token_prompts(prompts), parameters, use_tqdm=False)
        return found


def _mean(positions: Sequence[Any], answer: Sequence[int]) -> float:
    scores = []
    for position, token in zip(positions, answer, strict=True):
        logits = np.array([one.logprob for one in position.values()], dtype=np.float64)
        highest = logits.max()
        total = highest + np.log(np.exp(logits - highest).sum())
        scores.append(position[token].logprob - total)
    return float(np.mean(scores))


def _load_backbone(folder: Path, entry: ModelEntry) -> VllmBackbone:
    from transformers import AutoConfig, AutoTokenizer

    version = _version()
    vllm: Any = importlib.import_module("vllm")
    engine = vllm.LLM(
        **engine_arguments(
            folder,
            window=entry.window,
            dtype=entry.dtype,
            runner="pooling",
            convert="embed",
            pooler_config=vllm.config.PoolerConfig(**POOLING),
        )
    )
    backbone = VllmBackbone(
        engine,
        vllm.PoolingParams(use_activation=False),
        AutoTokenizer.from_pretrained(folder, local_files_only=True),
        window=entry.window,
        dimension=int(AutoConfig.from_pretrained(folder, local_files_only=True).hidden_size),
        dtype=entry.dtype,
    )
    backbone.version = version
    return backbone


def _load_text(folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> VllmModel:
    from transformers import AutoTokenizer

    version = _version()
    source = loadable_folder(folder, entry.format)
    vllm: Any = importlib.import_module("vllm")
    # raw_logits: where log-probabilities are asked for, vLLM returns the head's own output.
    engine = vllm.LLM(
        **engine_arguments(
            source,
            window=entry.window,
            dtype=entry.dtype,
            runner="generate",
            logprobs_mode="raw_logits",
            max_logprobs=-1,
        )
    )
    tokenizer = AutoTokenizer.from_pretrained(source, local_files_only=True)
    identity = Identity.of(folder, entry, file_hashes, engine=version, window=entry.window, dtype=entry.dtype)
    return VllmModel(engine, vllm.SamplingParams, tokenizer, identity)


BACKBONES.add("vllm", _load_backbone)
LANGUAGE_MODELS.add("vllm", _load_text)
