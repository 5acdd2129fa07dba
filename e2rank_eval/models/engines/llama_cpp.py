"""llama.cpp as the engine of text: a GGUF chat model in this process, through xllamacpp."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.checkpoints import gguf_file, load_tokenizer
from e2rank_eval.models.engines import LANGUAGE_MODELS
from e2rank_eval.models.language_models import Generation, LocalModel
from e2rank_eval.models.registry import ModelEntry


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

    def __init__(self, folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> None:
        try:
            version = metadata.version("xllamacpp")  # it brings its own llama.cpp
        except metadata.PackageNotFoundError as error:
            raise UnavailableError(
                "engine llama.cpp is not installed; pip install 'e2rank-eval[llamacpp]' or set engine: "
                "transformers"
            ) from error
        file = gguf_file(folder)
        super().__init__(
            load_tokenizer(folder, gguf_file=file.name),
            folder,
            entry,
            file_hashes,
            engine=f"xllamacpp {version}",
            window=entry.window,
            dtype="as in the file",
        )
        self._server = _server(file, entry.window)

    def _generate(self, prompts: Sequence[list[int]], most: int, least: int) -> list[Generation]:
        """Continue each prompt; raises InputError for a least length that is not 0 or the greatest one."""
        if least not in (0, most):  # llama.cpp can forbid an end, but not for a while
            raise InputError(
                f"llama.cpp cannot keep an answer between {least} and {most} tokens",
                hint="ask for no least length, or for an exact one",
            )
        found = [self._ask(prompt, max_tokens=most, ignore_eos=least > 0) for prompt in prompts]
        choices = [(answer["choices"][0], answer["usage"]) for answer in found]
        return [
            Generation(
                choice["text"],
                usage["prompt_tokens"],
                usage["completion_tokens"],
                finished=choice["finish_reason"] == "stop",
            )
            for choice, usage in choices
        ]

    def _logits(self, prompts: Sequence[list[int]], columns: Sequence[int]) -> list[list[float]]:
        rows = []
        for prompt in prompts:
            # The whole vocabulary is asked for: a choice may be far from the likeliest tokens.
            answer = self._ask(prompt, max_tokens=1, logprobs=self._tokens.size)
            position = answer["choices"][0]["logprobs"]["content"][0]
            found = {one["id"]: one["logprob"] for one in position["top_logprobs"]}
            rows.append([found[column] for column in columns])
        return rows

    def _ask(self, prompt: list[int], **limits: Any) -> dict[str, Any]:
        request = {"prompt": prompt, "temperature": 0.0, "cache_prompt": False, **limits}
        answer: dict[str, Any] = self._server.handle_completions(request)
        if "error" in answer:
            raise InputError(f"llama.cpp refused a prompt of {self.name!r}: {answer['error'].get('message')}")
        return answer


def _server(file: Path, window: int) -> Any:
    import torch

    xllamacpp = importlib.import_module("xllamacpp")
    threads = torch.get_num_threads()
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


LANGUAGE_MODELS.add("llama.cpp", LlamaCppModel)
