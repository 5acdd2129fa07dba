"""Out of memory: batches shrink and the work goes on, with the same result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_chat_models import entry, write_chat_model

from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.batching import run_in_batches
from e2rank_eval.models.engines.transformers_text import TransformersModel
from e2rank_eval.models.loading import load_language_model

CHATS = [[{"role": "user", "content": "The capital of China " * (i % 4 + 1)}] for i in range(9)]


def limited(tokens: int, lengths: list[int], done: list[int]) -> Callable[[list[int]], None]:
    """Work that fails as CUDA does where a batch takes more than ``tokens``."""

    def run(group: list[int]) -> None:
        if len(group) * max(lengths[position] for position in group) > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        done.extend(group)

    return run


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 2000), st.integers(50, 500))
def test_all_is_done_once_whatever_fits(lengths: list[int], budget: int, fits: int) -> None:
    done: list[int] = []
    run_in_batches(lengths, budget, limited(fits, lengths, done))
    assert sorted(done) == list(range(len(lengths)))


def test_the_batch_is_halved_and_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    lengths, done, sizes = [10] * 16, list[int](), list[int]()
    work = limited(50, lengths, done)

    def run(group: list[int]) -> None:
        sizes.append(len(group))
        work(group)

    run_in_batches(lengths, 160, run)
    assert sizes == [16, 8, 4, 4, 4, 4], "what did not fit once is not tried again for later groups"
    assert done == list(range(16))
    assert "out of memory with 16 inputs of up to 10 tokens; going on with 8" in capsys.readouterr().err


def test_one_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(UnavailableError, match="one input of 60 tokens does not fit the memory"):
        run_in_batches([60, 5], 100, limited(50, [60, 5], []))


def test_a_real_failure_to_allocate_is_known_and_other_errors_pass() -> None:
    def run(group: list[int]) -> None:
        torch.empty(len(group) * 10**15)

    with pytest.raises(UnavailableError, match="does not fit the memory"):
        run_in_batches([1, 1], 2, run)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run_in_batches([1, 1], 2, lambda _: torch.ones(2, 3) @ torch.ones(2, 3))


def test_a_model_that_runs_out_of_memory_gives_the_same_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = load_language_model(write_chat_model(tmp_path), entry(), file_hashes={})
    assert isinstance(model, TransformersModel)
    texts = model.generate(CHATS, max_new_tokens=5)
    logits = model.next_token(CHATS, ("yes", "no")).logits
    likely = model.likelihood(CHATS, ["Beijing"] * 9)
    forward = model._model.forward

    def small(*arguments: Any, **inputs: Any) -> Any:
        if len(inputs["input_ids"]) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(*arguments, **inputs)

    monkeypatch.setattr(model._model, "forward", small)
    assert model.generate(CHATS, max_new_tokens=5) == texts
    np.testing.assert_allclose(model.next_token(CHATS, ("yes", "no")).logits, logits, atol=1e-4)
    again = model.likelihood(CHATS, ["Beijing"] * 9)
    assert [one.log_probability for one in again] == pytest.approx(
        [one.log_probability for one in likely], abs=1e-4
    )
    assert capsys.readouterr().err.count("going on with 2") == 3
