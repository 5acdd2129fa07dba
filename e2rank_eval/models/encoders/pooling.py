"""What a sentence-transformers folder asks for, refused where it cannot be honoured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from e2rank_eval.errors import InputError
from e2rank_eval.store.files import read_json

_MODES: dict[str, Literal["mean", "cls"]] = {
    "mean": "mean",
    "mean_tokens": "mean",
    "cls": "cls",
    "cls_token": "cls",
}


@dataclass(frozen=True, slots=True)
class Pooling:
    """``transformer`` is the folder of weights and tokenizer; ``longest`` its ``max_seq_length``."""

    transformer: Path
    mode: Literal["mean", "cls"]
    longest: int | None
    lower_case: bool


def read_pooling(folder: Path) -> Pooling:
    """Read modules.json and what it names.

    Raises
    ------
    InputError
        When a file is missing, or asks for something else than a transformer, mean or CLS pooling and
        normalisation: further layers, other poolings, a prompt put before every text.
    """
    modules_file = folder / "modules.json"
    modules = read_json(modules_file)
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise InputError(
            f"modules {', '.join(kinds)}; only Transformer, Pooling and Normalize are supported",
            path=modules_file, hint="choose another model",
        )  # fmt: skip
    transformer = folder / modules[0]["path"]
    settings = _optional(transformer / "sentence_bert_config.json")
    prompt = _optional(folder / "config_sentence_transformers.json").get("default_prompt_name")
    if prompt is not None:
        raise InputError(
            f"a default prompt ({prompt}) is not supported",
            path=folder / "config_sentence_transformers.json", hint="choose another model",
        )  # fmt: skip
    return Pooling(
        transformer,
        _mode(folder / modules[1]["path"] / "config.json"),
        settings.get("max_seq_length"),
        bool(settings.get("do_lower_case")),
    )


def _optional(path: Path) -> dict[str, Any]:
    return dict(read_json(path)) if path.is_file() else {}


def _mode(path: Path) -> Literal["mean", "cls"]:
    settings = read_json(path)
    named = settings.get("pooling_mode")
    modes = [named] if isinstance(named, str) else list(named or [])
    modes += [
        key.removeprefix("pooling_mode_")
        for key, on in settings.items()
        if key.startswith("pooling_mode_") and on
    ]
    if len(modes) != 1 or modes[0] not in _MODES:
        raise InputError(
            f"pooling {' + '.join(modes) or 'of no kind'}; only mean or cls alone is supported",
            path=path, hint="choose another model",
        )  # fmt: skip
    return _MODES[modes[0]]
