"""Vectors that a listwise vector is drawn to, made of frozen ones: this suite's recipe, not the paper's."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize, softmax

Places = Sequence[Sequence[int]]
"""For each query, rows of the documents' vectors."""


def oracle(queries: Tensor, documents: Tensor, positives: Places) -> Tensor:
    """unit(q + unit(mean of the positives' vectors)), [n, d]: Rocchio (1971) by one who knows the answers.

    A model drawn to it learns the mean of what the prompt lets expect: feedback weighted by relevance.
    """
    return normalize(queries + torch.stack([_mean(documents[list(own)]) for own in positives]), dim=-1)


def feedback(queries: Tensor, documents: Tensor, listed: Places, *, temperature: float) -> Tensor:
    """unit(q + unit(sum of w_i d_i)), [n, d], with w = softmax(q . d / temperature) over the prompt.

    What the frozen vectors alone make of the same documents: being drawn to it keeps a model from forgetting.
    """
    rows = []
    for query, own in zip(queries, listed, strict=True):
        vectors = documents[list(own)]
        rows.append(normalize(softmax(vectors @ query / temperature, dim=0) @ vectors, dim=-1))
    return normalize(queries + torch.stack(rows), dim=-1)


def distance(vectors: Tensor, targets: Tensor) -> Tensor:
    """Mean of 1 - cosine over rows of unit length."""
    return 1.0 - (vectors * targets).sum(1).mean()


def _mean(vectors: Tensor) -> Tensor:
    return normalize(vectors.mean(0), dim=-1)
