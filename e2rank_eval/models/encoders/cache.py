"""A cache of document vectors on disk, so that no text is encoded twice."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as save_tensors

from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind, check_texts
from e2rank_eval.progress import say, track
from e2rank_eval.store.files import sha256_file, write_bytes

_LEAST_TEXTS, _MOST_TEXTS = 16, 512
"""Limits on the texts of a block, which takes some seconds, so that a killed process loses little."""

_LONG_WORK = 256
"""Number of texts from which on progress is shown."""

_GOLDEN = 0.618033988749895
"""Its multiples modulo 1 are far apart, so that processes with consecutive ids start far apart."""


class _Call:
    """The result of one call so far, by position; ``waiting`` has the positions of texts without a vector.

    ``vectors`` are float32 [n, dimension]; ``counts`` are int64 [n, 2]: the number of tokens, and 1 if the
    text was cut, else 0.
    """

    def __init__(self, texts: Sequence[str], dimension: int) -> None:
        self.vectors = np.empty((len(texts), dimension), dtype=np.float32)
        self.counts = np.zeros((len(texts), 2), dtype=np.int64)
        self.waiting: dict[bytes, list[int]] = {}
        for position, text in enumerate(texts):
            key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
            self.waiting.setdefault(key, []).append(position)

    def take(self, key: bytes, vector: NDArray[np.float32], tokens: int, truncated: int) -> None:
        """Set the result of every text with this key."""
        positions = self.waiting.pop(key)
        self.vectors[positions] = vector
        self.counts[positions] = tokens, truncated


class CachedEncoder:
    """An encoder whose document vectors are stored below ``folder/<document fingerprint>/``.

    A block is a file of exact float32 vectors, named by the hash of its content. It is written atomically and
    never changed, so that several processes can read and write. A corrupt block is logged and removed, and
    its texts are encoded again. Only the keys of the blocks are kept in memory; a block is checked when a
    vector in it is first needed. Queries and listwise inputs are not cached.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.document_fingerprint = encoder.document_fingerprint
        self.dimension = encoder.dimension
        self.prompts: Mapping[str, str] = encoder.prompts
        self.encode_listwise = encoder.encode_listwise
        self._encoder = encoder
        self._folder = folder / encoder.document_fingerprint[:32]
        self.computed_tokens = 0
        """Tokens of texts that were encoded, because their vectors were not stored."""
        self._blocks: dict[bytes, Path] = {}
        """The block of every stored text, by the SHA-256 of the text."""
        self._listed: set[Path] = set()
        self._checked: set[Path] = set()

    def __repr__(self) -> str:
        return f"Encoder({self.name}, {self.dimension} dimensions)"

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Encode texts, bit for bit as the encoder itself; stored documents are not encoded again."""
        check_texts(texts, kind)
        if kind != "document":
            encoded = self._encoder.encode(texts, kind)
            self.computed_tokens += sum(encoded.tokens)
            return encoded
        call = _Call(texts, self.dimension)
        self._read_stored(call)
        missing = len(call.waiting)
        work = self._in_blocks(call, texts)
        if missing >= _LONG_WORK:
            work = track(work, description=f"encoding documents with {self.name}", total=missing)
        for _ in work:
            pass
        tokens, truncated = call.counts.T.tolist()
        return Encoded(call.vectors, tuple(tokens), tuple(truncated))

    def _in_blocks(self, call: _Call, texts: Sequence[str]) -> Iterator[bytes]:
        """Encode and store block by block; yield each key once its vector is on disk.

        Processes that encode the same documents at the same time share the work: each starts at another
        position and skips documents that another process has stored.
        """
        size, waiting = 4 * _LEAST_TEXTS, list(call.waiting)
        if len(waiting) > size:
            start = int(os.getpid() * _GOLDEN % 1 * len(waiting))
            waiting = waiting[start:] + waiting[:start]
        while waiting:
            began = time.monotonic()
            block, rest = waiting[:size], waiting[size:]
            encoded = self._encoder.encode([texts[call.waiting[key][0]] for key in block], "document")
            self._store(block, encoded)
            for row in zip(block, encoded.vectors, encoded.tokens, encoded.truncated, strict=True):
                call.take(*row)
            yield from block
            seconds = time.monotonic() - began
            if seconds < 5:
                size = min(_MOST_TEXTS, 2 * size)
            elif seconds > 20:
                size = max(_LEAST_TEXTS, size // 2)
            if rest:
                self._read_stored(call)
            yield from (key for key in rest if key not in call.waiting)
            waiting = [key for key in rest if key in call.waiting]

    def _store(self, keys: Sequence[bytes], encoded: Encoded) -> None:
        self.computed_tokens += sum(encoded.tokens)
        content = save_tensors(
            {
                "keys": np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), -1),
                "vectors": np.ascontiguousarray(encoded.vectors),
                "tokens": np.array(encoded.tokens, dtype=np.int64),
                "truncated": np.array(encoded.truncated, dtype=np.int64),
            }
        )
        path = self._folder / f"{hashlib.sha256(content).hexdigest()}.safetensors"
        write_bytes(path, content)
        self._listed.add(path)
        self._blocks |= dict.fromkeys(keys, path)

    def _read_stored(self, call: _Call) -> None:
        """Read the vectors of waiting texts that this or another process has stored."""
        if any(key not in self._blocks for key in call.waiting):
            self._list_blocks()
        for path in dict.fromkeys(self._blocks[key] for key in call.waiting if key in self._blocks):
            try:
                if path not in self._checked and sha256_file(path) != path.stem:
                    self._remove(path)
                    continue
                self._checked.add(path)
                _read_block(path, call)
            except FileNotFoundError:  # another process removed it as corrupt
                self._forget(path)

    def _list_blocks(self) -> None:
        """Read the keys of the blocks that were written since the last call, by any process."""
        for path in sorted(self._folder.glob("*.safetensors")):
            if path in self._listed:
                continue
            try:
                with safe_open(path, "np") as block:
                    keys = _keys(block)
            except FileNotFoundError:  # another process removed it as corrupt
                continue
            except SafetensorError:
                self._remove(path)
                continue
            self._listed.add(path)
            self._blocks |= dict.fromkeys(keys, path)

    def _remove(self, path: Path) -> None:
        say(f"{path}: corrupt; its documents are encoded again")
        path.unlink(missing_ok=True)
        self._forget(path)

    def _forget(self, path: Path) -> None:
        self._listed.discard(path)
        self._blocks = {key: block for key, block in self._blocks.items() if block != path}


def _keys(block: Any) -> list[bytes]:
    return [row.tobytes() for row in block.get_tensor("keys")]


def _read_block(path: Path, call: _Call) -> None:
    """Read the rows of waiting texts from an intact block."""
    with safe_open(path, "np") as block:
        rows = [(row, key) for row, key in enumerate(_keys(block)) if key in call.waiting]
        if not rows:  # another block that has the same texts was read before
            return
        first, last = rows[0][0], rows[-1][0]
        vectors = block.get_slice("vectors")[first : last + 1]
        tokens, truncated = (block.get_tensor(name).tolist() for name in ("tokens", "truncated"))
    for row, key in rows:
        call.take(key, vectors[row - first], tokens[row], truncated[row])
