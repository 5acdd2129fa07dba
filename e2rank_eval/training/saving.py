"""What a finished run leaves: weights, a registry entry, a model card, the exact configuration."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from e2rank_eval.config import CrossEncoderRun, ListwiseRun, RunBase, Stage1Run, Stage2Run
from e2rank_eval.config.entries import ModelEntry
from e2rank_eval.errors import InputError
from e2rank_eval.store.files import atomic_path, sha256_file, write_text

WEIGHTS = "weights"
CHANGED = "weights.safetensors"
ENTRY = "entry.yaml"

_NOT_KEPT = (".safetensors", ".gguf", ".bin", ".h5", ".index.json", "dequantised.json")


def save_weights(
    module: Any,
    tokenizer: Any,
    base: Path,
    transformer: Path,
    folder: Path,
    settings: RunBase,
    *,
    state: dict[str, Tensor] | None = None,
) -> dict[str, str]:
    """Write the weights of ``module`` below ``folder``; returns their SHA-256 by path within it.

    ``base`` is the folder of the model that training started from, ``transformer`` where in it the
    module came from. ``whole``: ``weights/`` with everything of ``base`` but its weights, and the
    module's own; of a new kind of model, its tokenizer and weights alone. ``changed``:
    ``weights.safetensors`` with the tensors that differ from the base's. ``state`` has the module's
    tensors where it holds only a part of them itself.

    Raises
    ------
    InputError
        When nothing changed.
    """
    dtype = getattr(torch, settings.save.dtype)
    if settings.save.weights == "changed":
        changed = _changed(module, base / transformer)
        tensors = {name: one.to(dtype).contiguous() for name, one in changed.items()}
        if not tensors:
            raise InputError("no weight has changed", path=folder, hint="train longer, or at a higher rate")
        with atomic_path(folder / CHANGED) as path:
            save_file(tensors, path, metadata={"format": "pt"})
        return {CHANGED: sha256_file(folder / CHANGED)}
    target = folder / WEIGHTS
    part = folder / f".{WEIGHTS}.part"
    shutil.rmtree(part, ignore_errors=True)
    if isinstance(settings, CrossEncoderRun | ListwiseRun):
        _forget_last_call(tokenizer)
        tokenizer.save_pretrained(part)
    else:
        shutil.copytree(base, part, ignore=_without_weights)
    if state is None:
        module.to(dtype).save_pretrained(part / transformer)
    else:
        tensors = {name: one.to(dtype) for name, one in state.items()}
        module.save_pretrained(part / transformer, state_dict=tensors)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    return {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(target.rglob("*"))
        if path.is_file()
    }


def _forget_last_call(tokenizer: Any) -> None:
    """Truncation and padding of a fast tokenizer are those of its last call, and would be saved with it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None:
        backend.no_truncation()
        backend.no_padding()


def _without_weights(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(_NOT_KEPT) or name.startswith(".")]


def _changed(module: Any, base: Path) -> dict[str, Tensor]:
    """Tensors of ``module`` that differ from the checkpoint's, by the checkpoint's names."""
    before: dict[str, Tensor] = {}
    for path in base.glob("*.safetensors"):
        before |= load_file(path)
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    found = {}
    for name, after in module.state_dict().items():
        known = next((one for one in (name, prefix + name) if one in before), None)
        after = after.detach().cpu()
        if known is None or not torch.equal(after, before[known].to(after.dtype)):
            found[known or name] = after
    return found


def registry_entry(
    name: str, settings: RunBase, base_name: str, base: ModelEntry, folder: Path, files: Mapping[str, str]
) -> dict[str, Any]:
    """The entry that makes the trained weights a model like any other."""
    changed = settings.save.weights == "changed"
    fields = base.model_dump(mode="json", exclude_defaults=True)
    fields |= {
        "title": settings.title,
        "licence": settings.licence,
        "sources": [
            {"kind": "trained", "folder": folder.as_posix(), "base": base_name if changed else None}
            | {"files": dict(files)}
        ],
    }
    fields.pop("files", None)
    if not changed:
        fields |= {"format": _format(base), "dtype": settings.save.dtype}
    if isinstance(settings, Stage1Run):
        fields["trained_for_embedding"] = True
    if isinstance(settings, Stage2Run):
        fields["trained_for_e2rank"] = True
        if settings.frozen_documents:
            fields["plain_model"] = base_name
    if isinstance(settings, CrossEncoderRun):
        fields |= {"kind": "cross-encoder", "format": "transformers", "trained_for_embedding": False}
    return {name: fields | settings.entry}


def _format(base: ModelEntry) -> str:
    return "transformers" if base.format == "gguf" else base.format


def write_yaml(path: Path, value: Any) -> None:
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))
