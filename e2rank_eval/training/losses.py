"""The losses as pure functions of vectors, scores and ranks: the paper's, and this suite's directions."""

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
    ``positives`` [q] are rows of ``documents``: every other row is a negative, be it the list's own or
    another query's, except where ``excluded`` [q, n] says otherwise (the same text again).

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
    The paper prints the exponent with the sign the other way round, which would reward the reversed
    order; the official code has it as here. Zero where there is no pair.
    """
    real = ranks > 0
    above = (ranks[:, :, None] < ranks[:, None, :]) & real[:, :, None] & real[:, None, :]
    differences = (scores[:, :, None] - scores[:, None, :])[above] / temperature
    if not differences.numel():
        return scores.sum() * 0.0
    return softplus(-differences).mean()


def list_net(scores: Tensor, ranks: Tensor, *, temperature: float) -> Tensor:
    """Mean over lists of the cross-entropy of softmax(scores / temperature) with the list's gains.

    The gain of a document is the number of distinct ranks below its own, for judgements the linear gain of
    nDCG, and the gains of a list add up to 1 (ListNet, Cao et al. 2007, with these in place of a softmax).
    ``scores`` and ``ranks`` [q, c] are as in :func:`ranknet`; ranks are dense, and every list has two.
    """
    real = ranks > 0
    gains = ((ranks.amax(dim=1, keepdim=True) - ranks) * real).to(scores.dtype)
    logits = (scores / temperature).masked_fill(~real, -torch.inf)
    found = torch.log_softmax(logits, dim=1).masked_fill(~real, 0.0)
    return -(gains / gains.sum(dim=1, keepdim=True) * found).sum(dim=1).mean()


def oracle_direction(queries: Tensor, documents: Tensor, positives: Places) -> Tensor:
    """Return unit(q + unit(mean of the positives' vectors)), [n, d]: Rocchio (1971) by an oracle.

    A model that is regularised towards it learns the mean of what the prompt lets expect: feedback weighted
    by relevance. This suite's recipe, not the paper's.
    """
    means = [normalize(documents[list(own)].mean(0), dim=-1) for own in positives]
    return normalize(queries + torch.stack(means), dim=-1)


def feedback_direction(queries: Tensor, documents: Tensor, listed: Places, *, temperature: float) -> Tensor:
    """Return unit(q + unit(sum of w_i d_i)), [n, d], with w = softmax(q . d / temperature) over the prompt.

    It is what the frozen vectors alone make of the same documents: being regularised towards it keeps a model
    from forgetting. This suite's recipe, not the paper's.
    """
    rows = []
    for query, own in zip(queries, listed, strict=True):
        vectors = documents[list(own)]
        rows.append(normalize(softmax(vectors @ query / temperature, dim=0) @ vectors, dim=-1))
    return normalize(queries + torch.stack(rows), dim=-1)


def cosine_distance(vectors: Tensor, targets: Tensor) -> Tensor:
    """Return the mean of 1 - cosine over rows of unit length."""
    return 1.0 - (vectors * targets).sum(1).mean()
