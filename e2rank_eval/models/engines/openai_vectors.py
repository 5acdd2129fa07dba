"""Encoders on any server with OpenAI's embeddings protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from e2rank_eval.config.references import parse_reference
from e2rank_eval.errors import InputError, UnavailableError
from e2rank_eval.models.encoders.backbone import Backbone, TokenSequence, unit_rows
from e2rank_eval.models.encoders.base import Encoded, Kind, Vectors, check_texts
from e2rank_eval.models.engines.http_client import HttpClient, token_count
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.records import ListwiseInput
from e2rank_eval.store.files import sha256_json

_INPUTS = 32
"""Texts in one request."""


class ServedBackbone(Backbone):
    """A served causal model that embeds token ids with last-token pooling.

    Texts are tokenised here with ``server.tokenizer``, so that prompts, limits and end-of-text tokens are
    E2Rank's. If the server reports fewer tokens than it was sent, it has cut them, which is an error.

    Raises
    ------
    InputError
        When the server refuses a request, or the entry names no tokenizer.
    UnavailableError
        When the server cannot be reached, or the tokenizer cannot be loaded.
    """

    version = "openai-http"

    def __init__(self, entry: ModelEntry) -> None:
        tokenizer = _tokenizer(entry)
        self._client = _client(entry)
        first = tokenizer("a", add_special_tokens=False)["input_ids"]
        dimension = _embedded(self._client, [first]).shape[1]
        super().__init__(
            tokenizer, window=entry.window, dimension=dimension, dtype="the server's", causal=True
        )

    @property
    def deciding(self) -> dict[str, Any]:
        """Settings of the server and its tokenizer that decide a vector."""
        parts = {"rules": self.tokenizer.backend_tokenizer.to_str(), "chat": self.tokenizer.chat_template}
        return {"server": self._client.deciding, "tokenizer": sha256_json(parts)}

    def vectors(self, sequences: Sequence[TokenSequence], *, stable: bool) -> Vectors:  # noqa: ARG002
        """Return unit vectors float32 [n, d] in input order; their last bits may depend on the batch."""
        return _embedded(self._client, [list(sequence.ids) for sequence in sequences], self.dimension)


class ServedEncoder:
    """A served encoder; texts are sent with the entry's prompts before them.

    Lengths are estimated from ``server.bytes_per_token``. E2Rank's listwise input needs the states at the
    query's positions, which servers do not return.
    """

    def __init__(self, entry: ModelEntry, document_tokens: int | None = None) -> None:
        assert entry.server is not None
        self.name = entry.title
        self._client = _client(entry)
        self._server = entry.server
        most = document_tokens or entry.document_tokens
        self._limits = {"document": most, "text": most, "query": entry.query_tokens}
        prompts: dict[str, str] = dict(entry.prompts.items())
        if entry.query_instruction:
            prompts["query"] = entry.query_instruction
        self.prompts: Mapping[str, str] = prompts
        decides = {"server": self._client.deciding, "tokens": self._limits["document"]}
        self.document_fingerprint = sha256_json(decides | {"prompt": self.prompts.get("document", "")})
        queries = {"documents": self.document_fingerprint, "tokens": self._limits["query"]}
        self.fingerprint = sha256_json(queries | {"prompt": self.prompts.get("query", "")})
        self.dimension = _embedded(self._client, ["a"]).shape[1]

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Encode each text by itself, cut at its limit by the estimated length."""
        check_texts(texts, kind)
        whole = [self.prompts.get(kind, "") + text for text in texts]
        inputs = [self._server.cut(text, self._limits[kind]) for text in whole]
        truncated = tuple(int(cut != text) for cut, text in zip(inputs, whole, strict=True))
        tokens = tuple(map(self._server.estimate, inputs))
        return Encoded(_embedded(self._client, inputs, self.dimension), tokens, truncated)

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:  # noqa: ARG002
        """Raise InputError: a server pools whole texts."""
        raise InputError(
            f"{self.name} is served and pools whole texts, but a listwise input pools the query's positions",
            hint="use prompt: query-only, a local copy, or a decoder with server.tokenizer",
        )


def _client(entry: ModelEntry) -> HttpClient:
    assert entry.server is not None
    return HttpClient(entry.title, entry.server, "embeddings")


def _embedded(client: HttpClient, inputs: Sequence[str] | Sequence[list[int]], dimension: int = 0) -> Vectors:
    """Return the unit vectors of texts or of lists of token ids.

    Raises
    ------
    InputError
        When the server returns another number of vectors, or has read fewer token ids than it was sent.
    """
    blocks = [list(inputs[start : start + _INPUTS]) for start in range(0, len(inputs), _INPUTS)]
    answers = client.post([{"input": block, "encoding_format": "float"} for block in blocks], _vectors)
    for block, (vectors, used) in zip(blocks, answers, strict=True):
        if len(vectors) != len(block):
            raise InputError(f"{len(vectors)} vectors for {len(block)} inputs", hint="check the server")
        sent = sum(len(one) for one in block if not isinstance(one, str))
        if 0 < used < sent:
            hint = "raise its limit, or lower the entry's window"
            raise InputError(f"the server has read {used} of {sent} tokens", hint=hint)
    if not answers:
        return np.empty((0, dimension), dtype=np.float32)
    return unit_rows(np.concatenate([vectors for vectors, _ in answers]))


def _vectors(answer: Mapping[str, Any]) -> tuple[Vectors, int]:
    """Return the vectors in request order, and the tokens read; 0 where the server does not report them."""
    rows = sorted(answer["data"], key=lambda row: int(row["index"]))
    vectors = np.array([row["embedding"] for row in rows], dtype=np.float32)
    if vectors.ndim != 2:
        raise ValueError("vectors of different lengths")
    return vectors, token_count((answer.get("usage") or {}).get("prompt_tokens", 0))


def _tokenizer(entry: ModelEntry) -> Any:
    from transformers import AutoTokenizer

    assert entry.server is not None
    if entry.server.tokenizer is None:
        raise InputError(
            f"{entry.title} has no server.tokenizer, which E2Rank's prompt needs",
            hint="set server.tokenizer to a folder or a hub id",
        )
    reference = parse_reference(entry.server.tokenizer)
    try:
        return AutoTokenizer.from_pretrained(
            reference.folder if reference.kind == "folder" else reference.name,
            revision=reference.commit or "main",
            trust_remote_code=False,
        )
    except (OSError, ValueError) as error:
        problem = f"tokenizer {entry.server.tokenizer}: {' '.join(str(error).split())}"
        raise UnavailableError(f"{problem}; check server.tokenizer and the network") from error
