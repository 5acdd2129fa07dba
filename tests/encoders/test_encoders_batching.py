"""Batches under a token budget cover every sequence once, and shrink where memory runs out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_checkpoints import TEXTS, decoder_entry, encoder_entry, write_bert, write_decoder
from tiny_chat_models import entry, write_chat_model

from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.batching import (
    STABLE_TOKENS,
    STEP,
    Batch,
    Plan,
    padded_length,
    plan_batches,
    plan_groups,
    run_in_batches,
)
from e2rank_eval.models.engines.packing import plan_packs
from e2rank_eval.models.loading import load_encoder, load_language_model
from e2rank_eval.records import ListwiseInput

WINDOW = 500
LENGTHS = st.lists(st.integers(1, WINDOW), max_size=60)
CHATS = [[{"role": "user", "content": "The capital of China " * (i % 4 + 1)}] for i in range(9)]


def assert_covered(batches: list[Batch], lengths: list[int]) -> None:
    assert sorted(p for batch in batches for p in batch.positions) == list(range(len(lengths)))


@given(LENGTHS, st.integers(16, 3000), st.integers(0, 600), st.sampled_from([STEP, 64]))
def test_a_batch_is_of_one_padded_length(lengths: list[int], tokens: int, least: int, step: int) -> None:
    batches = plan_batches(lengths, tokens, window=WINDOW, least_tokens=least, step=step)
    assert_covered(batches, lengths)
    for batch in batches:
        rows = len(batch.positions) + batch.filler
        assert {padded_length(lengths[p], WINDOW, step) for p in batch.positions} == {batch.length}
        assert len(batch.positions) == 1 or len(batch.positions) * batch.length <= tokens
        assert batch.tokens == rows * batch.length >= least
        assert batch.filler == 0 or (rows - 1) * batch.length < least


@given(st.integers(1, WINDOW))
def test_padding_is_short_and_within_the_window(tokens: int) -> None:
    assert tokens <= padded_length(tokens, WINDOW) <= min(WINDOW, tokens + STEP - 1)


@given(LENGTHS, st.integers(1, 2000))
def test_a_group_holds_neighbours_in_length_and_is_filled(lengths: list[int], tokens: int) -> None:
    groups = plan_groups(lengths, tokens)
    assert_covered(groups, lengths)
    for group in groups:
        assert group.length == max(lengths[p] for p in group.positions)
        assert len(group.positions) == 1 or group.tokens <= tokens
    for group, following in pairwise(groups):
        assert min(lengths[p] for p in group.positions) >= following.length
        assert (len(group.positions) + 1) * group.length > tokens


@given(LENGTHS, st.integers(1, 3000), st.integers(0, 600))
def test_a_pack_is_filled_to_few_shapes(lengths: list[int], tokens: int, least: int) -> None:
    packs = plan_packs(lengths, tokens, least_tokens=least)
    assert_covered(packs, lengths)
    for pack in packs:
        used = sum(lengths[position] for position in pack.positions)
        assert used <= tokens or len(pack.positions) == 1
        assert pack.tokens == used + pack.filler >= least
        assert pack.tokens % STEP == 0 if least else pack.filler == 0
        assert pack.filler < least + STEP


def limited(fits: int, tried: list[Batch]) -> Callable[[Batch], None]:
    """Return work that fails as CUDA does where a batch takes more than ``fits`` tokens."""

    def run(batch: Batch) -> None:
        tried.append(batch)
        if batch.tokens > fits:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    return run


@pytest.mark.parametrize(
    "plan",
    [
        partial(plan_batches, window=WINDOW, least_tokens=600),
        partial(plan_batches, window=WINDOW, full=True),
        plan_groups,
        partial(plan_packs, least_tokens=600),
        plan_packs,
    ],
)
@given(lengths=LENGTHS, tokens=st.integers(16, 5000), fits=st.integers(1100, 6000))
def test_all_is_done_once_whatever_fits(plan: Plan, lengths: list[int], tokens: int, fits: int) -> None:
    """A batch of 600 tokens, or half of a failed one, grows to at most 1,100 by a row of up to 500."""
    tried: list[Batch] = []
    run_in_batches(lengths, plan, limited(fits, tried), tokens=tokens)
    assert_covered([batch for batch in tried if batch.tokens <= fits], lengths)
    failed = [batch.tokens for batch in tried if batch.tokens > fits]
    assert all(then < WINDOW + first // 2 < first for first, then in pairwise(failed))


def test_the_budget_is_halved_which_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    tried: list[Batch] = []
    run_in_batches([10] * 16, plan_groups, limited(50, tried), tokens=160)
    assert [len(batch.positions) for batch in tried] == [16, 8, 4, 4, 4, 4]
    assert "out of memory with 160 tokens in a batch; continuing with up to 80" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lengths", "plan", "message"),
    [
        ([10], partial(plan_batches, window=WINDOW, least_tokens=STABLE_TOKENS), "256 tokens do"),
        ([300], partial(plan_batches, window=WINDOW, least_tokens=STABLE_TOKENS), "304 tokens do"),
        ([260, 5], plan_groups, "260 tokens do"),
        ([1] * 16, partial(plan_packs, least_tokens=STABLE_TOKENS), "256 tokens do"),
    ],
)
def test_the_least_batch_that_does_not_fit_is_an_error(lengths: list[int], plan: Plan, message: str) -> None:
    with pytest.raises(UnavailableError, match=message):
        run_in_batches(lengths, plan, limited(200, []), tokens=4096)


def test_a_real_failure_to_allocate_is_recognised_and_other_errors_pass() -> None:
    with pytest.raises(UnavailableError, match="do not fit in memory"):
        run_in_batches([1, 1], plan_groups, lambda batch: torch.empty(batch.tokens * 10**15), tokens=2)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        run_in_batches([1, 1], plan_groups, lambda _: torch.ones(2, 3) @ torch.ones(2, 3), tokens=2)


def limit_tokens(model: Any, monkeypatch: pytest.MonkeyPatch, tokens: int) -> list[int]:
    """Make the model's forward run out of memory above ``tokens`` tokens; return the tokens of each call."""
    forward, sizes = model.forward, list[int]()

    def small(*arguments: Any, **inputs: Any) -> Any:
        sizes.append(inputs["input_ids"].numel())
        if sizes[-1] > tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*arguments, **inputs)

    monkeypatch.setattr(model, "forward", small)
    return sizes


