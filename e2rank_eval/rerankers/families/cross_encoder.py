"""Cross-encoder reranking: a trained scorer reads the query and one document together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from e2rank_eval.config.systems import FAMILIES, Lengths, ModelSettings, Tokens
from e2rank_eval.errors import InputError
from e2rank_eval.rerankers.base import RerankContext, Reranker
from e2rank_eval.rerankers.pairs import Pair, TorchPairReranker
from e2rank_eval.rerankers.served import ServedReranker
from e2rank_eval.store.files import sha256_json


class CrossEncoderSettings(ModelSettings):
    """A trained scorer reads the query and one candidate together."""

    own_colour = "#b58900"

    family: Literal["cross-encoder"]

    def build(self, context: RerankContext) -> Reranker:
        """Load the model, or connect to its server; raises InputError as :func:`load_cross_encoder` does."""
        found = context.models.resolve(self.model, "cross-encoder")
        if found.entry.server is not None:
            return ServedReranker(found.entry, self)
        return CrossEncoderReranker(load_cross_encoder(found.path), self, file_hashes=found.files)

    def tokens(self, lengths: Lengths, depth: int) -> Tokens:
        return Tokens(depth * (self.cut(lengths.document) + lengths.query))


class CrossEncoderReranker(TorchPairReranker):
    """Any cross-encoder of sentence-transformers with one score for each pair.

    Scores are the model's logits, before any activation: a sigmoid would make the best ones tie.
    """

    def __init__(self, model: Any, settings: CrossEncoderSettings, *, file_hashes: Mapping[str, str]) -> None:
        super().__init__(model, model.tokenizer, settings, window=int(model.max_seq_length))
        self.fingerprint = sha256_json(
            {"settings": settings.deciding(), "window": self._window, "files": dict(file_hashes)}
        )

    def _inputs(self, pairs: Sequence[Pair]) -> list[tuple[Pair, int]]:
        """Return the pairs and their tokens as the model is given them, at most its window."""
        return [(pair, int(self._model.preprocess([pair])["attention_mask"].sum())) for pair in pairs]

    def _forward(self, inputs: list[Pair]) -> list[float]:
        import torch

        found: list[float] = self._model.predict(
            inputs, batch_size=len(inputs), activation_fn=torch.nn.Identity(), show_progress_bar=False
        ).tolist()
        return found


def load_cross_encoder(folder: Path) -> Any:
    """Load the ``sentence_transformers.CrossEncoder`` in ``folder``, every weight from the checkpoint.

    Raises
    ------
    InputError
        When it cannot be loaded, when weights are missing from the checkpoint (a plain encoder gets
        a newly initialised head, which scores at random and only logs a warning), when it is a chat
        model, or when its head has not exactly one score.
    """
    import torch
    from sentence_transformers import CrossEncoder

    from e2rank_eval.models.checkpoints import dtype_on

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
            f"not a trained cross-encoder: {', '.join(missing)} would be newly initialised",
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
    """Refuse a causal model without a cross-encoder's modules: it would be asked without any prompt."""
    from transformers import AutoConfig

    architectures = AutoConfig.from_pretrained(folder, local_files_only=True).architectures or [""]
    if architectures[0].endswith("ForCausalLM") and not (folder / "modules.json").is_file():
        raise InputError(
            "a chat model, not a cross-encoder", path=folder, hint="use the family pointwise-llm for it"
        )


def _missing_weights(model: Any) -> list[str]:
    """Return the weights of ``model`` that its checkpoint lacks, by transformers' own account.

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


FAMILIES.add("cross-encoder", CrossEncoderSettings)
