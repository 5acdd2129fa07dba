"""From the final states of a text to its vector: pooling, and the layers that a checkpoint adds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from e2rank_eval.errors import InputError
from e2rank_eval.models.checkpoints import COPY
from e2rank_eval.models.encoders.backbone import TokenSequence
from e2rank_eval.models.encoders.form import Head
from e2rank_eval.store.files import read_json

_POOLED: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "cls": lambda states, _: states[0],
    "lasttoken": lambda states, _: states[-1],
    "max": lambda states, _: states.max(0).values,
    "mean": lambda states, _: states.mean(0),
    "mean_sqrt_len_tokens": lambda states, _: states.sum(0) / len(states) ** 0.5,
    "weightedmean": lambda states, places: (states * places[:, None]).sum(0) / places.sum(),
}
"""By mode: a vector [d] of states [n, d] at these places of the text, counted from 1."""


class Pooler:
    """Turns the states of one sequence into its vector, ``dimension`` numbers, before it has unit length.

    Each sequence is pooled by itself: over a whole batch, sums would add in an order that depends on it.
    Layers compute in float32.

    Raises
    ------
    InputError
        When a layer lacks weights in safetensors, names an activation that is not torch's, or does not fit.
    """

    def __init__(self, head: Head, width: int, device: torch.device) -> None:
        self._modes = [_POOLED[mode] for mode in head.modes]
        self._layers = [_load_layer(name, folder).to(device) for name, folder in head.layers]
        self._dimensions = head.dimensions
        try:
            self.dimension = len(self(torch.ones(1, width, device=device), TokenSequence((0,), 0, 1)))
        except RuntimeError as error:
            raise InputError(
                f"its layers do not fit each other ({error})", path=head.layers[0][1], hint=COPY
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
            hint="ask its authors for safetensors, or convert them once where you trust them",
        )  # fmt: skip
    try:
        layer = getattr(modules, name).load(str(folder), local_files_only=True)
    except (RuntimeError, TypeError, ValueError) as error:  # torch names each tensor that is missing
        raise InputError(f"the {name} layer cannot be loaded ({error})", path=folder, hint=COPY) from error
    return layer.float().eval().requires_grad_(False)
