"""Encoders out of memory: batches shrink, the order stays, and so do the bits of stable vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from e2rank_eval.models.encoders.memory import run_in_batches, run_in_packs
from hypothesis import given
from hypothesis import strategies as st
from small_checkpoints import TEXTS, decoder_entry, encoder_entry, write_bert, write_decoder

from e2rank_eval.errors import UnavailableError
from e2rank_eval.models.batching import STABLE_TOKENS, Batch, padded_length
from e2rank_eval.models.engines.packing import Pack
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.records import ListwiseInput

WINDOW = 500
LENGTHS = st.lists(st.integers(1, WINDOW), max_size=60)


def limited(tokens: int, done: list[Batch]) -> Callable[[Batch], None]:
    """Work that fails as CUDA does where a batch, filler included, takes more than ``tokens``."""

    def run(batch: Batch) -> None:
        if (len(batch.positions) + batch.filler) * batch.length > tokens:
            raise torch.cuda.OutOfMemoryError
        done.append(batch)

    return run


@given(LENGTHS, st.integers(16, 5000), st.integers(0, 600), st.integers(1100, 6000), st.booleans())
def test_all_is_done_once_in_batches_of_their_own_shape(
    lengths: list[int], batch_tokens: int, least_tokens: int, fits: int, full: bool
) -> None:
    """600 tokens are filled up to 1,100 at most, by one row of up to 500."""
    done: list[Batch] = []
    run_in_batches(
        lengths,
        WINDOW,
        limited(fits, done),
        batch_tokens=batch_tokens,
        least_tokens=least_tokens,
        full=full,
    )
    assert sorted(position for batch in done for position in batch.positions) == list(range(len(lengths)))
    for batch in done:
        assert {padded_length(lengths[position], WINDOW) for position in batch.positions} == {batch.length}
        assert (len(batch.positions) + batch.filler) * batch.length >= least_tokens


def test_full_batches_stay_full_at_the_size_that_fits() -> None:
    done: list[Batch] = []
    lengths = [100] * 5 + [20] * 3
    run_in_batches(lengths, WINDOW, limited(500, done), batch_tokens=112 * 16, full=True)
    shapes = {(batch.length, len(batch.positions) + batch.filler) for batch in done}
    assert shapes == {(112, 4), (32, 14)}


def test_what_must_be_filled_to_keep_bits_is_not_cut_further() -> None:
    with pytest.raises(UnavailableError, match="16 inputs of 16 tokens do not fit the memory"):
        run_in_batches([10], WINDOW, limited(200, []), batch_tokens=4096, least_tokens=STABLE_TOKENS)
    with pytest.raises(UnavailableError, match="one input of 304 tokens does not fit the memory"):
        run_in_batches([300], WINDOW, limited(200, []), batch_tokens=4096, least_tokens=STABLE_TOKENS)


def limited_pack(
    lengths: list[int], tokens: int, tried: list[int], done: list[int]
) -> Callable[[Pack], None]:
    def run(pack: Pack) -> None:
        tried.append(sum(lengths[position] for position in pack.positions) + pack.filler)
        if tried[-1] > tokens:
            raise torch.cuda.OutOfMemoryError
        done.extend(pack.positions)

    return run


@given(LENGTHS, st.integers(0, 600), st.integers(640, 3000))
def test_packs_do_all_once_and_try_no_size_twice(lengths: list[int], least_tokens: int, fits: int) -> None:
    """600 tokens are filled up to 608, and a single row is of up to 512."""
    tried, done = list[int](), list[int]()
    run_in_packs(lengths, limited_pack(lengths, fits, tried, done), least_tokens=least_tokens)
    assert sorted(done) == list(range(len(lengths)))
    failed = [tokens for tokens in tried if tokens > fits]
    assert len(set(failed)) == len(failed) <= 3


@pytest.mark.parametrize(
    ("lengths", "least_tokens", "fits", "sizes"),
    [([1] * 16, 256, 200, [256]), ([2000] + [1] * 48, 0, 1024, [2048, 2000]), ([], 0, 1, [])],
)
def test_packs_shrink_by_tokens_and_end_where_fewer_are_not_to_be_had(
    lengths: list[int], least_tokens: int, fits: int, sizes: list[int]
) -> None:
    tried = list[int]()
    run = limited_pack(lengths, fits, tried, [])
    if sizes:
        with pytest.raises(UnavailableError, match=f"{sizes[-1]} tokens do not fit the memory"):
            run_in_packs(lengths, run, least_tokens=least_tokens)
    else:
        run_in_packs(lengths, run, least_tokens=least_tokens)
    assert tried == sizes


def limit_tokens(encoder: Any, monkeypatch: pytest.MonkeyPatch, tokens: int) -> list[int]:
    """Let the model's forward run out of memory above so many tokens; returns the tokens of each call."""
    forward, sizes = encoder.states.model.forward, list[int]()

    def small(*arguments: Any, **inputs: Any) -> Any:
        sizes.append(inputs["input_ids"].numel())
        if sizes[-1] > tokens:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(*arguments, **inputs)

    monkeypatch.setattr(encoder.states.model, "forward", small)
    return sizes


