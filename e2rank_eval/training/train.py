"""One run of a training file, from its settings to weights that the registry knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from e2rank_eval.config import (
    CrossEncoderRun,
    ListwiseRun,
    RunBase,
    Stage1Run,
    Stage2Run,
    TrainingFile,
    entries,
)
from e2rank_eval.config.entries import ModelEntry
from e2rank_eval.datasets.sources.fetch import Fetched
from e2rank_eval.datasets.sources.models import fetch_entry
from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import loadable_folder
from e2rank_eval.models.encoders.pooling import read_pooling
from e2rank_eval.store.files import sha256_file, sha256_json, write_text
from e2rank_eval.training.batching import Schedule
from e2rank_eval.training.card import model_card
from e2rank_eval.training.lists import read_lists
from e2rank_eval.training.loop import Loop
from e2rank_eval.training.objectives import Objective
from e2rank_eval.training.saving import ENTRY, registry_entry, save_weights, write_yaml
from e2rank_eval.training.trainable import merged


def train(file: TrainingFile, name: str) -> Path:
    """Train run ``name`` of ``file``; returns the path of its registry entry.

    Everything lies in ``output/<name>/``. A run that was interrupted goes on from its newest
    checkpoint; on a CPU it ends in the same bytes as one that was not (same threads, same CPU type).
    A finished run whose settings, data and base are unchanged is left as it is.

    Raises
    ------
    InputError
        For bad lists, a model that cannot be trained so, or a checkpoint of other settings.
    """
    settings = file.runs[name]
    folder = file.output / name
    _check_made(settings)
    base_name, base, fetched = _base(file, settings)
    identity = _identity(settings, fetched)
    schedule = Schedule(settings)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    accelerator = _accelerator(settings)
    objective = _objective(settings, base_name, base, fetched, file.cache)
    development = read_lists(settings.development.path) if settings.development else []
    objective.prepare([*schedule.lists, *development])
    loop = Loop(
        objective, schedule, settings, folder, identity, accelerator=accelerator, development=development
    )
    progress = loop.run()
    state = accelerator.get_state_dict(loop.wrapped) if settings.deepspeed else None
    if accelerator.is_main_process:
        module = merged(objective.transformer)
        places = _places(fetched.path, base)
        files = save_weights(module, objective.tokenizer, *places, folder, settings, state=state)
        write_yaml(folder / ENTRY, registry_entry(name, settings, base_name, base, folder, files))
        write_yaml(folder / "training.yaml", _exact(file, name))
        write_text(folder / "README.md", model_card(name, settings, base_name, schedule, progress, identity))
    accelerator.wait_for_everyone()
    return folder / ENTRY


def _check_made(settings: RunBase) -> None:
    for one in settings.data:
        if one.made_from is not None and not one.path.exists():
            hint = f"make them: e2rank-eval training-lists {one.made_from} {one.path}"
            raise InputError("no training lists there yet", path=one.path, hint=hint)


def _base(file: TrainingFile, settings: RunBase) -> tuple[str, ModelEntry, Fetched]:
    """Name, entry and files of what training starts from: a registry model, or an earlier run's."""
    if settings.follows is None:
        assert settings.model is not None
        entry = entries.model(settings.model)
        return settings.model, entry, fetch_entry(settings.model, entry, file.cache)
    place = file.output / settings.follows / ENTRY
    if not place.is_file():
        raise InputError(
            "not trained yet", path=place, hint=f"train the run {settings.follows!r} of this file first"
        )
    entry = entries.read_models(place)[settings.follows]
    return settings.follows, entry, fetch_entry(settings.follows, entry, file.cache)


def _identity(settings: RunBase, fetched: Fetched) -> dict[str, Any]:
    """What decides the weights: settings that do, the data's content, the base's files."""
    idle = {"checkpoint_every", "keep_checkpoints", "title", "note", "licence", "entry", "data", "save"}
    watched = [settings.development.path] if settings.development else []
    return {
        "settings": sha256_json(settings.model_dump(mode="json", exclude=idle)),
        "shares": sha256_json(
            [one.model_dump(mode="json", exclude={"path", "made_from"}) for one in settings.data]
        ),
        "data": {path.as_posix(): sha256_file(path) for path in [*(d.path for d in settings.data), *watched]},
        "base": sha256_json(dict(fetched.files)),
    }


def _accelerator(settings: RunBase) -> Any:
    from accelerate import Accelerator, DeepSpeedPlugin, PartialState
    from accelerate.utils import DistributedDataParallelKwargs

    state = PartialState(cpu=not torch.cuda.is_available())
    parts, devices = settings.batch // settings.together, state.num_processes
    if parts % devices:
        raise InputError(
            f"an update of {parts} parts cannot be shared out among {devices} devices",
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


def _objective(settings: RunBase, name: str, base: ModelEntry, fetched: Fetched, cache: Path) -> Objective:
    if isinstance(settings, Stage1Run | Stage2Run):
        from e2rank_eval.training.encoder_loading import vector_objective

        return vector_objective(settings, name, base, fetched, cache)
    if isinstance(settings, ListwiseRun):
        from e2rank_eval.training.answer_objective import AnswerObjective

        return AnswerObjective.load(loadable_folder(fetched.path, base.format), settings, base)
    from e2rank_eval.training.pair_objective import PairObjective

    assert isinstance(settings, CrossEncoderRun)
    return PairObjective.load(loadable_folder(fetched.path, base.format), settings)


def _places(folder: Path, base: ModelEntry) -> tuple[Path, Path]:
    """The folder of a model that loads by itself, and where in it its transformer lies."""
    if base.format == "sentence-transformers" and base.kind == "encoder":
        return folder, read_pooling(folder).transformer.relative_to(folder)
    return loadable_folder(folder, base.format), Path()


def _exact(file: TrainingFile, name: str) -> dict[str, Any]:
    """The file with this run and those it follows alone, every default written out."""
    wanted = [name]
    while (earlier := file.runs[wanted[0]].follows) is not None:
        wanted.insert(0, earlier)
    runs = {one: file.runs[one] for one in wanted}
    return TrainingFile(output=file.output, cache=file.cache, runs=runs).model_dump(mode="json")
