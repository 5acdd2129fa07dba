"""What sentence-transformers' files say of a model: prompts, limit, and how its states become a vector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import COPY
from e2rank_eval.models.recognition import modules_of
from e2rank_eval.store.files import read_json, read_settings

Mode = Literal["cls", "lasttoken", "max", "mean", "mean_sqrt_len_tokens", "weightedmean"]

# In the order in which sentence-transformers joins the vectors of several modes of this older notation.
_OLDER_MODES: dict[str, Mode] = {
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

    modes: tuple[Mode, ...] = ("mean",)
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


def _modes(settings: Mapping[str, Any], path: Path) -> tuple[Mode, ...]:
    named = settings.get("pooling_mode") or [m for key, m in _OLDER_MODES.items() if settings.get(key)]
    modes = (named,) if isinstance(named, str) else tuple(named)
    unknown = [one for one in modes if one not in _OLDER_MODES.values()]
    unknown += [key for key, on in settings.items() if key.startswith("pooling_mode_") and on
                and key not in _OLDER_MODES]  # fmt: skip
    if unknown or not modes:
        raise InputError(
            f"pooling {' + '.join(unknown) or 'of no kind'} is not supported", path=path,
            hint=f"known: {', '.join(_OLDER_MODES.values())}",
        )  # fmt: skip
    return modes
