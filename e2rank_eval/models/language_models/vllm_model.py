"""A chat model run by vLLM on a GPU: its requests, and its answers read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from e2rank_eval.models.language_models.base import Generation, Likelihood, Message, NextToken
from e2rank_eval.models.language_models.local import LocalModel
from e2rank_eval.models.vllm_engine import token_prompts

LOGPROBS_MODE = "raw_logits"
"""What vLLM is told to return where it is asked for log-probabilities: the head's own output."""


class VllmModel(LocalModel):
    """``engine`` is a ``vllm.LLM``; ``sampling`` its ``SamplingParams``. It forms the batches itself.

    Prompts are sent as token ids, so vLLM's own chat template and tokenizer play no part.
    """

    def __init__(
        self,
        engine: Any,
        sampling: Any,
        tokenizer: Any,
        *,
        name: str,
        fingerprint: str,
        window: int,
        document_tokens: int,
    ) -> None:
        super().__init__(
            tokenizer, name=name, fingerprint=fingerprint, window=window, document_tokens=document_tokens
        )
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
        """Logits of the first token of each choice as the next token after each chat."""
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
        """Mean log-probability of the tokens of each continuation as the answer to its chat.

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

    def synchronise(self) -> None:
        """Every call waits for its answers."""

    def _ask(self, prompts: Sequence[Sequence[int]], **limits: Any) -> list[Any]:
        if not prompts:
            return []
        # Checkpoints come with sampling settings of their own; temperature 0 is greedy whatever they say.
        parameters = self._sampling(temperature=0.0, detokenize=False, **limits)
        found: list[Any] = self._engine.generate(token_prompts(prompts), parameters, use_tqdm=False)
        return found


def _mean(positions: Sequence[Any], answer: Sequence[int]) -> float:
    scores = []
    for position, token in zip(positions, answer, strict=True):
        logits = np.array([one.logprob for one in position.values()], dtype=np.float64)
        highest = logits.max()
        total = highest + np.log(np.exp(logits - highest).sum())
        scores.append(position[token].logprob - total)
    return float(np.mean(scores))
