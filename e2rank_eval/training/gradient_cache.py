"""Gradients of a loss over many chunks of inputs: together, or chunk by chunk where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from e2rank_eval.models.encoders.batching import Batch

Forward = Callable[[int], Tensor]
"""The outputs of chunk i, computed with the random numbers that belong to it."""

Loss = Callable[[Sequence[Tensor]], Tensor]
"""The loss of all chunks' outputs."""


def differentiate(
    chunks: int, forward: Forward, loss: Loss, accelerator: Any, run: Any, *, cached: bool
) -> Tensor:
    """Add the gradients of ``loss`` of the outputs of all chunks; returns its value.

    With ``cached`` as in GradCache (arXiv 2101.06983): the outputs without graphs, the loss's gradients
    by them, then each chunk again with its graph, to which those gradients are handed on. Memory holds
    one chunk's graph; the price is one more forward pass. ``forward`` must give the same outputs both
    times. Devices are synchronised with the last chunk only. Parameters in the loss itself get no
    gradients then.
    """
    if not cached:
        value = loss([forward(chunk) for chunk in range(chunks)])
        accelerator.backward(value)
        return value.detach()
    with torch.no_grad():
        outputs = [forward(chunk) for chunk in range(chunks)]
    leaves = [output.requires_grad_() for output in outputs]
    value = loss(leaves)
    # The accelerator divides what it is given by the number of batches of an update: once, in the end.
    for chunk, gradient in enumerate(torch.autograd.grad(value, leaves)):
        with nullcontext() if chunk == chunks - 1 else accelerator.no_sync(run):
            accelerator.backward((forward(chunk) * gradient).sum())
    return value.detach()


def in_order(outputs: Sequence[Tensor], batches: Sequence[Batch]) -> Tensor:
    """The rows of the batches' outputs, each at its position in the input."""
    positions = [position for batch in batches for position in batch.positions]
    order = torch.tensor(np.argsort(positions), device=outputs[0].device)
    return torch.cat(list(outputs)).index_select(0, order)
