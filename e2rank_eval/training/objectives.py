"""What the training loop asks of anything that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from e2rank_eval.training.lists import TrainingList

Terms = dict[str, float]
"""Named values of one batch, ``loss`` among them."""


class Objective(Protocol):
    """A model in training: its module, the loss of a batch, its value on lists set aside.

    ``module`` is what is wrapped and run, its parameters with ``requires_grad`` being trained;
    ``transformer`` the part of it that is saved, with whatever adapters it has, and its ``tokenizer``.
    """

    module: Any
    transformer: Any
    tokenizer: Any

    def prepare(self, lists: Sequence[TrainingList]) -> None:
        """Do the work that needs no training (vectors of frozen documents) ahead."""
        ...

    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of the mean loss of ``lists``, computed through ``run``.

        ``run`` is :attr:`module` as the accelerator wrapped it; ``seed`` decides everything drawn.
        """
        ...

    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """``score`` (higher is better) and whatever else tells how training goes, without gradients."""
        ...


def padded(scores: Tensor, lists: Sequence[TrainingList]) -> tuple[Tensor, Tensor]:
    """Scores [all documents], list by list, as [lists, longest list], and their ranks; 0 is padding."""
    rows = scores.split([len(item.documents) for item in lists])  # type: ignore[no-untyped-call]
    ranks = [torch.tensor(item.ranks, device=scores.device) for item in lists]
    return pad_sequence(rows, batch_first=True), pad_sequence(ranks, batch_first=True)
