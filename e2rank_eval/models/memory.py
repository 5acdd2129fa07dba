"""Work in batches that shrink where the device's memory runs out: what encoders and language models share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

from e2rank_eval.errors import UnavailableError
from e2rank_eval.progress import say

Batch = TypeVar("Batch")

_MEND = "lower document_tokens or the window, or use a device with more memory"
_MESSAGES = ("out of memory", "can't allocate memory", "not enough memory")
"""How allocators put it: of CUDA, and of CPUs by platform."""


def run_shrinking(
    batches: Sequence[Batch],
    run: Callable[[Batch], None],
    shrink: Callable[[Sequence[Batch]], Sequence[Batch]],
) -> None:
    """Call ``run`` with each of ``batches`` in turn.

    Where one runs out of memory, ``shrink`` is given it and all that follow, and what it returns is
    run instead; ``run`` is then called again with some of the same inputs.
    """
    waiting = batches
    while waiting:
        waiting = waiting[1:] if _fits(run, waiting[0]) else shrink(waiting)


def smaller(rows: int, length: int, *, least: int = 1) -> int:
    """How many rows to go on with after ``rows`` of ``length`` tokens did not fit: half, but ``least``; said.

    Raises
    ------
    UnavailableError
        When no fewer rows may be tried.
    """
    if rows <= least:
        inputs = f"one input of {length} tokens" if rows == 1 else f"{rows} inputs of {length} tokens"
        raise UnavailableError(f"{inputs} {'does' if rows == 1 else 'do'} not fit the memory; {_MEND}")
    fewer = max(least, rows // 2)
    say(f"out of memory with {rows} inputs of up to {length} tokens; going on with {fewer}")
    return fewer


def fewer_tokens(tokens: int, *, least: int) -> int:
    """How many tokens to take at once after ``tokens`` of them did not fit: half, but ``least``; said.

    Raises
    ------
    UnavailableError
        When no fewer tokens may be tried.
    """
    if tokens <= least:
        raise UnavailableError(f"{tokens} tokens do not fit the memory; {_MEND}")
    fewer = max(least, tokens // 2)
    say(f"out of memory with {tokens} tokens; going on with up to {fewer} at once")
    return fewer


def _fits(run: Callable[[Batch], None], batch: Batch) -> bool:
    try:
        run(batch)
        return True
    except torch.OutOfMemoryError:
        pass
    except RuntimeError as error:
        if not any(message in str(error) for message in _MESSAGES):
            raise
    # Only now has the traceback let go of the tensors that filled the memory.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return False
