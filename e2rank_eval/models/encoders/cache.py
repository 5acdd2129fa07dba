"""A cache of document vectors in memory and on disk, so that no text is encoded twice."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind, check_texts
from e2rank_eval.progress import say, track
from e2rank_eval.store.files import write_bytes

_LEAST_TEXTS, _MOST_TEXTS = 16, 512
"""Limits on the texts of a block, which takes some seconds, so that a killed process loses little."""

_LONG_WORK = 256
"""Number of texts from which on progress is shown."""

_GOLDEN = 0.618033988749895
"""Its multiples modulo 1 are far apart, so that processes with consecutive ids start far apart."""


_Row = tuple[NDArray[np.float32], int, int]
"""A document's vector, its number of tokens, and 1 if it was cut, else 0."""


class CachedEncoder:
    """An encoder whose document vectors are stored below ``folder/<document fingerprint>/``.

    A block is a file of exact float32 vectors, named by the hash of its content. It is written atomically and
    never changed, so that several processes can read and write. A corrupt block is logged and removed, and
    its texts are encoded again. Queries and listwise inputs are not cached.
    """

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.document_fingerprint = encoder.document_fingerprint
        self.dimension = encoder.dimension
        self.prompts: Mapping[str, str] = encoder.prompts
        self.encode_listwise = encoder.encode_listwise
        self.synchronise = encoder.synchronise
        self._encoder = encoder
        self._folder = folder / encoder.document_fingerprint[:32]
        self._rows: dict[bytes, _Row] = {}
        self.computed_tokens = 0
        """Tokens of texts that were encoded, because their vectors were not stored."""
        self._read: set[str] = set()

    def __repr__(self) -> str:
        return f"Encoder({self.name}, {self.dimension} dimensions)"

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Encode texts, bit for bit as the encoder itself; stored documents are not encoded again."""
        check_texts(texts, kind)
        if kind != "document":
            encoded = self._encoder.encode(texts, kind)
            self.computed_tokens += sum(encoded.tokens)
            return encoded
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        if any(key not in self._rows for key in keys):
            self._read_blocks()
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._rows}
        self._encode_missing(missing)
        vectors = np.empty((len(keys), self.dimension), dtype=np.float32)
        for position, key in enumerate(keys):
            vectors[position] = self._rows[key][0]
        _, tokens, truncated = zip(*(self._rows[key] for key in keys), strict=True) if keys else ((), (), ())
        return Encoded(vectors, tokens, truncated)

    def _encode_missing(self, missing: dict[bytes, str]) -> None:
        work = self._in_blocks(missing)
        if len(missing) >= _LONG_WORK:
            work = track(work, description=f"encoding documents with {self.name}", total=len(missing))
        for _ in work:
            pass

    def _in_blocks(self, missing: Mapping[bytes, str]) -> Iterator[bytes]:
        """Encode and store block by block; yield each key once its vector is on disk.

        Processes that encode the same documents at the same time share the work: each starts at another
        position and skips documents that another process has stored.
        """
        size, waiting = 4 * _LEAST_TEXTS, list(missing)
        if len(waiting) > size:
            start = int(os.getpid() * _GOLDEN % 1 * len(waiting))
            waiting = waiting[start:] + waiting[:start]
        while waiting:
            began = time.monotonic()
            block, rest = waiting[:size], waiting[size:]
            self._store(block, self._encoder.encode([missing[key] for key in block], "document"))
            yield from block
            seconds = time.monotonic() - began
            if seconds < 5:
                size = min(_MOST_TEXTS, 2 * size)
            elif seconds > 20:
                size = max(_LEAST_TEXTS, size // 2)
            if rest:
                self._read_blocks()
            yield from (key for key in rest if key in self._rows)
            waiting = [key for key in rest if key not in self._rows]

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
        name = f"{hashlib.sha256(content).hexdigest()}.safetensors"
        write_bytes(self._folder / name, content)
        self._read.add(name)
        self._keep(keys, encoded.vectors, encoded.tokens, encoded.truncated)

    def _read_blocks(self) -> None:
        """Read the blocks that were written since the last call, by any process."""
        for path in sorted(self._folder.glob("*.safetensors")):
            if path.name in self._read:
                continue
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # another process removed it as corrupt
                continue
            if hashlib.sha256(content).hexdigest() != path.stem:
                say(f"{path}: corrupt; its documents are encoded again")
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

    def _keep(self, keys: Sequence[bytes], *columns: Iterable[Any]) -> None:
        self._rows |= zip(keys, zip(*columns, strict=True), strict=True)
