"""SPLADE: a masked language model's texts as sparse vectors over its vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack
from transformers import AutoModelForMaskedLM

from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import STABLE_TOKENS, Batch, plan_batches, run_in_batches
from e2rank_eval.models.checkpoints import load_tokenizer, load_weights
from e2rank_eval.models.registry import ModelEntry

_BATCH_TOKENS = 2048
"""Each has a logit for every word of the vocabulary: 250 MB for the 30,522 of BERT."""


class Splade:
    """Weights of vocabulary entries: the maximum over positions of ``log(1 + relu(logit))``.

    Formal et al., SPLADE v2, arXiv 2109.10086, equations 1 and 6; special tokens take part, as in
    the authors' training. One model encodes queries and documents. sentence-transformers' SparseEncoder
    gives these vectors to 2e-5, but they then depend on the batch, and so does the memory.

    Raises
    ------
    InputError
        When the entry is of another kind, or the checkpoint lacks weights of the language model's head.
    """

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        if entry.kind != "sparse-encoder":
            raise InputError(f"{entry.title} is a {entry.kind}, not a sparse encoder", path=folder)
        self._limits = {"document": entry.document_tokens, "query": entry.query_tokens}
        self._window = entry.window
        self._tokenizer = load_tokenizer(folder)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = load_weights(AutoModelForMaskedLM, folder, "float32").to(self._device).eval()
        self.dimension = int(self._model.config.vocab_size)

    def encode(self, texts: Sequence[str], kind: Literal["document", "query"]) -> csr_matrix:
        """Non-negative float32 vectors [n, vocabulary], texts cut to the registry's limit for ``kind``."""
        if not texts:
            return csr_matrix((0, self.dimension), dtype=np.float32)
        ids: list[list[int]] = self._tokenizer(
            list(texts), truncation=True, max_length=self._limits[kind], verbose=False
        )["input_ids"]
        rows: list[csr_matrix | None] = [None] * len(ids)

        def run(batch: Batch) -> None:
            weights = csr_matrix(self._weights(batch, [ids[position] for position in batch.positions]))
            for row, position in enumerate(batch.positions):
                rows[position] = weights[row]

        plan = partial(plan_batches, window=self._window, least_tokens=STABLE_TOKENS)
        run_in_batches([len(one) for one in ids], plan, run, tokens=_BATCH_TOKENS)
        return vstack(rows, format="csr")

    @torch.inference_mode()
    def _weights(self, batch: Batch, sequences: Sequence[list[int]]) -> Any:
        ids = torch.full((len(sequences) + batch.filler, batch.length), self._tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        mask[:, 0] = 1  # filler rows attend to something, or their states would be NaN
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence)
            mask[row, : len(sequence)] = 1
        logits = self._model(input_ids=ids.to(self._device), attention_mask=mask.to(self._device)).logits
        # The maximum first: log(1 + relu(x)) rises with x, so it need not be taken at every position.
        highest = [logits[row, : len(sequence)].amax(dim=0) for row, sequence in enumerate(sequences)]
        return torch.log1p(torch.relu(torch.stack(highest))).cpu().numpy()
