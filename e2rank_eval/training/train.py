"""One run of a training file, from its settings to weights with a registry entry."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from e2rank_eval.config.reading import load_mapping
from e2rank_eval.config.training import ListwiseRun, RunBase, Stage1Run, Stage2Run, TrainingFile, TrainingRun
from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.references import Catalogue
from e2rank_eval.models.registry import ResolvedModel
from e2rank_eval.store.files import sha256_json, write_text
from e2rank_eval.store.locks import exclusive
from e2rank_eval.training.checkpoints import Checkpoints
from e2rank_eval.training.data import Schedule, TrainingData, read_data
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.loop import Loop
from e2rank_eval.training.objectives import Objective, learned
from e2rank_eval.training.saving import (
    ENTRY,
    exact_configuration,
    model_card,
    registry_entry,
    save_weights,
    write_yaml,
)

CHECKPOINTS, CONFIGURATION = "checkpoints", "training.yaml"
_NOT_IN_IDENTITY = {
    "checkpoint_every", "title", "note", "licence", "entry", "data", "collection", "save",
}  # fmt: skip


def train(file: TrainingFile, name: str, lists: Mapping[str, TrainingList] | None = None) -> Path:
    """Train run ``name`` of ``file``; returns the path of its registry entry.

    ``lists`` are those of its collection, where the caller has made them. Everything is stored in
    ``output/<name>/``. An interrupted run resumes from its newest checkpoint; on a CPU it gives the same
    bytes as an uninterrupted run (same threads, same CPU type).

    Raises
    ------
    InputError
        For malformed lists, a model that this objective cannot train, a checkpoint of other settings, or a
        folder that holds other files.
    UnavailableError
        When another process trains in this folder, or a step does not fit the memory.
    """
    settings = file.runs[name]
    folder = file.output / name
    refuse_other_files(folder)
    data = read_data(settings, file.cache, lists)
    base = load_base(file, settings)
    identity = _identity(settings, data, base)
    schedule = Schedule(settings, data.files)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    accelerator = _accelerator(settings)
    objective = load_objective(settings, base, file.cache)
    objective.prepare([*schedule.lists, *data.development])
    checkpoints = Checkpoints(folder / CHECKPOINTS, identity)
    loop = Loop(objective, schedule, settings, folder, checkpoints, accelerator, data.development)
    # Another process would write the same checkpoints and log.
    lock = exclusive(folder / CHECKPOINTS / ".lock", what=f"the run in {folder}", wait=1.0)
    with lock if accelerator.is_main_process else nullcontext():
        averaged = learned(objective.module) if settings.save.trained < 1 else {}
        start = {one: weights.detach().clone() for one, weights in averaged.items()}
        progress = loop.run()
        with torch.no_grad():
            for one, weights in averaged.items():
                weights.lerp_(start[one], 1 - settings.save.trained)
        state = accelerator.get_state_dict(loop.wrapped) if settings.deepspeed else None
        if accelerator.is_main_process:
            trained = objective.module, objective.tokenizer
            save_weights(*trained, base, folder, settings, state=state)
            write_yaml(folder / ENTRY, registry_entry(name, settings, base, folder))
            write_yaml(folder / CONFIGURATION, exact_configuration(file, name))
            write_text(
                folder / "README.md", model_card(name, settings, base.reference, schedule, progress, identity)
            )
        accelerator.wait_for_everyone()
    return folder / ENTRY


def refuse_other_files(folder: Path) -> None:
    """Raise InputError where ``folder`` has files but no training run's, which a run would overwrite."""
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if found and not found & {CHECKPOINTS, CONFIGURATION}:
        raise InputError(
            f"the folder holds other files, such as {min(found)}", path=folder, hint="name a new folder"
        )


def load_base(file: TrainingFile, settings: RunBase) -> ResolvedModel:
    """Return the model that training starts from, which may be an earlier run's.

    Raises
    ------
    InputError
        When the earlier run has not been trained, or the model is refused.
    """
    if settings.follows is None:
        return Catalogue(file.cache).examine(str(settings.model))
    name = settings.follows
    path = file.output / name / ENTRY
    if not path.is_file():
        raise InputError("not trained yet", path=path, hint=f"train the run {name!r} of this file first")
    return Catalogue(file.cache, load_mapping(path), str(path)).examine(name)


def _identity(settings: RunBase, data: TrainingData, base: ResolvedModel) -> dict[str, Any]:
    """Return what determines the weights: relevant settings, content of the data, files of the base."""
    shares = [one.model_dump(mode="json", exclude={"path", "made_from"}) for one in settings.data]
    return {
        "settings": sha256_json(settings.model_dump(mode="json", exclude=_NOT_IN_IDENTITY)),
        "shares": sha256_json(shares),
        "data": dict(data.hashes),
        "base": sha256_json(dict(base.files)),
    }


def _accelerator(settings: RunBase) -> Any:
    from accelerate import Accelerator, DeepSpeedPlugin, PartialState
    from accelerate.utils import DistributedDataParallelKwargs

    state = PartialState(cpu=not torch.cuda.is_available())
    parts, devices = settings.batch // settings.together, state.num_processes
    if parts % devices:
        raise InputError(
            f"a step of {parts} parts cannot be divided among {devices} devices",
            hint="choose batch and device_batch so that devices divides batch / device_batch",
        )
    deepspeed = DeepSpeedPlugin(hf_ds_config=str(settings.deepspeed)) if settings.deepspeed else None
    return Accelerator(
        gradient_accumulation_steps=parts // devices,
        mixed_precision=settings.precision,
        cpu=not torch.cuda.is_available(),
        deepspeed_plugin=deepspeed,
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )


def load_objective(settings: TrainingRun, base: ResolvedModel, cache: Path) -> Objective:
    """Load the objective of ``settings`` on the base model from :func:`load_base`."""
    if isinstance(settings, Stage1Run | Stage2Run):
        from e2rank_eval.training.vector_objective import load_vector_objective

        return load_vector_objective(settings, base, cache)
    from e2rank_eval.training.baselines import AnswerObjective, PairObjective

    folder = loadable_folder(base.path, base.entry.format)
    if isinstance(settings, ListwiseRun):
        return AnswerObjective(folder, settings, window=settings.window or base.entry.window)
    return PairObjective(folder, settings)
