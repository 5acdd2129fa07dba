"""The output of a finished run: weights, registry entry, model card, exact configuration."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from e2rank_eval.config.training import (
    CrossEncoderRun,
    ListwiseRun,
    RunBase,
    Stage1Run,
    Stage2Run,
    TrainingFile,
)
from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import loadable_folder, quiet
from e2rank_eval.models.composition import CHANGED, copy_settings
from e2rank_eval.models.encoders.form import read_form
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.store.files import atomic_path, write_text
from e2rank_eval.training.checkpoints import Progress
from e2rank_eval.training.data import Schedule

ENTRY = "entry.yaml"
_WHOLE = "weights"
_NOT_INHERITED = {"files", "reranker", "plain_model"}
"""Fields of the base's registry entry that do not hold for weights trained from it."""

_OBJECTIVES = {
    "stage1": "contrastive training of plain vectors (Stage I)",
    "stage2": "E2Rank's listwise training (Stage II)",
    "listwise": "a causal model that generates rankings (RankGPT-style)",
    "cross-encoder": "one score for query and document together, by RankNet",
}


def save_weights(
    module: Any,
    tokenizer: Any,
    base: ResolvedModel,
    folder: Path,
    settings: RunBase,
    *,
    state: dict[str, Tensor] | None = None,
) -> None:
    """Write the weights of ``module`` below ``folder``.

    Training started from ``base``. With ``whole``, ``weights/`` has all weights and the base's other files
    that affect its output (tokenizer, pooling); for a new kind of model, weights and tokenizer alone. With
    ``changed``, ``weights.safetensors`` has the tensors that differ from the base's. Adapters are merged into
    the weights. ``state`` has all tensors if ``module`` holds only a part of them.

    Raises
    ------
    InputError
        When no weight has changed.
    """
    dtype = getattr(torch, settings.save.dtype)
    module = module.merge_and_unload() if hasattr(module, "merge_and_unload") else module
    loadable, transformer = loadable_folder(base.path, base.entry.format), Path()
    if base.entry.format == "sentence-transformers" and base.entry.kind == "encoder":
        loadable, transformer = base.path, read_form(base.path).transformer.relative_to(base.path)
    if settings.save.weights == "changed":
        changed = _changed(module, loadable / transformer)
        if not changed:
            raise InputError("no weight has changed", path=folder, hint="train longer, or at a higher rate")
        with atomic_path(folder / CHANGED) as path:
            tensors = {name: one.to(dtype).contiguous() for name, one in changed.items()}
            save_file(tensors, path, metadata={"format": "pt"})
        return
    target, part = folder / _WHOLE, folder / f".{_WHOLE}.part"
    shutil.rmtree(part, ignore_errors=True)
    if isinstance(settings, CrossEncoderRun | ListwiseRun):
        # A fast tokenizer keeps truncation and padding of its last call, and would save them.
        if (backend := getattr(tokenizer, "backend_tokenizer", None)) is not None:
            backend.no_truncation()
            backend.no_padding()
        tokenizer.save_pretrained(part)
    else:
        copy_settings(loadable, part)
    with quiet():
        if state is None:
            module.to(dtype).save_pretrained(part / transformer)
        else:
            tensors = {name: one.to(dtype) for name, one in state.items()}
            module.save_pretrained(part / transformer, state_dict=tensors)
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)


def _changed(module: Any, base: Path) -> dict[str, Tensor]:
    """Return the tensors of ``module`` that differ from the checkpoint's, by the checkpoint's names."""
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


def registry_entry(name: str, settings: RunBase, base: ResolvedModel, folder: Path) -> dict[str, Any]:
    """Return the registry entry of the trained weights."""
    changed = settings.save.weights == "changed"
    source = {"kind": "folder", "folder": (folder if changed else folder / _WHOLE).as_posix()}
    source |= {"base": base.reference} if changed else {}
    fields = base.entry.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_INHERITED)
    fields |= {"title": settings.title, "licence": settings.licence, "sources": [source]}
    if not changed:
        kept = "transformers" if base.entry.format == "gguf" else base.entry.format
        fields |= {"format": kept, "dtype": settings.save.dtype}
    if isinstance(settings, Stage1Run):
        fields["trained_for_embedding"] = True
    if isinstance(settings, Stage2Run):
        fields["trained_for_e2rank"] = True
        if options := _as_reranker(settings):
            fields["reranker"] = options
        if settings.frozen_documents:
            fields["plain_model"] = base.entry.plain_model or base.reference
    if isinstance(settings, CrossEncoderRun):
        fields |= {"kind": "cross-encoder", "format": "transformers", "trained_for_embedding": False}
        fields["window"] = max(base.entry.window, settings.window or 0)  # the checkpoint has its own limit
    return {name: fields | settings.entry}


def _as_reranker(settings: Stage2Run) -> dict[str, Any]:
    """Return the options of family e2rank that rank as the run trained."""
    residual, documents = settings.residual, settings.prompt.documents
    options: dict[str, Any] = {}
    if residual is not None:
        options |= {"combination": "residual", "weight": residual.weight}
    return options | ({} if documents is None else {"prompt_documents": documents[1]})


def exact_configuration(file: TrainingFile, name: str) -> dict[str, Any]:
    """Return the file with only this run and the runs that it follows, and all defaults written out."""
    wanted = [name]
    while (earlier := file.runs[wanted[0]].follows) is not None:
        wanted.insert(0, earlier)
    runs = {one: file.runs[one] for one in wanted}
    return TrainingFile(output=file.output, cache=file.cache, runs=runs).model_dump(mode="json")


def model_card(
    name: str,
    settings: RunBase,
    base: str,
    schedule: Schedule,
    progress: Progress,
    identity: Mapping[str, Any],
) -> str:
    """Return the model card in Markdown: objective, base model, data, result, and how to repeat the run."""
    front = yaml.safe_dump({"license": settings.licence, "base_model": base, "tags": ["e2rank-eval"]})
    sources = Counter(item.source for item in schedule.lists)
    hashes = "\n".join(f"- `{path}`: sha256 `{digest}`" for path, digest in identity["data"].items())
    best = f"; the weights are those after step {progress.best_step}" if settings.development else ""
    if settings.save.trained < 1:
        best += f", averaged with those of the base (share of the trained ones: {settings.save.trained:g})"
    parts = [
        f"---\n{front}---",
        f"# {settings.title}",
        f"`{name}`: {_OBJECTIVES[settings.objective]}, from `{base}`. {progress.step} of {schedule.steps} "
        f"steps of {settings.batch} lists{best}. Seed {settings.seed}, CPU threads {settings.threads}.",
        settings.note,
        "| source | lists |\n|:--|--:|\n" + "\n".join(f"| {s} | {n} |" for s, n in sources.items()),
        f"Data files:\n\n{hashes}",
        ""
        if progress.best_score is None
        else f"Best score on the development lists: {progress.best_score:.4f}.",
        "`training.yaml` holds the exact configuration: `e2rank-eval train training.yaml` trains it again; "
        "`entry.yaml` is the registry entry, `log.jsonl` every step's losses.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def write_yaml(path: Path, value: Any) -> None:
    """Write ``value`` as YAML, keeping the order of keys."""
    write_text(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=110))
