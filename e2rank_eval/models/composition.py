"""Models stored as a difference to a base model: changed tensors, or an adapter; both are merged here."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.checkpoints import load_weights, loadable_folder, made_once
from e2rank_eval.models.recognition import CONTENT, content_files, transformer_folder
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.progress import say
from e2rank_eval.store.files import read_settings, sha256_file, sha256_json

ADAPTER = "adapter_config.json"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"
CHANGED = "weights.safetensors"
_WHOLE = "config.json"


def compose(folder: Path, base: str | None, target: Path, examine: Callable[[str], ResolvedModel]) -> Path:
    """Return a folder with a complete model: ``folder`` itself, or the result of a merge, below ``target``.

    ``base`` is a reference to the model whose tensors ``folder/weights.safetensors`` replaces in part; an
    adapter names its base itself. ``examine`` resolves the base. The merged model is stored under a hash of
    both parts.

    Raises
    ------
    InputError
        When the base lacks a tensor, or an adapter lacks its weights or its base.
    UnavailableError
        When merging an adapter needs a package that is not installed.
    """
    if base is None and not (folder / ADAPTER).is_file():
        return folder
    try:
        found = examine(base or _base_of(folder / ADAPTER))
    except (InputError, UnavailableError) as error:
        raise type(error)(f"{folder}: its base: {error}") from error
    origin = loadable_folder(found.path, found.entry.format)
    changed = folder / (CHANGED if base else _ADAPTER_WEIGHTS)
    if not changed.is_file():
        raise InputError(f"no {changed.name}", path=folder, hint="train it again, or get it with the clone")
    parts = {"base": dict(found.files), "changed": sha256_file(changed)}
    if base is None:
        parts["files"] = {path.name: sha256_file(path) for path in content_files(folder)}
    whole = target / f"whole-{sha256_json(parts)[:16]}"

    def make(part: Path) -> None:
        if base is None:
            _merge_adapter(origin, folder, part)
        else:
            _lay_over(origin, changed, part)

    return made_once(whole, f"merging {folder} with its base", make)


def _base_of(settings: Path) -> str:
    """Return the reference to an adapter's base."""
    values = read_settings(settings)
    base, revision = values.get("base_model_name_or_path"), str(values.get("revision"))
    if not base:
        raise InputError("no base_model_name_or_path", path=settings, hint="name the model it was trained on")
    if Path(base).is_dir():
        return base if Path(base).is_absolute() else f"./{base}"
    return f"{base}@{revision}" if re.fullmatch("[0-9a-f]{40}", revision) else str(base)


def _lay_over(base: Path, changed: Path, folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(base, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    left = load_file(changed)
    for path in sorted(folder.rglob("*.safetensors")):
        tensors = load_file(path)
        for name in tensors.keys() & left.keys():
            new = left.pop(name)
            if new.shape != tensors[name].shape:
                raise InputError(
                    f"{name} has shape {tuple(new.shape)} instead of {tuple(tensors[name].shape)}",
                    path=changed, hint="name the base model that it was trained from",
                )  # fmt: skip
            tensors[name] = new.to(tensors[name].dtype)
        save_file(tensors, path, metadata={"format": "pt"})
    if left:
        raise InputError(
            f"the base lacks {len(left)} of its tensors, such as {min(left)}",
            path=changed, hint="name the base model that it was trained from",
        )  # fmt: skip


def _merge_adapter(base: Path, adapter: Path, folder: Path) -> None:
    try:
        version("peft")
    except PackageNotFoundError as error:
        raise UnavailableError(
            f"{adapter}: merging an adapter needs peft, which is not installed; pip install peft"
        ) from error
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    say(f"merging the adapter in {adapter} into its base, once")
    for origin in (base, adapter):
        copy_settings(origin, folder)
    stored = load_file(adapter / _ADAPTER_WEIGHTS)
    body = transformer_folder(base)
    model = _load_base(body, read_settings(adapter / ADAPTER), stored)
    merged: Any = PeftModel.from_pretrained(model, str(adapter))
    unlike = get_peft_model_state_dict(merged).keys() ^ stored.keys()
    if unlike:
        raise InputError(
            f"its weights and its settings differ in {len(unlike)} tensors, such as {min(unlike)}",
            path=adapter, hint="name the base model that it was trained on",
        )  # fmt: skip
    merged.merge_and_unload().save_pretrained(transformer_folder(folder))


def _load_base(body: Path, settings: dict[str, Any], stored: dict[str, Any]) -> Any:
    """Load the base with the head that the adapter was trained with; a new head must be in the adapter."""
    import transformers

    heads = {"SEQ_CLS": "AutoModelForSequenceClassification", "CAUSAL_LM": "AutoModelForCausalLM",
             "FEATURE_EXTRACTION": "AutoModel", "SEQ_2_SEQ_LM": "AutoModelForSeq2SeqLM"}  # fmt: skip
    architecture = (read_settings(body / _WHOLE).get("architectures") or ["AutoModel"])[0]
    auto: Any = getattr(transformers, heads.get(str(settings.get("task_type")), architecture))
    trained = tuple(f"{one}." for one in settings.get("modules_to_save") or [])
    labels = {}
    if settings.get("task_type") == "SEQ_CLS":
        head = next(
            (name for name in stored if re.search(r"(score|classifier|out_proj)\.weight$", name)), None
        )
        if head is None:
            raise InputError(
                "an adapter for sequence classification without a head", path=body, hint="save its head too"
            )
        labels = {"num_labels": int(stored[head].shape[0])}
    return load_weights(auto, body, "auto", optional=trained or " ", **labels)


def copy_settings(origin: Path, folder: Path) -> None:
    """Copy all files that decide an output except the transformer's weights: tokenizer, modules, settings."""
    body = transformer_folder(origin)
    for path in origin.rglob("*"):
        inner = path.relative_to(origin)
        weights = path.parent == body and (path.suffix == ".safetensors" or path.name.endswith(".index.json"))
        wanted = any(path.match(pattern) for pattern in CONTENT) and not path.name.startswith("adapter_")
        if path.is_file() and wanted and not weights and not any(p.startswith(".") for p in inner.parts):
            (folder / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / inner)
