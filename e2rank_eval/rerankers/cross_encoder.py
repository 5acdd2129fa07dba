"""Cross-encoder reranking: a trained scorer reads the query and one document together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from e2rank_eval.config import CrossEncoderSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.batching import Batch, plan_groups, run_in_batches
from e2rank_eval.models.checkpoints import dtype_on
from e2rank_eval.models.truncation import cut_tokens
from e2rank_eval.rerankers.base import RerankContext
from e2rank_eval.rerankers.pairs import Pair, PairReranker, PairScore
from e2rank_eval.store.files import sha256_file, sha256_json

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 131_072}
_JOINT = 2
"""Tokens kept free for words that the tokenizer splits anew where texts join."""


class CrossEncoderReranker(PairReranker):
    """Any cross-encoder of sentence-transformers with one score for each pair.

    Scores are the model's logits, before any activation: a sigmoid would make the best ones tie.
    Documents are cut to ``document_tokens``, where given, and to what the query leaves of the window.
    """

    def __init__(self, model: Any, settings: CrossEncoderSettings, *, file_hashes: Mapping[str, str]) -> None:
        self._model = model
        self._window = int(model.max_seq_length)
        self._document_tokens = settings.document_tokens or self._window
        self.fingerprint = sha256_json(
            {
                "settings": settings.deciding(),
                "window": self._window,
                "files": dict(file_hashes),
            }
        )

    @classmethod
    def from_settings(cls, settings: CrossEncoderSettings, context: RerankContext) -> CrossEncoderReranker:
        """Raises InputError for a model that :func:`load_cross_encoder` refuses."""
        folder = context.models.path(settings.model)
        return cls(load_cross_encoder(folder), settings, file_hashes=file_hashes(folder))

    def _document_limit(self, query: str) -> int:
        room = self._window - self._lengths([(query, "")])[0] - _JOINT
        return min(self._document_tokens, room)

    def _truncate(self, text: str, tokens: int) -> str:
        return cut_tokens(self._model.tokenizer, text, tokens)

    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        lengths = self._lengths(pairs)
        scores = [0.0] * len(pairs)

        def run(batch: Batch) -> None:
            group = batch.positions
            found = self._model.predict(
                [pairs[position] for position in group],
                batch_size=len(group),
                activation_fn=torch.nn.Identity(),
                show_progress_bar=False,
            )
            for position, score in zip(group, found.tolist(), strict=True):
                scores[position] = score

        run_in_batches(lengths, plan_groups, run, tokens=_TOKEN_BUDGET[self._model.device.type])
        return [PairScore(score, length) for score, length in zip(scores, lengths, strict=True)]

    def _lengths(self, pairs: Sequence[Pair]) -> list[int]:
        """Tokens of each pair as the model is given it, at most its window."""
        return [int(self._model.preprocess([pair])["attention_mask"].sum()) for pair in pairs]

    def _synchronise(self) -> None:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize(self._model.device)


def load_cross_encoder(folder: Path) -> Any:
    """The ``sentence_transformers.CrossEncoder`` in ``folder``, every weight of it from the checkpoint.

    Raises
    ------
    InputError
        When it cannot be loaded, when weights are missing from the checkpoint (a plain encoder gets
        a newly initialised head, which scores at random and only logs a warning), when it is a chat
        model, or when its head has not exactly one score.
    """
    from sentence_transformers import CrossEncoder

    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        _refuse_chat_model(folder)
        loading = {"use_safetensors": True, "dtype": dtype_on(device)}
        model = CrossEncoder(str(folder), device=device, local_files_only=True, model_kwargs=loading)
    except (OSError, ValueError) as error:
        raise InputError(
            f"cannot be loaded as a cross-encoder ({error})", path=folder, hint="name a cross-encoder"
        ) from error
    missing = _missing_weights(model.model)
    if missing:
        raise InputError(
            f"no trained cross-encoder: {', '.join(missing)} would be newly initialised",
            path=folder,
            hint="name a model that was trained to score pairs",
        )
    if model.num_labels != 1:
        raise InputError(
            f"its head has {model.num_labels} scores instead of one", path=folder, hint="name a ranking model"
        )
    # Where the tokenizer names no limit, the model's positions are the only one.
    positions = getattr(model.config, "max_position_embeddings", model.max_seq_length)
    model.max_seq_length = min(model.max_seq_length, positions)
    return model


def _refuse_chat_model(folder: Path) -> None:
    """A causal model without a cross-encoder's modules would be asked for yes or no without any prompt."""
    architectures = AutoConfig.from_pretrained(folder, local_files_only=True).architectures or [""]
    if architectures[0].endswith("ForCausalLM") and not (folder / "modules.json").is_file():
        raise InputError(
            "a chat model, not a cross-encoder", path=folder, hint="use the family pointwise-llm for it"
        )


def _missing_weights(model: Any) -> list[str]:
    """Weights of ``model`` that its checkpoint lacks, by transformers' own account.

    Loading once more on the meta device reads the names alone, and knows every renaming that
    comparing the names by hand would take for a missing weight.
    """
    _, loading = type(model).from_pretrained(
        model.name_or_path,
        config=model.config,
        device_map="meta",
        local_files_only=True,
        use_safetensors=True,
        output_loading_info=True,
    )
    return sorted(loading["missing_keys"] | {name for name, *_ in loading["mismatched_keys"]})


def file_hashes(folder: Path) -> dict[str, str]:
    """Content of everything in ``folder`` that can decide a score, by path within it."""
    files = (path for path in folder.rglob("*") if path.suffix in {".json", ".safetensors", ".txt", ".jinja"})
    return {str(path.relative_to(folder)): sha256_file(path) for path in sorted(files)}
