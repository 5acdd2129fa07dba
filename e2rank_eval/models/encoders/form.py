"""The configuration of a sentence-transformers encoder (prompts, pooling, layers), and its pooling head."""

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
"""By mode: pool states [n, d] at positions [n], counted from 1, into a vector [d]."""

# The older notation, in the order in which sentence-transformers concatenates the vectors of several modes.
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
"""Names of document prompts, in the order of ``SentenceTransformer.encode_document``."""

_UNSUPPORTED = (
    "config_args", "config_kwargs", "tokenizer_args", "processor_kwargs", "processing_kwargs",
    "query_expansion", "query_length", "document_length",
)  # fmt: skip
"""Settings of the Transformer module that change inputs or states; no known text encoder has them."""


@dataclass(frozen=True, slots=True)
class Head:
    """The pooling head, which turns the final states of a text into its vector.

    Vectors of several ``modes`` are concatenated; ``layers`` (sentence-transformers module, and its folder)
    follow; the first ``dimensions`` dimensions are kept, all if None.
    """

    modes: tuple[str, ...] = ("mean",)
    layers: tuple[tuple[str, Path], ...] = ()
    dimensions: int | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """The configuration of a sentence-transformers encoder.

    ``transformer`` is the folder of weights and tokenizer, ``longest`` its ``max_seq_length``. ``prompts``
    are put before a query and a document, spaces included; without ``include_prompt`` they are not pooled.
    """

    transformer: Path
    head: Head
    longest: int | None
    lower_case: bool
    prompts: Mapping[str, str]
    include_prompt: bool


def read_form(folder: Path) -> Form:
    """Return the configuration in modules.json and the folders that it names.

    Queries or documents without a prompt get the default prompt, as in ``SentenceTransformer.encode``.

    Raises
    ------
    InputError
        When a file is missing, or has a module or setting that is not supported; none is ignored.
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
    while layers and layers[-1][0] == "Normalize":  # all vectors are normalised later
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
    """Return the settings of the Transformer module; older versions name the file by architecture."""
    path = next(iter(sorted(folder.glob("sentence_*_config.json"))), folder / "sentence_bert_config.json")
    settings = read_settings(path)
    unsupported = [name for name in _UNSUPPORTED if settings.get(name)]
    if settings.get("transformer_task", "feature-extraction") != "feature-extraction":
        unsupported.append("transformer_task")
    plain = {"method": "forward", "method_output_name": "last_hidden_state"}
    if settings.get("modality_config", {"text": plain}).get("text") != plain:
        unsupported.append("modality_config")
    if unsupported:
        raise InputError(f"{', '.join(unsupported)} is not supported", path=path, hint="choose another model")
    return settings


def _check_similarity(found: str | None, names: list[str], path: Path) -> None:
    """Refuse a similarity measure that does not order texts as the cosine does."""
    normalised = names[-1] == "Normalize" and found in ("dot", "euclidean")
    if found not in (None, "cosine") and not normalised:
        raise InputError(
            f"the similarity measure {found} is not supported, only the cosine", path=path,
            hint="choose another model",
        )  # fmt: skip


def _prompts(chosen: Mapping[str, Any], path: Path) -> dict[str, str]:
    prompts, default = chosen.get("prompts") or {}, chosen.get("default_prompt_name")
    if default is not None and default not in prompts:
        raise InputError(f"the default prompt {default!r} is not in prompts", path=path, hint="add it")
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
            f"pooling {' + '.join(unknown) or 'without a mode'} is not supported", path=path,
            hint=f"known: {', '.join(_POOLED)}",
        )  # fmt: skip
    return modes


class Pooler:
    """Turns the states of one sequence into its vector of ``dimension`` dimensions, not normalised.

    Each sequence is pooled by itself, as the order of summation over a batch would depend on the batch.
    Layers compute in float32.

    Raises
    ------
    InputError
        When a layer has no weights in safetensors, its activation is not torch's, or its shape does not fit.
    """

    def __init__(self, head: Head, width: int, device: torch.device) -> None:
        self._modes = [_POOLED[mode] for mode in head.modes]
        self._layers = [_load_layer(name, folder).to(device) for name, folder in head.layers]
        self._dimensions = head.dimensions
        try:
            self.dimension = len(self(torch.ones(1, width, device=device), TokenSequence((0,), 0, 1)))
        except RuntimeError as error:
            raise InputError(
                f"the shapes of its layers do not fit ({error})", path=head.layers[0][1], hint=COPY
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
            hint="ask its authors for safetensors, or convert them if you trust them",
        )  # fmt: skip
    try:
        layer = getattr(modules, name).load(str(folder), local_files_only=True)
    except (RuntimeError, TypeError, ValueError) as error:  # torch's message names missing tensors
        raise InputError(f"the {name} layer cannot be loaded ({error})", path=folder, hint=COPY) from error
    return layer.float().eval().requires_grad_(False)
