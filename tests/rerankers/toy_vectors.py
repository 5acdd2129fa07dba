"""A tiny deterministic encoder whose vectors are sums of word vectors, and E2Rank over it without batches."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from e2rank_eval.models.encoders.base import Encoded, Kind
from e2rank_eval.records import Candidate, CandidateList, Document, ListwiseInput, Query
from e2rank_eval.rerankers.families.e2rank import E2RankReranker, E2RankSettings

DIMENSION = 24
DOCUMENT_WORDS = 12
PROMPT_WORDS = 6


class ToyEncoder:
    """Cuts documents at 12 words, and at 6 in a prompt; keeps every call it was given."""

    name = "toy"
    fingerprint = "toy"
    dimension = DIMENSION

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[str]]] = []

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        self.calls.append((kind, list(texts)))
        vectors = [document_vector(text) if kind == "document" else query_vector(text) for text in texts]
        lengths = [len(text.split()) for text in texts]
        return Encoded(
            np.array(vectors, dtype=np.float32).reshape(-1, DIMENSION),
            tuple(min(n, DOCUMENT_WORDS) for n in lengths),
            tuple(int(n > DOCUMENT_WORDS) for n in lengths),
        )

    def encode_listwise(self, inputs: Sequence[ListwiseInput]) -> Encoded:
        self.calls.append(("listwise", [one.query for one in inputs]))
        return Encoded(
            np.array([listwise_vector(one.query, one.documents) for one in inputs], dtype=np.float32),
            tuple(len(one.documents) * PROMPT_WORDS for one in inputs),
            tuple(sum(len(text.split()) > PROMPT_WORDS for text in one.documents) for one in inputs),
            tuple(" | ".join((one.query, *one.documents)) for one in inputs),
        )


def toy_e2rank(encoder: Any = None, *, seed: int = 0, **options: Any) -> E2RankReranker:
    return E2RankReranker(
        encoder or ToyEncoder(), E2RankSettings(family="e2rank", model="toy", **options), seed=seed
    )


def _words(text: str, limit: int) -> np.ndarray:
    total = np.zeros(DIMENSION)
    for word in text.split()[:limit]:
        digest = hashlib.sha256(word.encode()).digest()
        total += np.frombuffer(digest[:DIMENSION], dtype=np.int8) / 128
    return total / (np.linalg.norm(total) or 1.0)


def document_vector(text: str) -> np.ndarray:
    return _words(text, DOCUMENT_WORDS)


def query_vector(text: str) -> np.ndarray:
    return _words("query: " + text, DOCUMENT_WORDS)


def listwise_vector(query: str, documents: Sequence[str]) -> np.ndarray:
    """Depends on the documents' order, as a prompt does."""
    total = query_vector(query)
    for position, text in enumerate(documents, start=1):
        total = total + _words(text, PROMPT_WORDS) / position
    return total / np.linalg.norm(total)


def dot(a: np.ndarray, b: np.ndarray) -> float:
    return math.fsum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def candidate_list(query_id: str, texts: Sequence[str]) -> CandidateList:
    documents = [Document(f"{query_id}-d{i}", text) for i, text in enumerate(texts)]
    return CandidateList(query_id, tuple(Candidate(d, -float(i)) for i, d in enumerate(documents)))


def random_collection(seed: int, sizes: Sequence[int]) -> tuple[list[Query], list[CandidateList]]:
    """Queries and candidate lists of the given sizes; some texts are long, some occur several times."""
    rng = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(30)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randint(1, 18))) for _ in range(40)]
    queries = [Query(f"q{i}", " ".join(rng.choices(vocabulary, k=3))) for i in range(len(sizes))]
    lists = [candidate_list(q.id, rng.choices(texts, k=n)) for q, n in zip(queries, sizes, strict=True)]
    return queries, lists


def assert_ranked_by(order: Sequence[int], scores: Sequence[float], tolerance: float = 1e-5) -> None:
    """Each document stands before all that score lower by more than ``tolerance``."""
    highest_below = -math.inf
    for position in reversed(order):
        assert scores[position] >= highest_below - tolerance, (position, scores)
        highest_below = max(highest_below, scores[position])
