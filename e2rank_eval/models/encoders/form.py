"""How an encoder of sentence-transformers' form reads texts and pools their states, as its files say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import COPY
from e2rank_eval.models.encoders.backbone import TokenSequence
from e2rank_eval.models.recognition import modules_of
from e2rank_eval.store.files import read_json, read_settings

_POOLED: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cls": lambda states, _: states[0],
    "lasttoken": lambda states, _: states[-1],
    "max": lambda states, _: states.max(0).values,
    "mean": lambda states, _: states.mean(0),
    "mean_sqrt_len_tokens": lambda states, _: states.sum(0) / len(states) ** 0.5,
    "weightedmean": lambda states, places: (states * places[:, None]).sum(0) / places.sum(),
}
"""By mode: a vector [d] of states [n, d] at these places of the text, counted from 1."""

# In the order in which sentence-transformers joins the vectors of several modes of this older notation.
_OLDER_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}

_LAYERS = ("Dense", "LayerNorm", "Normalize", "Dropout")

_DOCUMENT_PROMPTS = ("document", "passage", "corpus")
"""Names of the prompt of documents, as ``SentenceTransformer.encode_document`` looks for them."""

_UNSUPPORTED = (
    "config_args", "config_kwargs", "tokenizer_args", "processor_kwargs", "processing_kwargs",
    "query_expansion", "query_length", "document_length",
)  # fmt: skip
"""Settings of the Transformer module that change inputs or states, and that no text encoder was seen with."""


@dataclass(frozen=True, slots=True)
class Head:
    """How the final states of a text become its vector.

    ``modes`` pool them, joined where there are several; ``layers`` (module of sentence-transformers, and its
    folder) follow; the first ``dimensions`` numbers are kept, all where it is None.
    """

    modes: tuple[str, ...] = ("mean",)
    layers: tuple[tuple[str, Path], ...] = ()
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """``transformer`` is the folder of weights and tokenizer; ``longest`` its ``max_seq_length``.

    ``prompts`` are put before a query and a document, spaces included; without ``include_prompt`` they are
    read but not pooled.
    """

    transformer: Path
    head: Head
    longest: int | None
    lower_case: bool
    prompts: Mapping[str, str]
    include_prompt: bool


def read_form(folder: Path) -> Form:
    """Read modules.json and what it names.

    A side without a prompt of its own has the default prompt, as ``SentenceTransformer.encode`` does.

    Raises
    ------
    InputError
        When a file is missing, or asks for something else than a text transformer, pooling, and dense or
        normalising layers; what it asks for is honoured or refused.
    """
    file = folder / "modules.json"
    listed = modules_of(folder)
    modules = [(one["type"].rsplit(".", 1)[-1], folder / one.get("path", "")) for one in listed]
    names = [name for name, _ in modules]
    if names[:2] != ["Transformer", "Pooling"] or not set(names[2:]) <= set(_LAYERS):
        raise InputError(
            f"modules {', '.join(names) or '(none)'}: not Transformer and Pooling, then {', '.join(_LAYERS)}",
            path=file, hint="choose another model",
        )  # fmt: skip
    transformer, pooling = modules[0][1], modules[1][1] / "config.json"
    settings = _transformer_settings(transformer)
    configuration = folder / "config_sentence_transformers.json"
    chosen = read_settings(configuration)
    _check_similarity(chosen.get("similarity_fn_name"), names, configuration)
    layers = [one for one in modules[2:] if one[0] != "Dropout"]
    while layers and layers[-1][0] == "Normalize":  # every vector is brought to unit length in the end
        layers.pop()
    pooled = read_json(pooling, hint=COPY)
    head = Head(_modes(pooled, pooling), tuple(layers), chosen.get("truncate_dim"))
    return Form(
        transformer,
        head,
        settings.get("max_seq_length"),
        bool(settings.get("do_lower_case")),
        _prompts(chosen, configuration),
        bool(pooled.get("include_prompt", True)),
    )


def _transformer_settings(folder: Path) -> dict[str, Any]:
    """Return the settings of the Transformer module, whose file older versions named by architecture."""
    path = next(iter(sorted(folder.glob("sentence_*_config.json"))), folder / "sentence_bert_config.json")
    settings = read_settings(path)
    unsupported = [name for name in _UNSUPPORTED if settings.get(name)]
    if settings.get("transformer_task", "feature-extraction") != "feature-extraction":
        unsupported.append("transformer_task")
    plain = {"method": "forward", "method_output_name": "last_hidden_state"}
    if settings.get("modality_config", {"text": plain}).get("text") != plain:
        unsupported.append("modality_config")
    if unsupported:
        raise InputError(
            f"{', '.join(unsupported)} asks for what is not supported", path=path, hint="choose another model"
        )
    return settings


def _check_similarity(found: str | None, names: list[str], path: Path) -> None:
    """Refuse a measure that orders unit vectors, which ours are, otherwise than the model's own."""
    normalised = names[-1] == "Normalize" and found in ("dot", "euclidean")
    if found not in (None, "cosine") and not normalised:
        raise InputError(
            f"vectors are compared by {found}, but here by the cosine alone", path=path,
            hint="choose another model",
        )  # fmt: skip


