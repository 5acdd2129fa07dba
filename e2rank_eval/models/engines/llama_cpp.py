"""llama.cpp as the engine of text: a GGUF chat model in this process, through xllamacpp."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.checkpoints import gguf_file
from e2rank_eval.models.engines import LANGUAGE_MODELS
from e2rank_eval.models.language_models import (
    Generation,
    Identity,
    Likelihood,
    LocalModel,
    Message,
    NextToken,
)
from e2rank_eval.models.registry import ModelEntry

_PACKAGE = "xllamacpp"


class LlamaCppModel(LocalModel):
    """Weights stay quantised as the file has them: other logits, by a little, than dequantised ones.

    Prompts are sent as token ids, one at a time, and no prompt cache is kept between them: a chat has
    one answer whatever came before, and a measurement times work that was done.

    Raises
    ------
    InputError
        When the tokenizer has no chat template, or llama.cpp cannot read the file.
    UnavailableError
        When xllamacpp is not installed.
    """

    def __init__(self, file: Path, tokenizer: Any, identity: Identity, *, threads: int) -> None:
        super().__init__(tokenizer, identity)
        self._vocabulary = len(tokenizer)
        self._server = _server(file, identity.window, threads)

    def generate(
        self, chats: Sequence[Sequence[Message]], *, max_new_tokens: int, min_new_tokens: int = 0
    ) -> list[Generation]:
        """Continue each chat greedily. ``output_tokens`` includes the token that ends the answer.

        Raises
        ------
        InputError
            When a prompt and ``max_new_tokens`` exceed the window, or ``min_new_tokens`` is neither 0 nor
            ``max_new_tokens``: llama.cpp can forbid an end, but not for a while.
        """
        if min_new_tokens not in (0, max_new_tokens):
            raise InputError(
                f"llama.cpp cannot keep an answer between {min_new_tokens} and {max_new_tokens} tokens",
                hint="ask for no least length, or for an exact one",
            )
        prompts = self._prompts(chats, reserve=max_new_tokens)
        limits = {"max_tokens": max_new_tokens, "ignore_eos": min_new_tokens > 0}
        return [_generation(self._ask(prompt, limits)) for prompt in prompts]

    def next_token(self, chats: Sequence[Sequence[Message]], choices: Sequence[str]) -> NextToken:
        """Return log-probabilities of the choices, which are logits but for a constant of each prompt.

        Raises
        ------
        InputError
            When two choices begin with the same token, one has none, or a prompt exceeds the window.
        """
        columns = self._first_tokens(choices)
        prompts = self._prompts(chats, reserve=1)
        # The whole vocabulary is asked for: a choice may be far from the likeliest tokens.
        limits = {"max_tokens": 1, "logprobs": self._vocabulary}
        rows = []
        for prompt in prompts:
            position = self._ask(prompt, limits)["choices"][0]["logprobs"]["content"][0]
            found = {one["id"]: one["logprob"] for one in position["top_logprobs"]}
            rows.append([found[column] for column in columns])
        logits = np.array(rows, dtype=np.float32).reshape(-1, len(columns))
        return NextToken(logits, tuple(len(prompt) for prompt in prompts))

    def likelihood(
        self,
        chats: Sequence[Sequence[Message]],  # noqa: ARG002 - of the protocol
        continuations: Sequence[str],  # noqa: ARG002
    ) -> list[Likelihood]:
        """Raise InputError: its server gives no probabilities of a text that the model did not generate."""
        raise InputError(
            f"llama.cpp cannot tell how likely a given text is to {self.name!r}",
            hint="set engine: transformers, or name another prompt than query-likelihood",
        )

    def _ask(self, prompt: Sequence[int], limits: dict[str, Any]) -> dict[str, Any]:
        request = {"prompt": list(prompt), "temperature": 0.0, "cache_prompt": False, **limits}
        answer: dict[str, Any] = self._server.handle_completions(request)
        if "error" in answer:
            raise InputError(f"llama.cpp refused a prompt of {self.name!r}: {answer['error'].get('message')}")
        return answer


def _server(file: Path, window: int, threads: int) -> Any:
    xllamacpp = importlib.import_module(_PACKAGE)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(file)
    parameters.n_ctx = window
    parameters.n_parallel = 1  # slots would share the window, and rows of one batch their rounding
    parameters.n_gpu_layers = 0  # on a GPU, vLLM is the engine
    parameters.cpuparams.n_threads = threads
    parameters.cpuparams_batch.n_threads = threads
    parameters.warmup = False
    parameters.verbosity = -1
    try:
        return xllamacpp.Server(parameters)
    except Exception as error:
        raise InputError(f"llama.cpp cannot load it ({error})", path=file, hint="fetch it again") from error


def _generation(answer: dict[str, Any]) -> Generation:
    choice, usage = answer["choices"][0], answer["usage"]
    return Generation(
        choice["text"],
        usage["prompt_tokens"],
        usage["completion_tokens"],
        finished=choice["finish_reason"] == "stop",
    )


def _load(folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> LlamaCppModel:
    import torch
    from transformers import AutoTokenizer

    try:
        version = metadata.version(_PACKAGE)  # it brings its own llama.cpp
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(
            "engine llama.cpp is not installed; pip install 'e2rank-eval[llamacpp]' or set engine: "
            "transformers"
        ) from error
    file = gguf_file(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file.name, local_files_only=True)
    engine = f"{_PACKAGE} {version}"
    identity = Identity.of(
        folder, entry, file_hashes, engine=engine, window=entry.window, dtype="as in the file"
    )
    return LlamaCppModel(file, tokenizer, identity, threads=torch.get_num_threads())


LANGUAGE_MODELS.add("llama.cpp", _load)
