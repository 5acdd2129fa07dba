"""Weights that were trained here: copied as they are, or laid over those of the model they started from."""

from __future__ import annotations

import shutil
from pathlib import Path

from e2rank_eval.datasets.sources.kinds import TrainedSource
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.store.files import sha256_file

_CHANGED = "weights.safetensors"
_WHOLE = "weights"


def take(source: TrainedSource, folder: Path) -> None:
    """Make ``folder`` a model that loads by itself.

    Without a base, the files below ``weights/`` are copied. With one, its files (which are beside
    ``folder``, under its name) are copied and the tensors in ``weights.safetensors`` replace those of
    the same names, in the base's precision.

    Raises
    ------
    UnavailableError
        When a file is missing.
    InputError
        When a file is another than the one that was trained, or a tensor is not of the base.
    """
    origin = Path(source.folder)
    for name, expected in source.files.items():
        if not (origin / name).is_file():
            raise UnavailableError(f"{origin / name}: missing; train it again, or get it with the clone")
        found = sha256_file(origin / name)
        if found != expected:
            raise InputError(
                f"sha256 is {found} instead of {expected}", path=origin / name,
                hint="train it again, or take the entry.yaml that was written with it",
            )  # fmt: skip
    if source.base is None:
        shutil.copytree(origin / _WHOLE, folder, dirs_exist_ok=True)
        return
    _lay_over(folder.parent / source.base, origin / _CHANGED, folder)


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
            f"{len(left)} tensors that the base lacks ({min(left)} first)",
            path=changed, hint="name the base model that it was trained from",
        )  # fmt: skip
