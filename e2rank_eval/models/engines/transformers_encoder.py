"""Encoders run by transformers: pooled final hidden states as unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    AutoModel,
    AutoModelForTextEncoding,
)

from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import (
    BATCH_TOKENS,
    STABLE_TOKENS,
    Batch,
    padded_rows,
    plan_batches,
    run_in_batches,
)
from e2rank_eval.models.checkpoints import (
    dtype_of,
    first_position,
    load_config,
    load_for_inference,
    load_tokenizer,
    usable_positions,
)
from e2rank_eval.models.encoders.backbone import Backbone, TokenSequence, unit_rows
from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.encoders.form import Head, Pooler
from e2rank_eval.models.engines import BACKBONES
from e2rank_eval.models.engines.packing import (
    PACK_TOKENS,
    can_pack,
    packed_inputs,
    plan_packs,
    within_sequences,
)
from e2rank_eval.models.registry import ModelEntry

_CUDA_BATCH_TOKENS, _CUDA_STABLE_TOKENS, _CUDA_STEP = 32_768, 8192, 64
"""On a GPU: padded tokens of a batch, the same for batches with stable bits, and the step of padded lengths.

Stable bits need equal shapes, so every batch is filled up, however few sequences it has. Fewer padded lengths
and smaller batches than would be best for long runs limit the cost of this filler for a single query. The
numbers are estimates: no others have been measured on a GPU.
"""


class TransformersBackbone(Backbone):
    """A transformer's body (no head) in inference mode on the best device, and its tokenizer.

    With causal attention, padding on the right needs no mask. ``head`` turns final states into vectors;
    without one, they are averaged. :attr:`model` is the PyTorch module, which training changes in place.
    Weights are read from safetensors only, and code of the checkpoint never runs.

    Raises
    ------
    InputError
        When the window exceeds the model's positions, or weights are missing, which transformers would
        initialise at random.
    """

    def __init__(self, folder: Path, entry: ModelEntry, head: Head | None = None) -> None:
        tokenizer = load_tokenizer(folder)
        config = load_config(folder)
        # AutoModelForTextEncoding loads only the encoder of a T5.
        body = AutoModelForTextEncoding if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING else AutoModel
        # BERT's pooler is not used, and many encoders are published without its weights.
        self.model: Any = load_for_inference(body, folder, entry.dtype, optional="pooler.")
        self.device: torch.device = self.model.device
        self.first_position = first_position(self.model)
        positions = usable_positions(self.model)
        if positions is not None and entry.window > positions:
            raise InputError(
                f"a window of {entry.window} tokens, but the model has {positions} positions",
                path=folder, hint="lower window in the model registry",
            )  # fmt: skip
        width = int(self.model.config.hidden_size)
        self.pool = Pooler(head or Head(), width, self.device)
        super().__init__(
            tokenizer,
            window=entry.window,
            dimension=self.pool.dimension,
            dtype=dtype_of(self.model),
            causal=_is_causal(self.model),
        )
        self._padding = (
            self.tokenizer.pad_token_id or 0
        )  # any id will do: no real position attends to padding

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:
        """Return unit vectors float32 [n, d] in the order of the input.

        With ``stable`` a vector's bits do not depend on the other sequences, at the cost of filler rows in
        small batches; without it vectors agree to about 1e-7. If a batch runs out of memory, the batches
        become smaller, which is logged. This does not change stable bits on a CPU; on a GPU, whose
        libraries guarantee equal bits only for equal shapes, the last bits of later vectors may differ.

        Raises
        ------
        InputError
            When a sequence has no token, or a state is not finite.
        UnavailableError
            When the smallest batch does not fit the memory.
        """
        found = np.empty((len(sequences), self.dimension), dtype=np.float32)
        lengths = [len(sequence.ids) for sequence in sequences]
        if 0 in lengths:
            raise InputError(
                f"text {lengths.index(0) + 1} of {len(lengths)} has no token",
                hint="remove it: this tokenizer adds no special tokens to an empty text",
            )

        def run(compute: Callable[[Batch, Sequence[TokenSequence]], torch.Tensor], batch: Batch) -> None:
            chosen = [sequences[position] for position in batch.positions]
            found[list(batch.positions)] = compute(batch, chosen).cpu().numpy()

        least_tokens = STABLE_TOKENS if stable else 0
        on_cuda = self.device.type == "cuda"
        with torch.inference_mode():
            if can_pack(self.model):
                plan = partial(plan_packs, least_tokens=least_tokens)
                with within_sequences(self.model):
                    run_in_batches(lengths, plan, partial(run, self._packed), tokens=PACK_TOKENS)
            else:
                padded = partial(plan_batches, window=self.window, least_tokens=least_tokens)
                tokens = BATCH_TOKENS
                if on_cuda:
                    padded = partial(padded, full=stable, step=_CUDA_STEP)
                    tokens = _CUDA_STABLE_TOKENS if stable else _CUDA_BATCH_TOKENS
                run_in_batches(lengths, padded, partial(run, self.pooled), tokens=tokens)
        return unit_rows(found)

    def _packed(self, pack: Batch, sequences: Sequence[TokenSequence]) -> torch.Tensor:
        rows = [one.ids for one in sequences]
        inputs = packed_inputs(rows, pack.filler, padding=self._padding, first=self.first_position)
        if self.causal:
            inputs["use_cache"] = False
        states = self.model(**inputs).last_hidden_state[0]
        ends = accumulate(len(one.ids) for one in sequences)
        return torch.stack(
            [
                self.pool(states[end - len(one.ids) : end], one)
                for one, end in zip(sequences, ends, strict=True)
            ]
        )

    def pooled(self, batch: Batch, sequences: Sequence[TokenSequence], *, model: Any = None) -> torch.Tensor:
        """Return vectors float32 [n, d], not normalised, with gradients where these are enabled.

        ``batch`` defines the padding; ``model`` replaces :attr:`model`, for example by a wrapper that
        trains on several devices.
        """
        ids, mask = padded_rows([one.ids for one in sequences], batch, self._padding)
        inputs: dict[str, Any] = {"input_ids": ids.to(self.device)}
        inputs |= {"use_cache": False} if self.causal else {"attention_mask": mask.to(self.device)}
        states = (self.model if model is None else model)(**inputs).last_hidden_state
        return torch.stack([self.pool(states[row], one) for row, one in enumerate(sequences)])


def _is_causal(model: Any) -> bool:
    """Whether the model's attention is causal."""
    if not getattr(model.config, "is_causal", True):
        return False
    return any(getattr(module, "is_causal", False) for module in model.modules())


BACKBONES.add("transformers", TransformersBackbone)
