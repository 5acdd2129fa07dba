"""Interface and common parts of training objectives: trainable module, batches, development scores."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from e2rank_eval.config.training import LoraSettings, RunBase
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.evaluation.effectiveness import evaluate
from e2rank_eval.models.batching import Batch, plan_batches, plan_groups
from e2rank_eval.progress import track
from e2rank_eval.store.trec import Run
from e2rank_eval.training.lists import TrainingList

_GPU_TOKENS = 65_536
"""Padded tokens of a batch on a GPU, which small batches leave mostly idle; an estimate, not measured."""

Terms = dict[str, float]
"""Named values of one batch, including ``loss``."""


class Objective(ABC):
    """A model in training: its module and tokenizer, the loss of a batch, its value on development lists.

    ``module`` is what the accelerator wraps and a run saves; its ``requires_grad`` parameters are trained.
    """

    module: Any
    tokenizer: Any

    def prepare(self, lists: Sequence[TrainingList]) -> None:  # noqa: B027 - most have nothing to do
        """Precompute what training does not change (vectors of frozen documents)."""

    @abstractmethod
    def backward(self, run: Any, lists: Sequence[TrainingList], accelerator: Any, *, seed: int) -> Terms:
        """Add the gradients of the mean loss of ``lists``, computed through ``run``.

        ``run`` is :attr:`module` as the accelerator wrapped it; ``seed`` determines all random draws.
        """

    @abstractmethod
    def evaluate(self, lists: Sequence[TrainingList]) -> Terms:
        """Return ``score`` (higher is better) and further values.

        The loop calls this with the module in evaluation mode and without gradients.
        """


def prepare_module(module: Any, settings: RunBase, *, unused: Sequence[str] = ("pooler.",)) -> Any:
    """Return ``module`` with the parameters of ``settings`` trainable, in training mode.

    With ``lora`` only its adapters are trained. Gradient checkpointing recomputes the activations of a layer
    in the backward pass. Without ``dropout`` all dropout is off. Parameters whose names contain one of
    ``unused`` are frozen: by default BERT's pooler, which no vector here uses.

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
    if not learned(module):
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
    lora = peft.LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=settings.targets)
    try:
        return peft.get_peft_model(module, lora)
    except ValueError as error:
        raise InputError(f"lora: {error}", hint="name linear layers of the model in targets") from error


def learned(module: Any) -> dict[str, Tensor]:
    """Return the trained parameters by name."""
    return {name: one for name, one in module.named_parameters() if one.requires_grad}


def run_batches(
    forward: Callable[[Batch], Tensor],
    lengths: Sequence[int],
    window: int,
    device: torch.device,
    *,
    seed: int,
) -> Tensor:
    """Return the output rows of ``forward`` for sequences of these lengths, in the order of the sequences.

    On a GPU, batches are few and large; on a CPU, the padding of a sequence does not depend on its batch.
    The random numbers of a batch (dropout) depend on ``seed`` and its number alone.
    """
    on_gpu = device.type == "cuda"
    batches = plan_groups(lengths, _GPU_TOKENS) if on_gpu else plan_batches(lengths, window=window)
    # Without gradients it is an evaluation, whose many lists can take minutes on a CPU.
    steps = batches if torch.is_grad_enabled() else track(batches, description="development lists")
    outputs = []
    for number, batch in enumerate(steps):
        torch.manual_seed(seed + 1 + number)
        outputs.append(forward(batch))
    positions = [position for batch in batches for position in batch.positions]
    order = torch.tensor(np.argsort(positions), device=outputs[0].device)
    return torch.cat(outputs).index_select(0, order)


def add_gradients(terms: dict[str, Tensor], accelerator: Any) -> Terms:
    """Add the gradients of ``terms["loss"]``; return the values of all terms."""
    accelerator.backward(terms["loss"])
    return {name: float(value.detach()) for name, value in terms.items()}


def list_loss(
    loss: Callable[..., Tensor], scores: Tensor, lists: Sequence[TrainingList], temperature: float
) -> Tensor:
    """Return the RankNet or ListNet loss of ``scores`` [documents of all lists] against the lists' ranks."""
    rows = scores.split([len(item.documents) for item in lists])  # type: ignore[no-untyped-call]
    ranks = [torch.tensor(item.ranks, device=scores.device) for item in lists]
    padded = pad_sequence(rows, batch_first=True), pad_sequence(ranks, batch_first=True)
    return loss(*padded, temperature=temperature)


def development_scores(lists: Sequence[TrainingList], scores: Sequence[NDArray[np.floating]]) -> Terms:
    """Return ``score``, nDCG@10 of the positives, and ``pairs``, the share of pairs in the teacher's order.

    ``scores[i]`` [c] belong to the documents of list i. A pair that the teacher orders and the scores
    tie counts as half. Both are means over lists, from 0 to 1.
    """
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for number, (item, row) in enumerate(zip(lists, scores, strict=True)):
        run[str(number)] = {str(place): float(score) for place, score in enumerate(row)}
        qrels[str(number)] = {str(place): int(place in item.positives) for place in range(len(row))}
    found = evaluate(Run(run), qrels, ("nDCG@10",))
    ordered = [_ordered(item.ranks, row) for item, row in zip(lists, scores, strict=True)]
    return {"score": found.mean["nDCG@10"], "pairs": float(np.mean(ordered))}


def _ordered(ranks: Sequence[int], scores: NDArray[np.floating]) -> float:
    above = np.less.outer(np.array(ranks), np.array(ranks))
    differences = np.subtract.outer(scores, scores)[above]
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))
