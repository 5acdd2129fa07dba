"""Token sequences through vLLM: the last token's final hidden state, as unit vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoConfig, AutoTokenizer

from e2rank_eval.models.encoders.base import Vectors
from e2rank_eval.models.encoders.tokenised import TokenisedModel, TokenSequence, unit_rows
from e2rank_eval.models.vllm_engine import load_engine, token_prompts

POOLING = {"pooling_type": "LAST"}
"""Set rather than left to the checkpoint: vLLM would take another one from a sentence-transformers folder."""


class VllmStates(TokenisedModel):
    """The same sequences in, the same vectors out as :class:`TransformerStates`, for decoders on a GPU.

    vLLM forms the batches, so ``stable`` promises nothing here: a vector's last bits may depend on its
    company. The state is asked for as it is and brought to unit length here, in float64.
    """

    def __init__(self, folder: Path, *, window: int, dtype: str) -> None:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        dimension = int(AutoConfig.from_pretrained(folder, local_files_only=True).hidden_size)
        super().__init__(tokenizer, window=window, dimension=dimension, dtype=dtype)
        engine, vllm = load_engine(
            folder,
            window=window,
            dtype=dtype,
            runner="pooling",
            convert="embed",
            pooler_config=_vllm_pooling(),
        )
        self._engine = engine
        self._parameters = vllm.PoolingParams(use_activation=False)

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:  # noqa: ARG002
        """Unit vectors float32 [n, d]; raises InputError where one is not finite."""
        return pooled(self._engine, self._parameters, sequences, self.dimension)

    def synchronise(self) -> None:
        """Every call waits for its answers."""


def pooled(engine: Any, parameters: Any, sequences: Sequence[TokenSequence], dimension: int) -> Vectors:
    """Ask ``engine`` for the state of each sequence's last token."""
    states = np.empty((len(sequences), dimension), dtype=np.float32)
    if len(sequences):
        prompts = token_prompts([one.ids for one in sequences])
        found = engine.embed(prompts, pooling_params=parameters, use_tqdm=False)
        for row, one in enumerate(found):
            states[row] = one.outputs.embedding
    return unit_rows(states)


def _vllm_pooling() -> Any:
    from vllm.config import PoolerConfig

    return PoolerConfig(**POOLING)