def _prompts(chosen: Mapping[str, Any], path: Path) -> dict[str, str]:
    prompts, default = chosen.get("prompts") or {}, chosen.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise InputError(f"the default prompt {default!r} is none of prompts", path=path, hint="add it")
    by_kind = {"query": ("query",), "document": _DOCUMENT_PROMPTS}
    found = {
        kind: next((prompts[name] for name in names if name in prompts), prompts.get(default))
        for kind, names in by_kind.items()
    }
    return {kind: prompt or "" for kind, prompt in found.items()}


def _modes(settings: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    named = settings.get("pooling_mode") or [m for key, m in _OLDER_MODES.items() if settings.get(key)]
    modes = (named,) if isinstance(named, str) else tuple(named)
    unknown = [one for one in modes if one not in _POOLED]
    unknown += [key for key, on in settings.items() if key.startswith("pooling_mode_") and on
                and key not in _OLDER_MODES]  # fmt: skip
    if unknown or not modes:
        raise InputError(
            f"pooling {' + '.join(unknown) or 'of no kind'} is not supported", path=path,
            hint=f"known: {', '.join(_POOLED)}",
        )  # fmt: skip
    return modes


class Pooler:
    """Turns the states of one sequence into its vector, ``dimension`` numbers, before it has unit length.

    Each sequence is pooled by itself: over a whole batch, sums would add in an order that depends on it.
    Layers compute in float32.

    Raises
    ------
    InputError
        When a layer lacks weights in safetensors, names an activation that is not torch's, or does not fit.
    """

    def __init__(self, head: Head, width: int, device: torch.device) -> None:
        self._modes = [_POOLED[mode] for mode in head.modes]
        self._layers = [_load_layer(name, folder).to(device) for name, folder in head.layers]
        self._dimensions = head.dimensions
        try:
            self.dimension = len(self(torch.ones(1, width, device=device), TokenSequence((0,), 0, 1)))
        except RuntimeError as error:
            raise InputError(
                f"its layers do not fit each other ({error})", path=head.layers[0][1], hint=COPY
            ) from error

    def __call__(self, states: torch.Tensor, sequence: TokenSequence) -> torch.Tensor:
        """Return the vector float32 [dimension] of a sequence whose states are [n, width]."""
        span = states[sequence.start : sequence.stop].float()
        places = torch.arange(sequence.start + 1, sequence.stop + 1, device=span.device, dtype=span.dtype)
        found = [mode(span, places) for mode in self._modes]
        vector = found[0] if len(found) == 1 else torch.cat(found)
        for layer in self._layers:
            vector = layer({"sentence_embedding": vector[None]})["sentence_embedding"][0]
        return vector[: self._dimensions]


def _load_layer(name: str, folder: Path) -> Any:
    from sentence_transformers.sentence_transformer import modules

    if name == "Normalize":
        return modules.Normalize()
    activation = str(read_json(folder / "config.json", hint=COPY).get("activation_function", "torch."))
    if not activation.startswith("torch."):
        raise InputError(
            f"the activation {activation} is not torch's; code of a checkpoint never runs",
            path=folder, hint="choose another model",
        )  # fmt: skip
    if not (folder / "model.safetensors").is_file():
        raise InputError(
            f"the {name} layer has no model.safetensors", path=folder,
            hint="ask its authors for safetensors, or convert them once where you trust them",
        )  # fmt: skip
    try:
        layer = getattr(modules, name).load(str(folder), local_files_only=True)
    except (RuntimeError, TypeError, ValueError) as error:  # torch names each tensor that is missing
        raise InputError(f"the {name} layer cannot be loaded ({error})", path=folder, hint=COPY) from error
    return layer.float().eval().requires_grad_(False)
