"""The families that represent query and documents separately: sparse and late interaction."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_representations import WORDS, write_colbert, write_splade

from e2rank_eval.config import parse_configuration
from e2rank_eval.models.loading import Models
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.base import RerankContext, Reranker

QUERIES = [Query("q1", "what is drag"), Query("q2", "heat of the wing"), Query("q3", "flow")]
DOCUMENTS = [Document(f"d{at}", f"{word} {WORDS[at - 3]} plate") for at, word in enumerate(WORDS)]
DOCUMENTS += [Document("again", DOCUMENTS[2].text), Document("long", "wing " * 1200)]
LISTS = [CandidateList(query.id, tuple(Candidate(d, 0.0) for d in DOCUMENTS)) for query in QUERIES[:2]]
LISTS.append(CandidateList("q3", ()))


@pytest.fixture(scope="module", params=["late-interaction", "sparse"])
def reranker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reranker:
    folder = tmp_path_factory.mktemp(request.param)
    model = (write_splade if request.param == "sparse" else write_colbert)(folder)
    values = {
        "profile": "tiny",
        "datasets": {"tiny": {"path": "tiny"}},
        "first_stages": {"bm25": {"retriever": "bm25"}},
        "rerankers": {"mine": {"family": request.param, "model": str(model)}},
    }
    settings = parse_configuration(values, "tiny").rerankers["mine"]
    built: Reranker = settings.build(RerankContext(Models(folder / "cache", threads=1)))
    return built


def test_rankings_are_by_the_scores_that_their_statistics_have(reranker: Reranker) -> None:
    rankings = reranker.rank_candidates(QUERIES, LISTS)
    for ranking, one in zip(rankings, LISTS, strict=True):
        scores = ranking.stats.scores
        assert scores is not None
        assert list(ranking.order) == sorted(range(len(one)), key=lambda at: -scores[at])
    scores = rankings[0].stats.scores or ()
    assert len(set(scores)) == len(DOCUMENTS) - 1, "equal texts tie, others do not"
    assert rankings[0].stats.truncated_documents == 1
    assert rankings[0].stats.document_tokens > rankings[0].stats.prompt_tokens > 0
    assert rankings[2].order == ()


def test_neither_company_nor_stored_vectors_change_a_ranking(reranker: Reranker) -> None:
    together = reranker.rank_candidates(QUERIES, LISTS)
    alone = reranker.rank_candidates(QUERIES[:1], LISTS[:1])[0]
    assert alone.stats.scores == together[0].stats.scores
    reranker.encode_documents(DOCUMENTS)
    stored = reranker.rank_candidates(QUERIES, LISTS)
    assert [one.order for one in stored] == [one.order for one in together]
    assert stored[0].stats.document_tokens == 0
