"""Document vectors kept in memory and on disk, so that no text is ever encoded twice."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind, Vectors
from e2rank_eval.progress import say, track
from e2rank_eval.records import ListwiseInput
from e2rank_eval.store.files import write_bytes

_LEAST_TEXTS, _MOST_TEXTS = 16, 512
"""Texts of one block: as many as take some seconds, so that a killed process loses little."""

_LONG_WORK = 256
"""Texts from which on progress is shown."""


@dataclass(frozen=True, slots=True)
class _Row:
    vector: NDArray[np.float32]
    tokens: int
    truncated: int


class CachedEncoder:
    """An encoder whose document vectors are stored below ``folder/<document fingerprint>/``.

    A block is a file of vectors, exact to the bit, named by the hash of its content; it is renamed into
    place whole and never changed, so any number of processes may read and write. A damaged block is
    reported, removed and its texts are encoded again. Queries and listwise prompts pass through.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.document_fingerprint = encoder.document_fingerprint
        self.dimension = encoder.dimension
        self._encoder = encoder
        self._folder = folder / encoder.document_fingerprint[:32]
        self._rows: dict[bytes, _Row] = {}
        self._read: set[str] = set()

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """As the encoder itself would, bit for bit; only unseen document texts cost anything."""
        if kind != "document":
            return self._encoder.encode(texts, kind)
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        if any(key not in self._rows for key in keys):
            self._read_blocks()
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        self._encode_missing(missing)
        rows = [self._rows[key] for key in keys]
        vectors = np.empty((len(rows), self.dimension), dtype=np.float32)
        for position, row in enumerate(rows):
            vectors[position] = row.vector
        return Encoded(vectors, tuple(row.tokens for row in rows), tuple(row.truncated for row in rows))

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        return self._encoder.encode_listwise(inputs)

    def synchronise(self) -> None:
        self._encoder.synchronise()

    def _encode_missing(self, missing: dict[bytes, str]) -> None:
        work = self._encoded_in_blocks(list(missing), list(missing.values()))
        if len(missing) >= _LONG_WORK:
            work = track(work, description=f"encoding documents with {self.name}", total=len(missing))
        for _ in work:
            pass

    def _encoded_in_blocks(self, keys: Sequence[bytes], texts: Sequence[str]) -> Iterator[bytes]:
        """Encode and store block by block; yields each key once its vector is on disk."""
        size, start = 4 * _LEAST_TEXTS, 0
        while start < len(texts):
            began = time.monotonic()
            block = keys[start : start + size]
            encoded = self._encoder.encode(texts[start : start + size], "document")
            self._store(block, encoded)
            yield from block
            start += size
            seconds = time.monotonic() - began
            size = (
                min(_MOST_TEXTS, 2 * size)
                if seconds < 5
                else max(_LEAST_TEXTS, size // 2)
                if seconds > 20
                else size
            )

    def _store(self, keys: Sequence[bytes], encoded: Encoded) -> None:
        content = save_tensors(
            {
                "keys": np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1),
                "vectors": np.ascontiguousarray(encoded.vectors),
                "tokens": np.array(encoded.tokens, dtype=np.int64),
                "truncated": np.array(encoded.truncated, dtype=np.int64),
            }
        )
        name = f"{hashlib.sha256(content).hexdigest()}.safetensors"
        write_bytes(self._folder / name, content)
        self._read.add(name)
        self._keep(keys, encoded.vectors, encoded.tokens, encoded.truncated)

    def _read_blocks(self) -> None:
        """Take in the blocks that are new since the last look, from this process or another."""
        for path in sorted(self._folder.glob("*.safetensors")):
            if path.name in self._read:
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # another process found it damaged
                continue
            if hashlib.sha256(content).hexdigest() != path.stem:
                say(f"{path}: damaged; its documents are encoded again")
                path.unlink(missing_ok=True)
                continue
            block = load_tensors(content)
            self._keep(
                [row.tobytes() for row in block["keys"]],
                block["vectors"],
                block["tokens"].tolist(),
                block["truncated"].tolist(),
            )
            self._read.add(path.name)

    def _keep(
        self, keys: Sequence[bytes], vectors: Vectors, tokens: Sequence[int], truncated: Sequence[int]
    ) -> None:
        for row in zip(keys, vectors, tokens, truncated, strict=True):
            self._rows[row[0]] = _Row(*row[1:])
