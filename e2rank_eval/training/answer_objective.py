"""Training a listwise language model: it learns to write the teacher's ranking as RankGPT's prompt asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from e2rank_eval.config import ListwiseRun
from e2rank_eval.config.entries import ModelEntry
from e2rank_eval.errors import InputError
from e2rank_eval.models.language_models.tokenisation import ChatTokenizer
from e2rank_eval.models.truncation import share_budget
from e2rank_eval.rerankers.prompts.rankgpt import rankgpt_messages
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.objectives import Terms
from e2rank_eval.training.trainable import prepare_module

_IGNORED = -100


class AnswerObjective:
    """RankGPT-style fine-tuning: cross-entropy of the answer's tokens alone, ``[2] > [1] > ...``.

    The answer ends with the tokenizer's end token. Documents are cut to ``document_tokens`` and, where
    the prompt would still exceed the window, to a fair share of what is left.

    Raises
    ------
    InputError
        When the tokenizer has no end token or no chat template.
    """

    def __init__(self, model: Any, tokenizer: Any, settings: ListwiseRun, *, window: int) -> None:
        self.module = prepare_module(model, settings)
        self.transformer = self.module
        self.tokenizer = tokenizer
        self._settings = settings
        self._window = window
        self._tokens = ChatTokenizer(tokenizer, name=settings.title)
        if not self._tokens.end_ids:
            raise InputError("the tokenizer names no end token", hint="set eos_token in its configuration")

    @classmethod
    def load(cls, folder: Path, settings: ListwiseRun, base: ModelEntry) -> AnswerObjective:
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(model.to(device), tokenizer, settings, window=settings.window or base.window)

    def prepare(self, lists: Sequence[TrainingList]) -> None:
        """Nothing can be done ahead."""

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of the mean over the batch's answer tokens, list by list."""
        rows = [self._row(item) for item in lists]
        answers = sum(len(answer) for _, answer in rows)
        total = 0.0
        for number, (prompt, answer) in enumerate(rows):
            torch.manual_seed(seed + 1 + number)
            loss = self._loss(run, prompt, answer) / answers
            with accelerator.no_sync(run) if number + 1 < len(rows) else torch.enable_grad():
                accelerator.backward(loss)
            total += float(loss.detach())
        return {"loss": total}

    @torch.no_grad()
    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """``score`` is minus the mean loss of an answer token."""
        self.module.eval()
        try:
            rows = [self._row(item) for item in lists]
            total = sum(float(self._loss(self.module, *row)) for row in rows)
        finally:
            self.module.train()
        return {"score": -total / sum(len(answer) for _, answer in rows)}

    def _loss(self, run: Any, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
        """Summed cross-entropy of the answer's tokens after the prompt."""
        ids = torch.tensor([[*prompt, *answer]], device=self.module.device)
        logits = run(input_ids=ids, use_cache=False).logits[0, len(prompt) - 1 : -1].float()
        return functional.cross_entropy(logits, ids[0, len(prompt) :], reduction="sum")

    def _row(self, item: TrainingList) -> tuple[list[int], list[int]]:
        """Tokens of the prompt and of its answer."""
        order = sorted(range(len(item.documents)), key=lambda place: item.ranks[place])
        written = " > ".join(f"[{place + 1}]" for place in order)
        answer = [*self._tokens.ids(written), min(self._tokens.end_ids)]
        texts = [self._tokens.truncate(text, self._settings.document_tokens) for text in item.documents]
        lengths = [len(self._tokens.ids(text)) for text in texts]
        prompt = self._tokens.chat_ids(rankgpt_messages(item.query, texts))
        budget = sum(lengths)
        while (excess := len(prompt) + len(answer) - self._window) > 0:
            budget -= excess
            if budget < len(texts):
                raise InputError(
                    f"query {item.query[:40]!r} and {len(texts)} documents exceed {self._window} tokens",
                    hint="lower list_documents, or raise window",
                )
            shares = share_budget(lengths, budget)
            cut = [self._tokens.truncate(text, share) for text, share in zip(texts, shares, strict=True)]
            prompt = self._tokens.chat_ids(rankgpt_messages(item.query, cut))
        return prompt, answer