@pytest.fixture(params=["packed", "padded"])
def layout(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How sequences are laid out: packed as on a CPU, padded as on a GPU."""
    if request.param == "padded":
        monkeypatch.setattr("e2rank_eval.models.encoders.states.can_pack", lambda _: False)
    return str(request.param)


@pytest.mark.parametrize("kind", ["decoder", "encoder"])
def test_stable_vectors_keep_order_and_bits(
    kind: str,
    layout: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if kind == "decoder":
        encoder = load_encoder(write_decoder(tmp_path, "qwen3"), decoder_entry(), file_hashes={})
    else:
        folder = write_bert(tmp_path, {"pooling_mode_mean_tokens": True})
        encoder = load_encoder(folder, encoder_entry(), file_hashes={})
    texts = [text for text in TEXTS for _ in range(40)]
    expected = encoder.encode(texts, "document").vectors
    queries = encoder.encode(texts, "query").vectors
    sizes = limit_tokens(encoder, monkeypatch, 300)
    np.testing.assert_array_equal(encoder.encode(texts, "document").vectors, expected)
    halved = [4096, 2048, 1024, 512, 256]
    assert sizes[:4] == (halved[1:] if layout == "packed" else halved[:4]), "texts of 128 tokens"
    np.testing.assert_allclose(encoder.encode(texts, "query").vectors, queries, atol=2e-6)
    said = capsys.readouterr().err
    told = {
        "packed": "out of memory with 2048 tokens; going on with up to 1024 at once",
        "padded": "out of memory with 16 inputs of up to 128 tokens; going on with 8",
    }
    assert told[layout] in said


@pytest.mark.usefixtures("layout")
def test_listwise_prompts_shrink_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(write_decoder(tmp_path, "llama"), decoder_entry(), file_hashes={})
    prompts = [ListwiseInput(f"query {number}", tuple(TEXTS[:4])) for number in range(7)]
    expected = encoder.encode_listwise(prompts)
    sizes = limit_tokens(encoder, monkeypatch, 600)
    np.testing.assert_allclose(encoder.encode_listwise(prompts).vectors, expected.vectors, atol=2e-6)
    assert sizes[0] >= sum(expected.tokens) > 600
    assert max(sizes[-2:]) <= 600


def test_a_sequence_that_does_not_fit_alone_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load_encoder(write_decoder(tmp_path, "llama"), decoder_entry(), file_hashes={})
    limit_tokens(encoder, monkeypatch, 100)
    with pytest.raises(UnavailableError, match="256 tokens do not fit the memory"):
        encoder.encode(TEXTS, "document")


def test_another_failure_of_the_model_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder: Any = load_encoder(write_decoder(tmp_path, "llama"), decoder_entry(), file_hashes={})

    def broken(*arguments: Any, **inputs: Any) -> Any:
        return torch.ones(2, 3) @ torch.ones(2, 3)

    monkeypatch.setattr(encoder.states.model, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        encoder.encode(TEXTS, "document")
