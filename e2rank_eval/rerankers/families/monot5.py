"""monoT5 reranking: a sequence-to-sequence model's logit of true minus false for each document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from e2rank_eval.config.systems import FAMILIES, ModelSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import dtype_key, load_for_inference, load_tokenizer
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.models.timing import tokenising
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.pairs import Pair, TorchPairReranker
from e2rank_eval.rerankers.prompts import monot5_input
from e2rank_eval.rerankers.scores import LOGIT_STEP
from e2rank_eval.store.files import sha256_json

_CHOICES = ("▁true", "▁false")


class MonoT5Settings(ModelSettings):
    """A T5 trained to generate true or false for the query and one candidate."""

    model_kinds = ("monot5",)

    family: Literal["monot5"]

    def build(self, context: RerankContext) -> MonoT5Reranker:
        """Load the model; raises InputError for one that :func:`load_monot5` refuses."""
        found = context.models.resolve(self.model, "monot5")
        loaded = context.models.loaded(self.model, "monot5", load_monot5)
        return MonoT5Reranker(*loaded, self, window=found.entry.window, file_hashes=found.files)


class MonoT5Reranker(TorchPairReranker):
    """monoT5 (arXiv 2003.06713): scores by the logit of true minus that of false as first output token.

    The input is limited to the window of its entry, which for T5 is the 512 tokens of its training unless the
    entry states another. Its published score, the softmax probability of true over true and false, gives the
    same order.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        settings: MonoT5Settings,
        *,
        window: int,
        file_hashes: Mapping[str, str],
    ) -> None:
        super().__init__(model, tokenizer, settings, window=window, spare=2)
        self._columns = _choice_ids(tokenizer)
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "window": window,
                "step": LOGIT_STEP,
                "prompt": monot5_input("query", "document"),
                "files": dict(file_hashes),
                **dtype_key(model),
            }
        )

    @tokenising()
    def _inputs(self, pairs: Sequence[Pair]) -> list[tuple[list[int], int]]:
        """Return the token ids of each pair with the end token, and their number."""
        rows = self._tokenizer([monot5_input(*pair) for pair in pairs], verbose=False)["input_ids"]
        return [(row, len(row)) for row in rows]

    def _forward(self, inputs: list[list[int]]) -> list[float]:
        import torch

        longest = max(len(row) for row in inputs)
        pad, device = self._tokenizer.pad_token_id or 0, self._model.device
        ids = [[*row, *[pad] * (longest - len(row))] for row in inputs]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in inputs]
        start = torch.full((len(inputs), 1), self._model.config.decoder_start_token_id)
        with torch.inference_mode():
            logits = self._model(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                decoder_input_ids=start.to(device),
            ).logits[:, 0, self._columns]
        true, false = logits.float().T
        differences: list[float] = (true - false).tolist()
        return differences


def load_monot5(found: ResolvedModel) -> tuple[Any, Any]:
    """Load the model, on a GPU in its entry's dtype, and its tokenizer.

    Raises
    ------
    InputError
        When the checkpoint cannot be loaded from safetensors as a T5, or lacks weights.
    """
    from transformers import T5ForConditionalGeneration

    model = load_for_inference(T5ForConditionalGeneration, found.path, found.entry.dtype)
    return model, load_tokenizer(found.path)


def _choice_ids(tokenizer: Any) -> list[int]:
    vocabulary = tokenizer.get_vocab()
    missing = [choice for choice in _CHOICES if choice not in vocabulary]
    if missing:
        raise InputError(
            f"the tokenizer does not have the tokens {' and '.join(missing)}", hint="name a monoT5 model"
        )
    return [int(vocabulary[choice]) for choice in _CHOICES]


FAMILIES.add("monot5", MonoT5Settings)
