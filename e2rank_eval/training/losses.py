"""The losses as pure functions of vectors, scores and ranks: the paper's losses, and terms of this suite."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, softmax, softplus

Places = Sequence[Sequence[int]]
"""For each query, rows of the documents' vectors."""


def info_nce(
    queries: Tensor,
    documents: Tensor,
    positives: Tensor,
    *,
    temperature: float,
    excluded: Tensor | None = None,
) -> Tensor:
    """Contrastive loss with in-batch and hard negatives: mean of -log softmax(q . d / temperature).

    Paper, equation 1, temperature 0.03. ``queries`` [q, d] and ``documents`` [n, d] are unit vectors;
    ``positives`` [q] are rows of ``documents``: every other row, of the same list or of another
    query, is a negative unless ``excluded`` [q, n] is true (for the same text, or another positive).

    Raises
    ------
    ValueError
        When a positive is excluded.
    """
    logits = queries @ documents.T / temperature
    if excluded is not None:
        if bool(excluded.gather(1, positives[:, None]).any()):
            raise ValueError("a positive is excluded from its own comparison")
        logits = logits.masked_fill(excluded, -torch.inf)
    return cross_entropy(logits, positives)


def ranknet(scores: Tensor, ranks: Tensor, *, temperature: float) -> Tensor:
    """Mean over all pairs with j ranked above k of log(1 + exp(-(s_j - s_k) / temperature)).

    Temperature 0.1 is the official code's scale of 10. ``scores`` and ``ranks`` [q, c]; a rank counts
    from 1 (best), equal ranks make no pair, and 0 marks padding. The mean is over the pairs of all
    lists together, as in the official code, so a long list weighs more than a short one.
    The paper prints the exponent with the opposite sign, which would reward the reversed order; this
    function follows the official code. Zero if there is no pair.
    """
    real = ranks > 0
    above = (ranks[:, :, None] < ranks[:, None, :]) & real[:, :, None] & real[:, None, :]
    differences = (scores[:, :, None] - scores[:, None, :])[above] / temperature
    if not differences.numel():
        return scores.sum() * 0.0
    return softplus(-differences).mean()


def list_net(scores: Tensor, ranks: Tensor, *, temperature: float) -> Tensor:
    """Mean over lists of the cross-entropy of softmax(scores / temperature) with the list's gains.

    The gain of a document is the number of distinct ranks below its own, normalised to a sum of 1 in each
    list (ListNet, Cao et al. 2007, with these gains in place of a softmax); for judgements this is the linear
    gain of nDCG.
    ``scores`` and ``ranks`` [q, c] are as in :func:`ranknet`; ranks are dense, and every list has two.
    """
    real = ranks > 0
    gains = ((ranks.amax(dim=1, keepdim=True) - ranks) * real).to(scores.dtype)
    logits = (scores / temperature).masked_fill(~real, -torch.inf)
    found = torch.log_softmax(logits, dim=1).masked_fill(~real, 0.0)
    return -(gains / gains.sum(dim=1, keepdim=True) * found).sum(dim=1).mean()


def oracle_direction(queries: Tensor, documents: Tensor, positives: Places) -> Tensor:
    """Return unit(q + unit(mean of the positives' vectors)), [n, d]: Rocchio (1971) with known relevance.

    Regularised towards it, a model learns to predict the mean of the relevant vectors from the prompt, that
    is, feedback weighted by relevance. This term is this suite's, not the paper's.
    """
    means = [normalize(documents[list(own)].mean(0), dim=-1) for own in positives]
    return normalize(queries + torch.stack(means), dim=-1)


def feedback_direction(queries: Tensor, documents: Tensor, listed: Places, *, temperature: float) -> Tensor:
    """Return unit(q + unit(sum of w_i d_i)), [n, d], with w = softmax(q . d / temperature) over the prompt.

    This is softmax feedback with the frozen vectors of the same documents; regularising towards it keeps a
    model from forgetting. This term is this suite's, not the paper's.
    """
    rows = []
    for query, own in zip(queries, listed, strict=True):
        vectors = documents[list(own)]
        rows.append(normalize(softmax(vectors @ query / temperature, dim=0) @ vectors, dim=-1))
    return normalize(queries + torch.stack(rows), dim=-1)


def cosine_distance(vectors: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of 1 - cosine over rows of unit length."""
    return 1.0 - (vectors * targets).sum(1).mean()
