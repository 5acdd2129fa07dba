"""transformers as the engine of encoders: the mean of chosen final hidden states, as unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import BATCH_TOKENS, STABLE_TOKENS, Batch, plan_batches, run_in_batches
from e2rank_eval.models.checkpoints import device, dtype_on, load_weights
from e2rank_eval.models.encoders.backbone import Backbone, TokenSequence, unit_rows
from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.engines import BACKBONES
from e2rank_eval.models.engines.packing import (
    PACK_TOKENS,
    can_pack,
    packed_inputs,
    plan_packs,
    within_sequences,
)
from e2rank_eval.models.registry import ModelEntry

_CUDA_BATCH_TOKENS = 32_768


class TransformersBackbone(Backbone):
    """A transformer's body (no head) in inference mode on the best device, and its tokenizer.

    In a decoder a position attends only to those before it: padding on the right then needs no mask.
    :attr:`model` is the module itself, which training changes in place. Weights are read from
    safetensors only, and no code that comes with them is run.

    Raises
    ------
    InputError
        When the window exceeds the model's positions, or the folder lacks some weights, which
        would be drawn at random.
    """

    def __init__(self, folder: Path, entry: ModelEntry) -> None:
        self.device = torch.device(device())
        dtype = dtype_on(self.device.type, entry.dtype)
        self._causal = entry.kind == "decoder"
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        # BERT's pooler is a head that no vector here goes through; many encoders are published without it.
        model = load_weights(AutoModel, folder, dtype, optional="pooler.")
        self.model: Any = model.to(self.device).eval()
        config = self.model.config
        positions = getattr(config, "max_position_embeddings", None)
        if positions is not None and entry.window > positions:
            raise InputError(
                f"a window of {entry.window} tokens, but the model has {positions} positions",
                path=folder, hint="lower window in the model registry",
            )  # fmt: skip
        super().__init__(tokenizer, window=entry.window, dimension=int(config.hidden_size), dtype=dtype)
        self._padding = self.tokenizer.pad_token_id or 0  # any id serves: no real position attends to it

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:
        """Return unit vectors float32 [n, d] in the order of the input.

        With ``stable`` a vector's bits do not depend on the other sequences, at the price of filler
        rows in small batches; without it they agree to about 1e-7. Where a batch runs out of memory,
        smaller ones follow, which is logged: on a CPU stable bits stay as they are, while on a GPU the
        vectors from then on may differ in their last bits, as its libraries promise equal bits for equal
        shapes only.

        Raises
        ------
        InputError
            When a sequence has no token, or a state is not finite.
        UnavailableError
            When the smallest batch does not fit the memory.
        """
        means = np.empty((len(sequences), self.dimension), dtype=np.float32)
        lengths = [len(sequence.ids) for sequence in sequences]
        if 0 in lengths:
            raise InputError(
                f"text {lengths.index(0) + 1} of {len(lengths)} has no token",
                hint="remove it: this tokenizer adds no token of its own to an empty text",
            )

        def run(compute: Callable[[Batch, Sequence[TokenSequence]], torch.Tensor], batch: Batch) -> None:
            chosen = [sequences[position] for position in batch.positions]
            means[list(batch.positions)] = compute(batch, chosen).cpu().numpy()

        least_tokens = STABLE_TOKENS if stable else 0
        on_cuda = self.device.type == "cuda"
        with torch.inference_mode():
            if can_pack(self.model):
                plan = partial(plan_packs, least_tokens=least_tokens)
                with within_sequences(self.model):
                    run_in_batches(lengths, plan, partial(run, self._packed_means), tokens=PACK_TOKENS)
            else:
                padded = partial(
                    plan_batches, window=self.window, least_tokens=least_tokens, full=stable and on_cuda
                )
                tokens = _CUDA_BATCH_TOKENS if on_cuda else BATCH_TOKENS
                run_in_batches(lengths, padded, partial(run, self.means), tokens=tokens)
        return unit_rows(means)

    def _packed_means(self, pack: Batch, sequences: Sequence[TokenSequence]) -> torch.Tensor:
        inputs = packed_inputs([one.ids for one in sequences], pack.filler, padding=self._padding)
        if self._causal:
            inputs["use_cache"] = False
        states = self.model(**inputs).last_hidden_state[0]
        ends = accumulate(len(one.ids) for one in sequences)
        return torch.stack(
            [_mean(states[end - len(one.ids) : end], one) for one, end in zip(sequences, ends, strict=True)]
        )

    def means(self, batch: Batch, sequences: Sequence[TokenSequence], *, model: Any = None) -> torch.Tensor:
        """Return the mean states of ``sequences`` as float32 [n, d], with gradients where they are on.

        ``batch`` says how they are padded; ``model`` runs them instead of :attr:`model`, such as a
        wrapper of it that trains on several devices.
        """
        ids = torch.full((len(sequences) + batch.filler, batch.length), self._padding, dtype=torch.long)
        mask = torch.zeros_like(ids)
        mask[:, 0] = 1  # filler rows attend to something, or their states would be NaN
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence.ids)] = torch.tensor(sequence.ids)
            mask[row, : len(sequence.ids)] = 1
        inputs: dict[str, Any] = {"input_ids": ids.to(self.device)}
        inputs |= {"use_cache": False} if self._causal else {"attention_mask": mask.to(self.device)}
        states = (self.model if model is None else model)(**inputs).last_hidden_state
        return torch.stack([_mean(states[row], one) for row, one in enumerate(sequences)])

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _mean(states: torch.Tensor, sequence: TokenSequence) -> torch.Tensor:
    """Average one sequence by itself: a mean over a whole batch would add in an order that depends on it."""
    return states[sequence.start : sequence.stop].float().mean(0)


BACKBONES.add("transformers", TransformersBackbone)
