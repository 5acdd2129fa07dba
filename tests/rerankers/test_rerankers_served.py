"""Rerankers behind a server on loopback, in both forms of the protocol."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from e2rank_eval.errors import InputError
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.rerankers.families.cross_encoder import CrossEncoderSettings, ServedReranker

QUERIES = [Query("q1", "wing"), Query("q2", "heat")]


def lists(*texts: str) -> list[CandidateList]:
    listed = tuple(Candidate(Document(f"d{i}", text), -i) for i, text in enumerate(texts))
    return [CandidateList(query.id, listed) for query in QUERIES]


def reranker(http: HTTPServer, form: str, **changes: Any) -> ServedReranker:
    where = {"base_url": http.url_for("/v1"), "model": "tiny", "attempts": 1, "form": form}
    fields = {
        "title": "served", "kind": "cross-encoder", "format": "openai-http", "parameters": "tiny",
        "licence": "none", "trained_for_embedding": False, "window": 512, "document_tokens": 10,
        "query_tokens": 64, "server": where,
    }  # fmt: skip
    entry = ModelEntry.model_validate(fields | changes)
    return ServedReranker(entry, CrossEncoderSettings(family="cross-encoder", model="served"))


def scorer(form: str) -> Callable[[Request], Response]:
    """Score a document by how often it has the query, in an order of its own."""

    def answer(request: Request) -> Response:
        texts = request.json["texts" if form == "tei" else "documents"]
        scored = [(i, float(text.count(request.json["query"]))) for i, text in enumerate(texts)][::-1]
        if form == "tei":
            return said([{"index": i, "score": score} for i, score in scored])
        rows = [{"index": i, "relevance_score": score, "document": None} for i, score in scored]
        return said({"results": rows, "usage": {"total_tokens": 7}})

    return answer


def said(answer: Any) -> Response:
    return Response(json.dumps(answer), content_type="application/json")


@pytest.mark.parametrize("form", ["jina", "tei"])
def test_scores_are_matched_to_their_documents(httpserver: HTTPServer, form: str) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_handler(scorer(form))
    texts = ["heat", "wing wing", "nothing", "wing", *["other"] * 40]
    found = reranker(httpserver, form).rank_candidates(QUERIES, lists(*texts))
    assert [one.document_ids[:3] for one in found] == [("d1", "d3", "d0"), ("d0", "d1", "d2")]
    assert found[0].stats.scores[:4] == (0.0, 2.0, 0.0, 1.0)  # type: ignore[index]
    assert (found[0].stats.calls, len(httpserver.log)) == ((1, 2) if form == "jina" else (2, 4))
    assert found[0].stats.prompt_tokens == (
        7 if form == "jina" else sum(len("wing" + text) for text in texts) // 3
    )


def test_documents_are_cut_at_an_estimate_and_the_path_is_the_entrys(httpserver: HTTPServer) -> None:
    httpserver.expect_request("/v1/score").respond_with_handler(scorer("jina"))
    where = {"base_url": httpserver.url_for("/v1"), "model": "tiny", "path": "/score"}
    (found, _) = reranker(httpserver, "jina", server=where).rank_candidates(
        QUERIES, lists("short", "long " * 9)
    )
    assert httpserver.log[0][0].json["documents"] == ["short", ("long " * 9)[:30]]
    assert found.stats.truncated_documents == 1
    assert reranker(httpserver, "jina").rank_candidates([], []) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"results": [{"index": 0, "relevance_score": 1.0}]}, "scores for 1 of 2 documents"),
        ({"results": [{"index": 0, "relevance_score": 1.0}] * 2}, "two scores"),
        ({"results": [{"index": i, "relevance_score": float("nan")} for i in (0, 1)]}, "not finite"),
        ({"data": []}, "does not follow OpenAI's protocol"),
        ([{"index": i, "score": 1.0} for i in (0, 2)], "scores for 2 of 2 documents"),
    ],
)
def test_a_wrong_answer_is_refused(httpserver: HTTPServer, answer: Any, problem: str) -> None:
    httpserver.expect_request("/v1/rerank").respond_with_response(said(answer))
    with pytest.raises(InputError, match=problem):
        reranker(httpserver, "jina").rank_candidates(QUERIES, lists("a", "b"))


def test_the_fingerprint_follows_what_decides_a_score(httpserver: HTTPServer) -> None:
    one, two = reranker(httpserver, "jina"), reranker(httpserver, "tei")
    longer = reranker(httpserver, "jina", document_tokens=20)
    assert len({one.fingerprint, two.fingerprint, longer.fingerprint}) == 3
