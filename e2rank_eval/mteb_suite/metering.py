"""Counts what encoding really costs: the tokens that go through the model, below the vector cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from e2rank_eval.models.encoders.base import Encoded, Encoder, Kind
from e2rank_eval.records import ListwiseInput, Ranking


@dataclass(slots=True)
class Usage:
    """``texts`` and ``tokens`` that a task gave a model to read, ``truncated`` ones among the texts, and
    ``forward_tokens``: those computed in this work, without texts that repeat and stored vectors."""

    texts: int = 0
    tokens: int = 0
    truncated: int = 0
    forward_tokens: int = 0

    def read(self, encoded: Encoded) -> None:
        self.texts += len(encoded.tokens)
        self.tokens += sum(encoded.tokens)
        self.truncated += sum(encoded.truncated)

    def ranked(self, ranking: Ranking) -> None:
        stats = ranking.stats
        self.texts += len(ranking.candidates)
        self.tokens += stats.prompt_tokens + stats.output_tokens + stats.document_tokens
        self.truncated += stats.truncated_documents

    def plus(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    def row(self) -> dict[str, int]:
        return asdict(self)


class MeteredEncoder:
    """An encoder that adds the tokens it computes to ``forward_tokens``."""

    def __init__(self, encoder: Encoder) -> None:
        self.name = encoder.name
        self.fingerprint = encoder.fingerprint
        self.document_fingerprint = encoder.document_fingerprint
        self.dimension = encoder.dimension
        self.forward_tokens = 0
        self._encoder = encoder

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        return self._counted(self._encoder.encode(texts, kind))

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        return self._counted(self._encoder.encode_listwise(inputs))

    def synchronise(self) -> None:
        self._encoder.synchronise()

    def _counted(self, encoded: Encoded) -> Encoded:
        self.forward_tokens += sum(encoded.tokens)
        return encoded
