"""Training a cross-encoder: one score for query and document together, RankNet over a list's scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from e2rank_eval.config import CrossEncoderRun
from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.batching import BATCH_TOKENS, Batch, plan_batches
from e2rank_eval.training.development import development_scores
from e2rank_eval.training.gradient_cache import differentiate, in_order
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.losses import ranknet
from e2rank_eval.training.objectives import Terms, padded
from e2rank_eval.training.trainable import prepare_module


class PairObjective:
    """The paper's pointwise baseline, trained on the same lists with the same pairwise loss.

    The head is new where the base model has none: drawn by the run's seed. Only documents are cut.
    """

    def __init__(self, model: Any, tokenizer: Any, settings: CrossEncoderRun) -> None:
        self.module = prepare_module(model, settings, unused=())
        self.transformer = self.module
        self.tokenizer = tokenizer
        self._settings = settings
        positions = int(getattr(model.config, "max_position_embeddings", settings.window or 512))
        self._window = min(settings.window or positions, positions)
        tokenizer.model_max_length = self._window

    @classmethod
    def load(cls, folder: Path, settings: CrossEncoderRun) -> PairObjective:
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=1, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(model.to(device), tokenizer, settings)

    def prepare(self, lists: Sequence[TrainingList]) -> None:
        """Nothing can be done ahead."""

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of this batch's RankNet loss."""
        rows = self._rows(lists)
        cached = self._settings.gradient_cache
        batches = self._batches(rows, cached)
        settings = self._settings.ranknet

        def forward(chunk: int) -> Tensor:
            torch.manual_seed(seed + 1 + chunk)  # dropout: the same however often a chunk runs
            return self._scores(run, batches[chunk], rows)

        def loss(outputs: Sequence[Tensor]) -> Tensor:
            scores, ranks = padded(in_order(outputs, batches), lists)
            return settings.weight * ranknet(scores, ranks, temperature=settings.temperature)

        value = differentiate(len(batches), forward, loss, accelerator, run, cached=cached is not None)
        return {"loss": float(value)}

    @torch.no_grad()
    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """nDCG@10 and pairs in order."""
        self.module.eval()
        try:
            found = []
            for item in lists:
                rows = self._rows([item])
                batches = self._batches(rows, None)
                outputs = [self._scores(self.module, batch, rows) for batch in batches]
                found.append(in_order(outputs, batches).double().cpu().numpy())
        finally:
            self.module.train()
        return development_scores(lists, found)

    def _rows(self, lists: Sequence[TrainingList]) -> list[dict[str, list[int]]]:
        """The tokens of each pair, list by list."""
        queries = [item.query for item in lists for _ in item.documents]
        documents = [text for item in lists for text in item.documents]
        self._check_room(lists)
        encoded = self.tokenizer(queries, documents, truncation="only_second", max_length=self._window)
        return [{name: encoded[name][row] for name in encoded} for row in range(len(queries))]

    def _check_room(self, lists: Sequence[TrainingList]) -> None:
        """The tokenizer cuts documents, never a query, and fails where nothing would be left of them."""
        room = self._window - self.tokenizer.num_special_tokens_to_add(pair=True)
        for item in lists:
            tokens = len(self.tokenizer(item.query, add_special_tokens=False)["input_ids"])
            if tokens >= room:
                raise InputError(
                    f"query {item.query[:40]!r} has {tokens} tokens; beside a document there is room for "
                    f"{room - 1}",
                    hint="raise window, or shorten the query",
                )

    def _batches(self, rows: Sequence[dict[str, list[int]]], tokens: int | None) -> list[Batch]:
        lengths = [len(row["input_ids"]) for row in rows]
        return plan_batches(lengths, self._window, batch_tokens=tokens or BATCH_TOKENS)

    def _scores(self, run: Any, batch: Batch, rows: Sequence[dict[str, list[int]]]) -> Tensor:
        chosen = [rows[position] for position in batch.positions]
        inputs = self.tokenizer.pad(
            chosen, padding="max_length", max_length=batch.length, return_tensors="pt"
        ).to(self.module.device)
        logits: Tensor = run(**inputs).logits
        return logits[:, 0].float()