@pytest.mark.parametrize("layout", ["packed", "padded"])
@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_an_encoder_out_of_memory_keeps_order_and_stable_bits(
    kind: str, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sequences are packed on a CPU, padded on a GPU."""
    if layout == "padded":
        monkeypatch.setattr("e2rank_eval.models.engines.transformers_encoder.can_pack", lambda _: False)
    if kind == "decoder":
        encoder: Any = load_encoder(write_decoder(tmp_path, "qwen3"), decoder_entry(), file_hashes={})
    else:
        folder = write_bert(tmp_path, {"pooling_mode_mean_tokens": True})
        encoder = load_encoder(folder, encoder_entry(), file_hashes={})
    texts = [text for text in TEXTS for _ in range(40)]
    prompts = [ListwiseInput(f"query {number}", tuple(TEXTS[:4])) for number in range(7)]
    expected = encoder.encode(texts, "document").vectors
    listwise = encoder.encode_listwise(prompts).vectors
    sizes = limit_tokens(encoder.backbone.model, monkeypatch, 300)
    np.testing.assert_array_equal(encoder.encode(texts, "document").vectors, expected)
    halved = [4096, 2048, 1024, 512, 256]
    assert sizes[:4] == (halved[1:] if layout == "packed" else halved[:4]), "texts of 128 tokens"
    np.testing.assert_allclose(encoder.encode_listwise(prompts).vectors, listwise, atol=2e-6)


def test_a_language_model_out_of_memory_gives_the_same_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = load_language_model(write_chat_model(tmp_path), entry(), file_hashes={})
    texts = model.generate(CHATS, max_new_tokens=5)
    logits = model.next_token(CHATS, ("yes", "no")).logits
    likely = [one.log_probability for one in model.likelihood(CHATS, ["Beijing"] * 9)]
    sizes = limit_tokens(model._model, monkeypatch, 150)
    assert model.generate(CHATS, max_new_tokens=5) == texts
    np.testing.assert_allclose(model.next_token(CHATS, ("yes", "no")).logits, logits, atol=1e-4)
    again = [one.log_probability for one in model.likelihood(CHATS, ["Beijing"] * 9)]
    assert again == pytest.approx(likely, abs=1e-4)
    assert max(sizes) > 150
