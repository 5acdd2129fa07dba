"""A GGUF chat model run by llama.cpp in this process, through xllamacpp."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.language_models.base import Generation, Likelihood, Message, NextToken
from e2rank_eval.models.language_models.local import LocalModel

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

    def __init__(
        self,
        file: Path,
        tokenizer: Any,
        *,
        name: str,
        fingerprint: str,
        window: int,
        document_tokens: int,
        threads: int,
    ) -> None:
        super().__init__(
            tokenizer, name=name, fingerprint=fingerprint, window=window, document_tokens=document_tokens
        )
        self._vocabulary = len(tokenizer)
        self._server = _server(file, window, threads)

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
        """Log-probabilities, which are logits but for a constant of each prompt, of the choices.

        Raises
        ------
        InputError
            As :meth:`TransformersModel.next_token`.
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
        """Raises InputError: its server tells no probabilities of a text that the model did not write."""
        raise InputError(
            f"llama.cpp cannot tell how likely a given text is to {self.name!r}",
            hint="set engine: transformers, or name another prompt than query-likelihood",
        )

    def synchronise(self) -> None:
        """Every call waits for its answer."""

    def _ask(self, prompt: Sequence[int], limits: dict[str, Any]) -> dict[str, Any]:
        request = {"prompt": list(prompt), "temperature": 0.0, "cache_prompt": False, **limits}
        answer: dict[str, Any] = self._server.handle_completions(request)
        if "error" in answer:
            raise InputError(f"llama.cpp refused a prompt of {self.name!r}: {answer['error'].get('message')}")
        return answer


def engine_version() -> str:
    """Version of xllamacpp, which brings its own llama.cpp; raises UnavailableError where it is missing."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError as error:
        raise UnavailableError(
            "engine llama.cpp is not here; pip install 'e2rank-eval[llamacpp]' or set engine: transformers"
        ) from error


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
