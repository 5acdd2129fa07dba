"""The paper's baselines in training: a cross-encoder (pointwise) and a listwise language model."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from e2rank_eval.config.training import CrossEncoderRun, ListwiseRun
from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import Batch
from e2rank_eval.models.checkpoints import device, load_tokenizer, load_weights, usable_positions
from e2rank_eval.models.language_models import ChatTokenizer
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.models.truncation import cut_tokens, share_budget
from e2rank_eval.rerankers.base import cut_query
from e2rank_eval.rerankers.prompts import rankgpt_messages
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.losses import ranknet
from e2rank_eval.training.objectives import (
    Objective,
    Terms,
    add_gradients,
    development_scores,
    list_loss,
    prepare_module,
    run_batches,
)


class PairObjective(Objective):
    """Trains a cross-encoder, which scores query and document together, by RankNet over a list.

    If the base model has no head, a new one is initialised by the run's seed. Texts are cut, and special
    tokens in them broken up, as when the trained model ranks
    (:class:`e2rank_eval.rerankers.pairs.PairReranker`).
    """

    def __init__(self, folder: Path, settings: CrossEncoderRun) -> None:
        # Weights may be missing: a cross-encoder starts with a new head.
        model = load_weights(AutoModelForSequenceClassification, folder, "float32", optional="", num_labels=1)
        self.module = prepare_module(model.to(device()), settings, unused=())
        self.tokenizer = load_tokenizer(folder)
        self._neutral = neutraliser(self.tokenizer)
        self._loss, self._limit = settings.ranknet, settings.list_documents
        positions = usable_positions(model) or settings.window or 512
        self._window = min(settings.window or positions, positions)
        self.tokenizer.model_max_length = self._window

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of this batch's weighted loss."""
        scores = self._scores(run, lists, seed=seed)
        loss = self._loss.weight * list_loss(ranknet, scores, lists, self._loss.temperature)
        return add_gradients({"loss": loss}, accelerator)

    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """Return nDCG@10 and the share of correctly ordered pairs of the lists, cut as in training.

        All candidates of 150 lists would take longer to score than hundreds of training steps.
        """
        if self._limit is not None:
            lists = [item.cut(self._limit) for item in lists]
        scores = self._scores(self.module, lists, seed=0).double().cpu()
        rows = scores.split([len(item.documents) for item in lists])  # type: ignore[no-untyped-call]
        return development_scores(lists, [row.numpy() for row in rows])

    def _rows(self, lists: Sequence[TrainingList]) -> list[dict[str, list[int]]]:
        """Return the tokens of each pair, list by list."""
        queries = [query for item in lists for query in [self._query(item.query)] * len(item.documents)]
        documents = [self._neutral(text) for item in lists for text in item.documents]
        encoded = self.tokenizer(queries, documents, truncation="only_second", max_length=self._window)
        return [{name: encoded[name][row] for name in encoded} for row in range(len(queries))]

    def _query(self, text: str) -> str:
        def tokens(query: str) -> int:
            return len(self.tokenizer([query], [""], verbose=False)["input_ids"][0])

        return cut_query(self._neutral(text), self._window, 0, tokens, partial(cut_tokens, self.tokenizer))

    def _scores(self, run: Any, lists: Sequence[TrainingList], *, seed: int) -> Tensor:
        """Return the score of each pair, list by list."""
        rows = self._rows(lists)

        def forward(batch: Batch) -> Tensor:
            chosen = [rows[position] for position in batch.positions]
            inputs = self.tokenizer.pad(
                chosen, padding="max_length", max_length=batch.length, return_tensors="pt"
            ).to(self.module.device)
            logits: Tensor = run(**inputs).logits
            return logits[:, 0].float()

        lengths = [len(row["input_ids"]) for row in rows]
        return run_batches(forward, lengths, self._window, self.module.device, seed=seed)


class AnswerObjective(Objective):
    """Trains a language model to generate the teacher's ranking, ``[2] > [1] > ...``, for RankGPT's prompt.

    The loss is the cross-entropy of the answer's tokens alone. The answer ends with the tokenizer's end
    token. Documents are cut to ``document_tokens`` and, if the prompt would still exceed the window, to
    a fair share of the remaining tokens.

    Raises
    ------
    InputError
        When the tokenizer has no end token or no chat template.
    """

    def __init__(self, folder: Path, settings: ListwiseRun, *, window: int) -> None:
        model = load_weights(AutoModelForCausalLM, folder, "float32")
        self.module = prepare_module(model.to(device()), settings)
        self.tokenizer = load_tokenizer(folder)
        self._settings = settings
        self._window = window
        self._tokens = ChatTokenizer(self.tokenizer, name=settings.title)
        if not self._tokens.end_ids:
            raise InputError("the tokenizer has no end token", hint="set eos_token in its configuration")

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of the mean loss over the batch's answer tokens, list by list."""
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

    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """Return ``score``, the negative mean loss per answer token."""
        rows = [self._row(item) for item in lists]
        total = sum(float(self._loss(self.module, *row)) for row in rows)
        return {"score": -total / sum(len(answer) for _, answer in rows)}

    def _loss(self, run: Any, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
        """Return the summed cross-entropy of the answer's tokens after the prompt."""
        ids = torch.tensor([[*prompt, *answer]], device=self.module.device)
        # The logits before a token predict it; the prompt's logits would be a fifth of a small model's work.
        logits = run(input_ids=ids, use_cache=False, logits_to_keep=len(answer) + 1).logits[0, :-1].float()
        return functional.cross_entropy(logits, ids[0, len(prompt) :], reduction="sum")

    def _row(self, item: TrainingList) -> tuple[list[int], list[int]]:
        """Return the tokens of the prompt and of its answer."""
        order = sorted(range(len(item.documents)), key=lambda place: item.ranks[place])
        ranking = " > ".join(f"[{place + 1}]" for place in order)
        answer = [*self._tokens.ids(ranking), min(self._tokens.end_ids)]
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
