"""monoT5 reranking: a sequence-to-sequence model's logit of true minus false for each document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, T5ForConditionalGeneration

from e2rank_eval.config import MonoT5Settings
from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import Batch, plan_groups, run_in_batches
from e2rank_eval.models.checkpoints import dtype_on
from e2rank_eval.models.truncation import cut_tokens
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.cross_encoder import file_hashes
from e2rank_eval.rerankers.pairs import Pair, PairReranker, PairScore
from e2rank_eval.rerankers.prompts.pointwise import monot5_input
from e2rank_eval.store.files import sha256_json

_CHOICES = ("▁true", "▁false")
_WINDOW = 512
"""Tokens of query and document that monoT5 was trained with."""
_TOKEN_BUDGET = {"cpu": 4096, "cuda": 131_072}
_JOINT = 2
"""Tokens kept free for words that the tokenizer splits anew where texts join."""


class MonoT5Reranker(PairReranker):
    """monoT5 (arXiv 2003.06713) by the first token of its answer.

    Its published score, the probability of true against false, rises with the difference of logits
    that counts here. Documents are cut to ``document_tokens``, where given, and to what the query
    leaves of 512 tokens.
    """

    def __init__(
        self, model: Any, tokenizer: Any, settings: MonoT5Settings, *, file_hashes: Mapping[str, str]
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._columns = _choice_ids(tokenizer)
        self._document_tokens = settings.document_tokens or _WINDOW
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "window": _WINDOW,
                "prompt": monot5_input("query", "document"),
                "files": dict(file_hashes),
            }
        )

    @classmethod
    def from_settings(cls, settings: MonoT5Settings, context: RerankContext) -> MonoT5Reranker:
        """Raises InputError for a model that :func:`load_monot5` refuses."""
        folder = context.models.path(settings.model)
        model, tokenizer = load_monot5(folder)
        return cls(model, tokenizer, settings, file_hashes=file_hashes(folder))

    def _document_limit(self, query: str) -> int:
        return min(self._document_tokens, _WINDOW - len(self._ids((query, ""))) - _JOINT)

    def _truncate(self, text: str, tokens: int) -> str:
        return cut_tokens(self._tokenizer, text, tokens)

    @torch.inference_mode()
    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        rows = [self._ids(pair) for pair in pairs]
        scores = [0.0] * len(rows)

        def run(batch: Batch) -> None:
            group = batch.positions
            inputs = self._padded([rows[position] for position in group])
            start = torch.full((len(group), 1), self._model.config.decoder_start_token_id)
            logits = self._model(**inputs, decoder_input_ids=start.to(self._model.device)).logits[:, 0]
            differences = (logits[:, self._columns[0]] - logits[:, self._columns[1]]).float().tolist()
            for position, score in zip(group, differences, strict=True):
                scores[position] = score

        run_in_batches(
            [len(row) for row in rows], plan_groups, run, tokens=_TOKEN_BUDGET[self._model.device.type]
        )
        return [PairScore(score, len(row)) for score, row in zip(scores, rows, strict=True)]

    def _ids(self, pair: Pair) -> list[int]:
        """The whole input with its end token; a text that quotes a control token stays text."""
        found: list[int] = self._tokenizer(monot5_input(*pair), split_special_tokens=True, verbose=False)[
            "input_ids"
        ]
        return found

    def _padded(self, rows: Sequence[Sequence[int]]) -> dict[str, Any]:
        longest = max(len(row) for row in rows)
        pad = self._tokenizer.pad_token_id or 0
        ids = [[*row, *[pad] * (longest - len(row))] for row in rows]
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
        place = self._model.device
        return {
            "input_ids": torch.tensor(ids, device=place),
            "attention_mask": torch.tensor(mask, device=place),
        }

    def _synchronise(self) -> None:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)


def load_monot5(folder: Path) -> tuple[Any, Any]:
    """The model, on a GPU where there is one, and its tokenizer.

    Raises
    ------
    InputError
        When it is no T5, cannot be loaded from safetensors, or lacks weights.
    """
    loader: Any = T5ForConditionalGeneration
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = AutoConfig.from_pretrained(folder, local_files_only=True).model_type
        if kind != "t5":
            raise InputError(f"a model of type {kind!r}, not t5", path=folder, hint="name a monoT5 model")
        model, loading = loader.from_pretrained(
            folder,
            dtype=dtype_on(device),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be loaded as monoT5 ({error})", path=folder, hint="fetch it again"
        ) from error
    if missing := sorted(loading["missing_keys"]):
        raise InputError(
            f"weights are missing and would be random: {', '.join(missing[:5])}",
            path=folder,
            hint="name a T5 with its language-model head",
        )
    return model.eval().to(device), tokenizer


def _choice_ids(tokenizer: Any) -> list[int]:
    vocabulary = tokenizer.get_vocab()
    missing = [choice for choice in _CHOICES if choice not in vocabulary]
    if missing:
        raise InputError(f"the tokenizer has no token {' and no '.join(missing)}", hint="name a monoT5 model")
    return [int(vocabulary[choice]) for choice in _CHOICES]
