"""The vector cache: exact, shared between processes, checked for corruption, one encoding per text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from small_checkpoints import TEXTS, decoder_entry, write_decoder

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoded, Encoder, FrozenDocuments, Kind
from e2rank_eval.models.encoders.cache import CachedEncoder
from e2rank_eval.models.loading import load_encoder
from e2rank_eval.records import ListwiseInput

HASHES = {"model.safetensors": "0" * 64}


class Counting:
    """The real encoder, which records every document text, and fails after a limit."""

    def __init__(self, encoder: Encoder, most: int | None = None) -> None:
        self.name, self.fingerprint, self.dimension = encoder.name, encoder.fingerprint, encoder.dimension
        self.document_fingerprint = encoder.document_fingerprint
        self.prompts = encoder.prompts
        self.seen: list[str] = []
        self._encoder, self._most = encoder, most

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        if self._most is not None and len(self.seen) + len(texts) > self._most:
            raise KeyboardInterrupt
        if kind == "document":
            self.seen += texts
        return self._encoder.encode(texts, kind)

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        return self._encoder.encode_listwise(inputs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decoder(tmp_path_factory.mktemp("cached"), "qwen3")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return load_encoder(folder, decoder_entry(), file_hashes=HASHES)


def assert_same(encoded: Encoded, expected: Encoded) -> None:
    np.testing.assert_array_equal(encoded.vectors, expected.vectors)
    assert encoded.vectors.dtype == np.float32
    assert (encoded.tokens, encoded.truncated) == (expected.tokens, expected.truncated)


def test_duplicates_and_seen_texts_are_encoded_once(encoder: Encoder, tmp_path: Path) -> None:
    counting = Counting(encoder)
    cached = CachedEncoder(counting, tmp_path)
    texts = [*TEXTS[:4], TEXTS[0], TEXTS[2]]
    assert_same(cached.encode(texts, "document"), encoder.encode(texts, "document"))
    assert counting.seen == TEXTS[:4]
    assert_same(cached.encode(TEXTS, "document"), encoder.encode(TEXTS, "document"))
    assert counting.seen == TEXTS


def test_another_process_reads_the_same_bits_from_disk(encoder: Encoder, tmp_path: Path) -> None:
    CachedEncoder(encoder, tmp_path).encode(TEXTS, "document")
    counting = Counting(encoder)
    assert_same(
        CachedEncoder(counting, tmp_path).encode(TEXTS, "document"), encoder.encode(TEXTS, "document")
    )
    assert counting.seen == []


def test_queries_and_listwise_inputs_pass_through(encoder: Encoder, tmp_path: Path) -> None:
    cached = CachedEncoder(encoder, tmp_path)
    assert_same(cached.encode(TEXTS[:2], "query"), encoder.encode(TEXTS[:2], "query"))
    inputs = [ListwiseInput(TEXTS[2], (TEXTS[0],))]
    assert_same(cached.encode_listwise(inputs), encoder.encode_listwise(inputs))
    assert list(tmp_path.iterdir()) == []
    assert cached.fingerprint == encoder.fingerprint


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip_a_bit(content: bytes) -> bytes:
    return content[:-3] + bytes([content[-3] ^ 1]) + content[-2:]


def empty(content: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [cut_off, flip_a_bit, empty])
def test_a_corrupt_block_is_encoded_again(
    encoder: Encoder, tmp_path: Path, damage, capsys: pytest.CaptureFixture[str]
) -> None:
    CachedEncoder(encoder, tmp_path).encode(TEXTS, "document")
    (block,) = tmp_path.rglob("*.safetensors")
    whole = block.read_bytes()
    block.write_bytes(damage(whole))
    assert_same(CachedEncoder(encoder, tmp_path).encode(TEXTS, "document"), encoder.encode(TEXTS, "document"))
    assert f"{block}: corrupt" in capsys.readouterr().err
    assert block.read_bytes() == whole


def test_only_blocks_of_the_texts_of_a_call_are_read(
    encoder: Encoder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    CachedEncoder(encoder, tmp_path).encode(TEXTS[:2], "document")
    (block,) = tmp_path.rglob("*.safetensors")
    CachedEncoder(encoder, tmp_path).encode(TEXTS[2:4], "document")
    block.write_bytes(flip_a_bit(block.read_bytes()))
    counting = Counting(encoder)
    cached = CachedEncoder(counting, tmp_path)
    assert_same(cached.encode(TEXTS[2:4], "document"), encoder.encode(TEXTS[2:4], "document"))
    assert counting.seen == []
    assert "corrupt" not in capsys.readouterr().err
    assert_same(cached.encode(TEXTS[:4], "document"), encoder.encode(TEXTS[:4], "document"))
    assert counting.seen == TEXTS[:2]
    assert f"{block}: corrupt" in capsys.readouterr().err


def test_a_text_in_two_blocks_and_a_block_that_disappears(encoder: Encoder, tmp_path: Path) -> None:
    reader = CachedEncoder(encoder, tmp_path)
    CachedEncoder(encoder, tmp_path / "other").encode(TEXTS[1:4], "document")
    reader.encode(TEXTS[:2], "document")
    (first,) = [path for path in tmp_path.rglob("*.safetensors") if "other" not in path.parts]
    (second,) = (tmp_path / "other").rglob("*.safetensors")
    second.rename(first.parent / second.name)
    counting = Counting(encoder)
    cached = CachedEncoder(counting, tmp_path)
    assert_same(cached.encode(TEXTS[:4], "document"), encoder.encode(TEXTS[:4], "document"))
    assert counting.seen == []
    (first.parent / second.name).unlink()
    assert_same(cached.encode(TEXTS[:4], "document"), encoder.encode(TEXTS[:4], "document"))
    assert set(TEXTS[2:4]) <= set(counting.seen) <= set(TEXTS[1:4])


def test_a_killed_encode_keeps_its_finished_blocks(encoder: Encoder, tmp_path: Path) -> None:
    texts = [f"text number {number}" for number in range(300)]
    with pytest.raises(KeyboardInterrupt):
        CachedEncoder(Counting(encoder, most=200), tmp_path).encode(texts, "document")
    (leftover,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    (leftover / ".truncated.safetensors.abc.part").write_bytes(b"half a block")
    counting = Counting(encoder)
    assert_same(
        CachedEncoder(counting, tmp_path).encode(texts, "document"), encoder.encode(texts, "document")
    )
    assert 100 <= len(counting.seen) < 300


def test_two_processes_share_the_documents_that_both_want(encoder: Encoder, tmp_path: Path) -> None:
    texts = [f"text number {number}" for number in range(300)]
    other = Counting(encoder)

    class Beside(Counting):
        """A second process encodes a part of the documents while this one is at its first block."""

        def encode(self, block: Sequence[str], kind: Kind) -> Encoded:
            if not other.seen:
                CachedEncoder(other, tmp_path).encode([text for text in texts if text not in block], kind)
            return super().encode(block, kind)

    counting = Beside(encoder)
    assert_same(
        CachedEncoder(counting, tmp_path).encode(texts, "document"), encoder.encode(texts, "document")
    )
    assert sorted(counting.seen + other.seen) == sorted(texts)
    assert len(counting.seen) == 64


def test_what_is_not_a_list_of_texts_of_a_kind_is_refused(encoder: Encoder, tmp_path: Path) -> None:
    cached = CachedEncoder(encoder, tmp_path)
    for one in (encoder, cached, FrozenDocuments(encoder, cached)):
        with pytest.raises(InputError, match="unknown kind of text 'passage'; known: document, query, text"):
            one.encode(["a"], "passage")  # type: ignore[arg-type]
        for texts in ("a text", ["a", None]):
            with pytest.raises(InputError, match="texts are a list of strings"):
                one.encode(texts, "document")  # type: ignore[arg-type]
    assert not any(tmp_path.rglob("*.safetensors"))
    assert repr(cached) == f"Encoder({encoder.name}, {encoder.dimension} dimensions)"
