"""An encoder whose weights are trained: loaded as for evaluation, with what may change made to learn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from e2rank_eval.config import LoraSettings, RunBase
from e2rank_eval.errors import InputError, UnavailableError


def prepare_module(module: Any, settings: RunBase, *, unused: Sequence[str] = ("pooler.",)) -> Any:
    """``module`` with the parameters of ``settings`` trainable, in training mode.

    With ``lora`` only its adapters learn. Gradient checkpointing recomputes a layer's inside in the
    backward pass. Without ``dropout`` no layer drops anything. Parameters whose names hold one of
    ``unused`` are frozen: BERT's pooler, which no vector here goes through.

    Raises
    ------
    InputError
        When nothing is left to train.
    UnavailableError
        When LoRA is asked for and peft is not installed.
    """
    if settings.lora is not None:
        module = _with_lora(module, settings.lora)
    else:
        wanted = [re.compile(pattern) for pattern in settings.trainable or [""]]
        for name, parameter in module.named_parameters():
            used = not any(part in name for part in unused)
            parameter.requires_grad_(used and any(pattern.search(name) for pattern in wanted))
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise InputError("no parameter is trained", hint="loosen trainable, or name layers that exist")
    if settings.gradient_checkpointing:
        module.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    if not settings.dropout:
        for part in module.modules():
            if isinstance(part, nn.Dropout):
                part.p = 0.0
    return module.train()


def _with_lora(module: Any, settings: LoraSettings) -> Any:
    try:
        import peft
    except ImportError as error:
        raise UnavailableError("peft is not installed; run: pip install peft") from error
    lora = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.targets,
    )
    try:
        return peft.get_peft_model(module, lora)
    except ValueError as error:
        raise InputError(f"lora: {error}", hint="name linear layers of the model in targets") from error


def learned(module: Any) -> dict[str, Tensor]:
    """The trained parameters by name."""
    return {name: one for name, one in module.named_parameters() if one.requires_grad}


def merged(module: Any) -> Any:
    """The plain module again: adapters added to the weights that they adapt."""
    return module.merge_and_unload() if hasattr(module, "merge_and_unload") else module


class Residual(nn.Module):
    """The weight of the plain query vector beside the listwise one, learned as its logarithm."""

    def __init__(self, weight: float, *, learned: bool) -> None:
        super().__init__()
        self.logarithm = nn.Parameter(torch.tensor(weight).log(), requires_grad=learned)

    def forward(self, plain: Tensor, listwise: Tensor) -> Tensor:
        """unit(weight x plain + listwise), rows of unit length [n, d] in and out."""
        return nn.functional.normalize(self.logarithm.exp() * plain + listwise, dim=-1)


class WithResidual(nn.Module):
    """A transformer's body and the residual weight that is learned beside it, as one module."""

    def __init__(self, body: Any, residual: Residual) -> None:
        super().__init__()
        self.body, self.residual = body, residual

    def forward(self, **inputs: Any) -> Any:
        return self.body(**inputs)
