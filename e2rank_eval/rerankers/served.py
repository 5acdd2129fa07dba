"""Rerankers behind an HTTP server, which returns one score for each document of a query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from e2rank_eval.config.systems import ModelSettings
from e2rank_eval.errors import InputError
from e2rank_eval.models.engines.http_client import HttpClient, token_count
from e2rank_eval.models.registry import ModelEntry
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score
from e2rank_eval.store.files import sha256_json

_TEI_TEXTS = 32
"""Default maximum of texts in one request to text-embeddings-inference."""


class ServedReranker(Reranker):
    """A cross-encoder on a server: one request for each query, or for each 32 documents with ``tei``.

    ``server.form`` is ``jina`` (vLLM, Jina, Cohere, Infinity, llama.cpp: documents, relevance_score) or
    ``tei`` (text-embeddings-inference: texts, score). Documents are cut to ``document_tokens``, estimated
    from ``server.bytes_per_token``; the server cuts or refuses texts that are still too long for its model.
    """

    def __init__(self, entry: ModelEntry, settings: ModelSettings) -> None:
        assert entry.server is not None
        self._server = entry.server
        self._client = HttpClient(entry.title, entry.server, "rerank")
        self._document_tokens = settings.document_tokens or entry.document_tokens
        self.fingerprint = sha256_json(
            {
                "server": self._client.deciding,
                "tokens": self._document_tokens,
                "settings": settings.deciding(),
                "step": LOGIT_STEP,
            }
        )

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries with concurrent requests.

        Raises
        ------
        InputError
            When the server refuses a request, or returns no finite score for a document.
        UnavailableError
            When the server cannot be reached or keeps failing.
        """
        clock = PhaseClock(lambda: None)
        texts = [
            [self._server.cut(d.contents, self._document_tokens) for d in one.documents] for one in candidates
        ]
        requests = [
            (query.text, block)
            for query, cut in zip(queries, texts, strict=True)
            for block in self._blocks(cut)
        ]
        bodies = [self._body(query, block) for query, block in requests]
        with clock.phase("scoring"):
            answers = self._client.post(bodies, _results)
        waiting, rankings = iter(zip(requests, answers, strict=True)), []
        for one, cut in zip(candidates, texts, strict=True):
            own = list(islice(waiting, len(self._blocks(cut))))
            scores = [score for (_, block), (found, _) in own for score in _in_order(found, len(block))]
            order, rounded = order_by_score(scores, LOGIT_STEP)
            estimated = sum(len((query + text).encode()) for (query, block), _ in own for text in block)
            stats = QueryStats(
                calls=len(own),
                prompt_tokens=sum(used for _, (_, used) in own)
                or int(estimated / self._server.bytes_per_token),
                truncated_documents=sum(
                    text != document.contents for text, document in zip(cut, one.documents, strict=True)
                ),
                scores=rounded,
            )
            rankings.append(Ranking(one, order, stats))
        return rankings

    def _blocks(self, texts: list[str]) -> list[list[str]]:
        size = _TEI_TEXTS if self._server.form == "tei" else max(1, len(texts))
        return [texts[start : start + size] for start in range(0, len(texts), size)]

    def _body(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        if self._server.form == "tei":
            return {"query": query, "texts": list(texts), "raw_scores": True, "truncate": True}
        return {"query": query, "documents": list(texts), "top_n": len(texts), "return_documents": False}


def _results(answer: Any) -> tuple[dict[int, float], int]:
    """Return scores by position, and the number of prompt tokens; 0 where the server does not report it."""
    rows, usage = (answer, {}) if isinstance(answer, list) else (answer["results"], answer.get("usage") or {})
    scores = {int(row["index"]): float(_score(row)) for row in rows}
    if len(scores) < len(rows) or not np.isfinite(list(scores.values())).all():
        raise ValueError("a position with two scores, or one that is not finite")
    return scores, token_count(usage.get("prompt_tokens", usage.get("total_tokens", 0)))


def _score(row: Mapping[str, Any]) -> float:
    return float(row["relevance_score"] if "relevance_score" in row else row["score"])


def _in_order(scores: Mapping[int, float], number: int) -> list[float]:
    if scores.keys() != set(range(number)):
        problem = f"scores for {len(scores)} of {number} documents"
        raise InputError(problem, hint="name a server that scores every document, or another server.form")
    return [scores[position] for position in range(number)]
