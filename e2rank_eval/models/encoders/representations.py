"""Representations of texts that are not one dense vector: their protocol, and their safe loading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import load_library_model, missing_weights
from e2rank_eval.models.encoders.base import Kind
from e2rank_eval.models.recognition import modules_of
from e2rank_eval.store.files import read_settings


@dataclass(frozen=True, slots=True)
class Represented:
    """``vectors`` of n texts in an encoder's own form, sliced as ``vectors[i : i + 1]`` for text i alone.

    ``tokens[i]`` counts the tokens that text i was read as; ``truncated[i]`` says whether a limit cut it.
    """

    vectors: Any
    tokens: tuple[int, ...]
    truncated: tuple[bool, ...]


class TextEncoder(Protocol):
    """Represents query and documents separately, and scores them by their representations alone.

    A text's representation does not depend on the texts that it is encoded with. ``fingerprint`` names
    everything that decides a score.
    """

    fingerprint: str

    def encode(self, texts: Sequence[str], kind: Kind) -> Represented:
        """Represent each text by itself."""
        ...

    def join(self, parts: Sequence[Any]) -> Any:
        """Return the vectors of several calls, at least one, as those of one call."""
        ...

    def scores(self, query: Any, documents: Any) -> NDArray[np.float64]:
        """Return a score for each of the n ``documents`` [n], of the vectors of one query."""
        ...


def load_modules(kind: Any, folder: Path) -> Any:
    """Load a model of the class ``kind`` of sentence-transformers, all of it from the files of ``folder``.

    The library completes a checkpoint of another kind by modules of random weights and drops modules that
    it cannot use, with no more than a log line: both are errors here.

    Raises
    ------
    InputError
        When the model cannot be loaded, or a module or a tensor of it would be random; names it.
    """
    modules = modules_of(folder)
    named = {_short(str(module["type"])) for module in modules}
    if not modules and "HF_ColBERT" in (read_settings(folder / "config.json").get("architectures") or ()):
        named = {"Transformer", "Dense"}  # the projection is the tensor linear.weight of the same file
    for module in modules:
        settings = folder / module.get("path", "") / "config.json"
        used = str(read_settings(settings).get("activation_function"))
        if "." in used and not used.startswith("torch."):
            raise InputError(
                f"the activation function {used} is code of the checkpoint, which never runs here",
                path=settings,
            )
    hint = f"name a checkpoint that was trained as a {kind.__name__}"
    model = load_library_model(kind, folder, kind.__name__, hint)
    loaded = {_short(type(module).__name__): module for module in model.children()}
    random = [
        f"{name}.{key}"
        for name, module in loaded.items()
        if name not in {*named, "Transformer"}
        for key in module.state_dict()
    ]
    if "Transformer" in loaded:
        random += _missing(loaded["Transformer"].auto_model)
    if random:
        raise InputError(
            f"not a trained {kind.__name__}: {', '.join(random[:5])} would be random", path=folder, hint=hint
        )
    if dropped := ", ".join(sorted(named - loaded.keys())):
        raise InputError(f"not a {kind.__name__}: {dropped} would be dropped", path=folder, hint=hint)
    return model


def _short(module: str) -> str:
    name = module.rsplit(".", 1)[-1]
    return "Transformer" if name.endswith("Transformer") else name


def _missing(body: Any) -> list[str]:
    """Return the weights that the checkpoint of a transformers model lacks, without an unused pooler's."""
    found = missing_weights(type(body).__name__, Path(body.name_or_path))
    return [name for name in found if not name.startswith("pooler.")]
