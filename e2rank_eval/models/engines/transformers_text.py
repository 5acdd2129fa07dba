"""Language models run by transformers: greedy answers, logits and likelihoods, batched by tokens."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForCausalLM, GenerationConfig

from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import Batch, plan_groups, run_in_batches
from e2rank_eval.models.checkpoints import (
    dtype_of,
    load_for_inference,
    load_tokenizer,
    loadable_folder,
    usable_positions,
)
from e2rank_eval.models.engines import LANGUAGE_MODELS
from e2rank_eval.models.language_models import Chat, Generation, Likelihood, LocalModel
from e2rank_eval.models.registry import ModelEntry

_TOKEN_BUDGET = {"cpu": 8192, "cuda": 131_072}


class TransformersModel(LocalModel):
    """A causal language model run by transformers, on a GPU if there is one, else on the CPU in float32.

    ``token_budget`` limits rows times longest row of a batch. Rows are padded on the left and padding is
    masked, so that a chat gives the same text in any batch (in float32; in half precision near ties
    between two tokens can go either way).

    Raises
    ------
    InputError
        When the model cannot be loaded, lacks weights, or its tokenizer has no chat template.
    """

    def __init__(self, folder: Path, entry: ModelEntry, file_hashes: Mapping[str, str]) -> None:
        source = loadable_folder(folder, entry.format)
        model = load_for_inference(AutoModelForCausalLM, source, entry.dtype)
        super().__init__(
            load_tokenizer(source),
            folder,
            entry,
            file_hashes,
            engine="transformers",
            window=min(entry.window, usable_positions(model) or entry.window),
            dtype=dtype_of(model),
        )
        self._model = model
        self.token_budget = _TOKEN_BUDGET[model.device.type]
        self.end_ids = sorted(self._tokens.end_ids | _end_ids(model.generation_config))
        """Tokens that end an answer; without any, every answer has the most tokens."""
        self._parameters = inspect.signature(model.forward).parameters
        # The checkpoint's own sampling settings would be merged into every call.
        model.generation_config = _greedy()

    @torch.inference_mode()
    def _generate(self, prompts: Sequence[list[int]], most: int) -> list[Generation]:
        settings = _greedy(
            max_new_tokens=most,
            eos_token_id=self.end_ids or None,
            pad_token_id=self._tokens.pad_id,
        )
        generations: dict[int, Generation] = {}

        def run(batch: Batch) -> None:
            inputs = self._padded([prompts[position] for position in batch.positions])
            rows = self._model.generate(**inputs, generation_config=settings)
            rows = rows[:, inputs["input_ids"].shape[1] :].tolist()
            for position, row in zip(batch.positions, rows, strict=True):
                generations[position] = self._generation(row, len(prompts[position]))

        self._run([len(prompt) + most for prompt in prompts], run)
        return [generations[position] for position in range(len(prompts))]

    @torch.inference_mode()
    def _logits(self, prompts: Sequence[list[int]], columns: Sequence[int]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = np.empty((len(prompts), len(columns)), dtype=np.float32)

        def run(batch: Batch) -> None:
            last = self._last_logits([prompts[position] for position in batch.positions], 1)[:, -1]
            logits[list(batch.positions)] = last[:, columns].float().cpu().numpy()

        self._run([len(prompt) for prompt in prompts], run)
        return logits

    @torch.inference_mode()
    def likelihood(self, chats: Sequence[Chat], continuations: Sequence[str]) -> list[Likelihood]:
        """Return the mean log-probability of the tokens of each continuation as the answer to its chat."""
        answers = [self._tokens.ids(text) for text in continuations]
        if not all(answers):
            raise InputError("a text without tokens has no likelihood", hint="remove it")
        longest = max((len(answer) for answer in answers), default=0)
        prompts = self._prompts(chats, [len(answer) for answer in answers])
        rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        means: dict[int, float] = {}

        def run(batch: Batch) -> None:
            # The logits at a position predict the next token: keep one more position than answer tokens.
            logits = self._last_logits([rows[position] for position in batch.positions], longest + 1)
            for position, row in zip(batch.positions, logits, strict=True):
                answer = answers[position]
                scores = row[-len(answer) - 1 : -1].float().log_softmax(-1)
                wanted = torch.tensor(answer, device=scores.device)
                means[position] = float(scores.gather(-1, wanted[:, None]).mean())

        self._run([len(row) for row in rows], run)
        return [Likelihood(means[position], len(row)) for position, row in enumerate(rows)]

    def _run(self, lengths: Sequence[int], run: Callable[[Batch], None]) -> None:
        run_in_batches(lengths, plan_groups, run, tokens=self.token_budget)

    def _last_logits(self, rows: Sequence[Sequence[int]], kept: int) -> Any:
        """Return logits [rows, at least ``kept``, vocabulary] of the last positions."""
        inputs = self._padded(rows)
        if "position_ids" in self._parameters:
            inputs["position_ids"] = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        if "logits_to_keep" in self._parameters:
            inputs["logits_to_keep"] = kept
        return self._model(**inputs, use_cache=False).logits

    def _padded(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        """Return ``input_ids`` and ``attention_mask`` [rows, longest], padded on the left."""
        longest = max(len(row) for row in rows)
        pad = self._tokens.pad_id
        ids = [[pad] * (longest - len(row)) + list(row) for row in rows]
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        place = self._model.device
        return {
            "input_ids": torch.tensor(ids, device=place),
            "attention_mask": torch.tensor(mask, device=place),
        }

    def _generation(self, row: Sequence[int], prompt_tokens: int) -> Generation:
        end = next((place for place, token in enumerate(row) if token in self.end_ids), None)
        text = self._tokens.text(row if end is None else row[:end])
        return Generation(text, prompt_tokens, len(row) if end is None else end + 1, end is not None)


def _greedy(**limits: Any) -> Any:
    configuration: Any = GenerationConfig
    return configuration(do_sample=False, num_beams=1, use_cache=True, **limits)


def _end_ids(settings: Any) -> set[int]:
    ids = settings.eos_token_id
    if ids is None:
        return set()
    return {int(one) for one in (ids if isinstance(ids, Sequence) else [ids])}


LANGUAGE_MODELS.add("transformers", TransformersModel)
