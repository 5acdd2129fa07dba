"""Losses compared with plain loops, gradients with finite differences, and preferred orders."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import normalize

from e2rank_eval.rerankers.vectors import unit
from e2rank_eval.training.losses import (
    feedback_direction,
    info_nce,
    list_net,
    oracle_direction,
    ranknet,
)

SHAPES = st.tuples(st.integers(1, 4), st.integers(2, 6), st.integers(0, 2**31))


def _vectors(rows: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(rows, 5, dtype=torch.float64, generator=generator), dim=-1)


@given(SHAPES)
def test_info_nce_equals_a_plain_loop(shape: tuple[int, int, int]) -> None:
    queries, each, seed = shape
    q, d = _vectors(queries, seed), _vectors(queries * each, seed + 1)
    positives = torch.arange(queries) * each
    expected = 0.0
    for row in range(queries):
        exponentials = [math.exp(float(q[row] @ other) / 0.03) for other in d]
        expected -= math.log(exponentials[row * each] / sum(exponentials)) / queries
    assert float(info_nce(q, d, positives, temperature=0.03)) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_an_excluded_document_is_not_a_negative() -> None:
    q, d = _vectors(2, 3), _vectors(6, 4)
    excluded = torch.zeros(2, 6, dtype=torch.bool)
    excluded[:, 3:] = True
    found = info_nce(q, d, torch.tensor([0, 1]), temperature=0.1, excluded=excluded)
    assert float(found) == pytest.approx(float(info_nce(q, d[:3], torch.tensor([0, 1]), temperature=0.1)))
    with pytest.raises(ValueError, match="positive is excluded"):
        info_nce(q, d, torch.tensor([0, 5]), temperature=0.1, excluded=excluded)


@given(SHAPES)
def test_list_net_equals_a_plain_loop_over_gains(shape: tuple[int, int, int]) -> None:
    """Lists of several lengths (0 is padding): the lowest rank gains nothing, each above it one more."""
    queries, each, seed = shape
    draw = np.random.default_rng(seed)
    scores, ranks = draw.normal(size=(queries, each)), np.zeros((queries, each), dtype=int)
    expected = 0.0
    for row, own in enumerate(ranks):
        length = draw.integers(2, each + 1)
        own[:length] = [1, 2, *draw.integers(1, 3, size=length - 2)]
        gains = [max(own) - rank for rank in own if rank]
        total = sum(math.exp(score / 0.1) for score, rank in zip(scores[row], own, strict=True) if rank)
        logs = [score / 0.1 - math.log(total) for score, rank in zip(scores[row], own, strict=True) if rank]
        expected -= sum(g * log for g, log in zip(gains, logs, strict=True)) / sum(gains) / queries
    found = list_net(torch.tensor(scores), torch.tensor(ranks), temperature=0.1)
    assert float(found) == pytest.approx(expected, rel=1e-9)


@given(SHAPES, st.integers(1, 6))
def test_ranknet_equals_a_plain_loop_over_all_ordered_pairs(shape: tuple[int, int, int], most: int) -> None:
    """Lists of several lengths (0 is padding) with ties; the mean is over the pairs of all of them."""
    queries, each, seed = shape
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(queries, each))
    ranks = draw.integers(0, most + 1, size=(queries, each))
    losses = [
        math.log1p(math.exp(-(scores[row, j] - scores[row, k]) / 0.1))
        for row in range(queries)
        for j in range(each)
        for k in range(each)
        if 0 < ranks[row, j] < ranks[row, k]
    ]
    found = ranknet(torch.tensor(scores), torch.tensor(ranks), temperature=0.1)
    assert float(found) == pytest.approx(sum(losses) / len(losses) if losses else 0.0, rel=1e-9)


def test_gradients_are_those_of_differences() -> None:
    q, d = _vectors(3, 5).requires_grad_(), _vectors(9, 6).requires_grad_()
    ranks = torch.tensor([[1, 2, 3], [3, 1, 2], [1, 1, 0]])

    def total(queries: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
        scores = (queries[:, None] * documents.view(3, 3, 5)).sum(-1)
        info = info_nce(queries, documents, torch.tensor([0, 4, 6]), temperature=0.03)
        return info + 2.0 * ranknet(scores, ranks, temperature=0.1)

    assert torch.autograd.gradcheck(total, (q, d))


def test_the_right_order_costs_less_than_the_reversed_one() -> None:
    """With the sign that the paper prints, the reversed order would cost less."""
    right, ranks = torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[1, 2, 3]])
    assert ranknet(right, ranks, temperature=1.0) < math.log(2) < ranknet(-right, ranks, temperature=1.0)


def test_no_pair_gives_no_loss_and_no_gradient() -> None:
    scores = torch.ones(1, 2, requires_grad=True)
    loss = ranknet(scores, torch.tensor([[1, 0]]), temperature=0.1)
    loss.backward()
    assert float(loss.detach()) == 0.0
    assert scores.grad is not None
    assert not scores.grad.any()


def test_the_oracle_direction_is_rocchio_over_the_positives() -> None:
    queries, documents = _vectors(2, 1), _vectors(5, 2)
    found = oracle_direction(queries, documents, [[0, 3], [4]])
    q, d = queries.numpy(), documents.numpy()
    expected = [unit(q[0] + unit((d[0] + d[3]) / 2)), unit(q[1] + d[4])]
    np.testing.assert_allclose(found.numpy(), np.stack(expected), atol=1e-12)


def test_the_feedback_direction_weighs_documents_by_their_similarity() -> None:
    queries, documents = _vectors(1, 3), _vectors(4, 4)
    q, d = queries[0].numpy(), documents.numpy()
    expected = unit(q + unit(np.exp(d[:3] @ q / 0.2) @ d[:3]))
    found = feedback_direction(queries, documents, [[0, 1, 2]], temperature=0.2)
    np.testing.assert_allclose(found[0].numpy(), expected, atol=1e-12)
    cold = feedback_direction(queries, documents, [[0, 1, 2]], temperature=1e-4)
    nearest = documents[int(np.argmax(d[:3] @ q))]
    torch.testing.assert_close(cold[0], normalize(queries[0] + nearest, dim=-1), atol=1e-6, rtol=0)
