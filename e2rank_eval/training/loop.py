"""The training loop: numbered steps, learning rate, evaluation, early stopping, checkpoints.

It is built on accelerate rather than on transformers' Trainer: every step is a pure function of its
number, so a run resumes by loading the state and continuing with the next number. The Trainer resumes by
replaying a data loader, and has no batches of one source; both would have to be overridden.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from e2rank_eval.config.training import OptimiserSettings, RunBase
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.batching import out_of_memory
from e2rank_eval.progress import say, track
from e2rank_eval.store.files import atomic_path
from e2rank_eval.training.checkpoints import Checkpoints, Log, Progress
from e2rank_eval.training.data import Schedule
from e2rank_eval.training.lists import TrainingList
from e2rank_eval.training.objectives import Objective, Terms, learned

_NORM = 1.0
"""The norm to which the gradients of a step are clipped."""


def learning_rate(settings: OptimiserSettings, step: int, steps: int) -> float:
    """Return the rate of step ``step`` (from 0) of ``steps``: linear warm-up, then linear decay.

    The rates of the first and the last step are above zero.

    >>> s = OptimiserSettings(learning_rate=1.0, warm_up=0.5)
    >>> [learning_rate(s, step, 4) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warm = round(settings.warm_up * steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * (steps - step) / (steps - warm)


@dataclass(slots=True)
class Loop:
    """Trains ``objective`` on ``schedule``; the log is stored in ``folder``.

    :attr:`wrapped` is the objective's module as the accelerator runs it.
    """

    objective: Objective
    schedule: Schedule
    settings: RunBase
    folder: Path
    checkpoints: Checkpoints
    accelerator: Any
    development: Sequence[TrainingList] = ()
    wrapped: Any = field(init=False)
    _optimiser: Any = field(init=False)

    def __post_init__(self) -> None:
        optimiser = torch.optim.AdamW(
            list(learned(self.objective.module).values()),
            lr=self.settings.optimiser.learning_rate,
            weight_decay=0.0,
        )
        self.wrapped, self._optimiser = self.accelerator.prepare(self.objective.module, optimiser)

    def run(self) -> Progress:
        """Train to the end, starting from the newest checkpoint if there is one.

        With development lists the module ends with the weights that scored best on them, else with the last.

        Raises
        ------
        UnavailableError
            When a step does not fit the memory.
        InputError
            When the loss is not finite, or a checkpoint is of other settings.
        """
        progress = self.checkpoints.restore(self.accelerator)
        if progress.step:
            say(f"resuming after step {progress.step} of {self.schedule.steps}")
        log = Log(self.folder, progress.step) if self.accelerator.is_main_process else None
        if progress.step == 0:
            self._evaluate(progress, log)
        remaining = range(progress.step, self.schedule.steps)
        for step in track(remaining, description=f"training {self.settings.title}"):
            if progress.stopped:
                break
            self._advance(step, progress, log)
        self.accelerator.wait_for_everyone()
        if progress.best_score is not None:
            best = load_file(self.checkpoints.best(progress.best_step))
            with torch.no_grad():
                for name, one in learned(self.objective.module).items():
                    one.copy_(best[name].to(one.device))
        return progress

    def _advance(self, step: int, progress: Progress, log: Log | None) -> None:
        """Take one step; then log, evaluate and save as scheduled."""
        try:
            terms = self._step(step)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            raise UnavailableError(
                f"step {step + 1} does not fit the memory; lower device_batch, window or list_documents, set "
                "gradient_checkpointing, or use a device with more memory"
            ) from error
        progress.step = step + 1
        if not math.isfinite(terms["loss"]):
            problem = f"the loss of step {progress.step} is {terms['loss']}"
            raise InputError(problem, hint="lower learning_rate")
        if log is not None:
            log.write(progress.step, terms)
        watched = self.settings.development
        last = progress.step == self.schedule.steps
        if watched is not None and (last or progress.step % watched.every == 0):
            self._evaluate(progress, log)
        if last or progress.stopped or progress.step % self.settings.checkpoint_every == 0:
            self.checkpoints.save(self.accelerator, progress)

    def _step(self, step: int) -> Terms:
        rate = learning_rate(self.settings.optimiser, step, self.schedule.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        own = list(enumerate(self.schedule.step(step)))[rank::world]
        sums: dict[str, float] = {}
        norm: Terms = {}
        for number, lists in own:
            with self.accelerator.accumulate(self.wrapped):
                seed = _seed(self.settings.seed, step, number)
                terms = self.objective.backward(self.wrapped, lists, self.accelerator, seed=seed)
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + value / len(own)
                if self.accelerator.sync_gradients:
                    found = self.accelerator.clip_grad_norm_(self.wrapped.parameters(), _NORM)
                    norm = {} if found is None else {"gradient_norm": float(found)}
                self._optimiser.step()
                self._optimiser.zero_grad()
        return sums | norm | {"learning_rate": rate}

    def _evaluate(self, progress: Progress, log: Log | None) -> None:
        watched = self.settings.development
        if watched is None:
            return
        self.objective.module.eval()
        with torch.no_grad():
            found = self.objective.evaluate(self.development)
        self.objective.module.train()
        if log is not None:
            log.write(progress.step, found, group="development")
            say(f"step {progress.step}: development score {found['score']:.4f}")
        if progress.best_score is None or found["score"] > progress.best_score:
            progress.best_score, progress.best_step = found["score"], progress.step
            progress.evaluations_since_best = 0
            if self.accelerator.is_main_process:
                trained = learned(self.objective.module).items()
                with atomic_path(self.checkpoints.best(progress.best_step)) as path:
                    save_file({name: one.detach().cpu().contiguous() for name, one in trained}, path)
            return
        progress.evaluations_since_best += 1
        if watched.patience is not None and progress.evaluations_since_best >= watched.patience:
            say(f"no improvement in {watched.patience} evaluations; stopping after step {progress.step}")
            progress.stopped = True


def _seed(seed: int, step: int, part: int) -> int:
    """Return the seed of one part of one step; seeds are far apart, as batches add their number to it."""
    return ((seed * 1_000_003 + step) * 1_009 + part) * 4_096 % 2**62
