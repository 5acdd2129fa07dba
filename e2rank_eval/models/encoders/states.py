"""Token sequences through a transformer: the mean of chosen final hidden states, as unit vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import dtype_on
from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.encoders.batching import BATCH_TOKENS, STABLE_TOKENS, Batch
from e2rank_eval.models.encoders.memory import run_in_batches, run_in_packs
from e2rank_eval.models.encoders.packing import Pack, can_pack, packed_inputs, within_sequences
from e2rank_eval.models.encoders.tokenised import TokenisedModel, TokenSequence, unit_rows

_CUDA_BATCH_TOKENS = 32_768

Part = TypeVar("Part", Batch, Pack)


class TransformerStates(TokenisedModel):
    """A transformer's body (no head) in inference mode on the best device, and its tokenizer.

    ``causal`` says that a position sees only those before it: padding on the right then needs no
    mask. :attr:`model` is the module itself, which training changes in place. Weights are read from
    safetensors only, and no code that comes with them is run.

    Raises
    ------
    InputError
        When ``window`` exceeds the model's positions, or the folder lacks some weights, which
        would be drawn at random.
    """

    def __init__(self, folder: Path, *, window: int, dtype: str, causal: bool) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        kept = dtype_on(self.device.type, dtype)
        self._causal = causal
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.model: Any = _load_body(folder, getattr(torch, kept)).to(self.device).eval()
        positions = getattr(self.model.config, "max_position_embeddings", None)
        if positions is not None and window > positions:
            raise InputError(
                f"a window of {window} tokens, but the model has {positions} positions",
                path=folder, hint="lower window in the model registry",
            )  # fmt: skip
        dimension = int(self.model.config.hidden_size)
        super().__init__(tokenizer, window=window, dimension=dimension, dtype=kept)
        self._padding = self.tokenizer.pad_token_id or 0  # any id serves: no real position attends to it

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:
        """Unit vectors float32 [n, d] in the order of the input.

        With ``stable`` a vector's bits do not depend on the other sequences, at the price of filler
        rows in small batches; without it they agree to about 1e-7. Where one runs out of memory, smaller
        ones go on, which is said: on a CPU stable bits stay as they are, while on a GPU the vectors from
        then on may differ in their last bits, as its libraries promise equal bits for equal shapes only.

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
                hint="leave it out: this tokenizer adds none of its own to an empty text",
            )
        least_tokens = STABLE_TOKENS if stable else 0

        def kept(compute: Callable[[Part, Sequence[TokenSequence]], torch.Tensor]) -> Callable[[Part], None]:
            def run(part: Part) -> None:
                chosen = [sequences[position] for position in part.positions]
                means[list(part.positions)] = compute(part, chosen).cpu().numpy()

            return run

        with torch.inference_mode():
            if can_pack(self.model):
                with within_sequences(self.model):
                    run_in_packs(lengths, kept(self._packed_means), least_tokens=least_tokens)
            else:
                on_cuda = self.device.type == "cuda"
                run_in_batches(
                    lengths,
                    self.window,
                    kept(self.means),
                    batch_tokens=_CUDA_BATCH_TOKENS if on_cuda else BATCH_TOKENS,
                    least_tokens=least_tokens,
                    full=stable and on_cuda,
                )
        return unit_rows(means)

    def _packed_means(self, pack: Pack, sequences: Sequence[TokenSequence]) -> torch.Tensor:
        inputs = packed_inputs([one.ids for one in sequences], pack.filler, padding=self._padding)
        if self._causal:
            inputs["use_cache"] = False
        states = self.model(**inputs).last_hidden_state[0]
        ends = accumulate(len(one.ids) for one in sequences)
        return torch.stack(
            [_mean(states[end - len(one.ids) : end], one) for one, end in zip(sequences, ends, strict=True)]
        )

    def means(self, batch: Batch, sequences: Sequence[TokenSequence], *, model: Any = None) -> torch.Tensor:
        """The mean states of ``sequences`` as float32 [n, d], with gradients where they are switched on.

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
    """One sequence at a time: a mean over a whole batch would add in an order that depends on the others."""
    return states[sequence.start : sequence.stop].float().mean(0)


@contextmanager
def _quiet() -> Iterator[None]:
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _load_body(folder: Path, dtype: torch.dtype) -> Any:
    with _quiet():  # the body alone leaves a head unused, which is no news; missing weights are checked below
        model, report = AutoModel.from_pretrained(
            folder, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    # BERT's pooler is a head that no vector here goes through; many encoders are published without it.
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise InputError(
            f"{len(missing)} weights are missing ({missing[0]} first) and would be random",
            path=folder, hint="fetch the model again, or name the right kind in the registry",
        )  # fmt: skip
    return model
