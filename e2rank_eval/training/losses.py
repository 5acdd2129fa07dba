"""The losses of the paper as pure functions of vectors, scores and ranks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


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
    return functional.cross_entropy(logits, positives)


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
    return functional.softplus(-differences).mean()


def joint(info: Tensor, rank: Tensor, *, weight: float = 2.0) -> Tensor:
    """The loss of Stage II (paper, section 3.3): InfoNCE + lambda x RankNet, with lambda 2."""
    return info + weight * rank
