"""Adapter of the suite's rerankers to mteb's SearchProtocol, which ranks whole lists."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from mteb.abstasks import AbsTask
from mteb.abstasks.task_metadata import TaskMetadata
from mteb.models.model_meta import ModelMeta

from e2rank_eval.errors import InputError
from e2rank_eval.models.encoders.base import Encoder
from e2rank_eval.mteb_suite.encoder import ORGANISATION, Usage
from e2rank_eval.records import Candidate, CandidateList, Document, Query, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.retrieval.first_stages.dense import Dense
from e2rank_eval.store.files import sha256_json

_BATCH = 16
"""Queries ranked in one call."""


class MtebReranker:
    """A reranker of any family in mteb's retrieval and reranking tasks.

    Candidates come from the task (``top_ranked``), or, with ``first_stage``, are the ``depth`` best
    documents of the corpus by cosine; deeper documents follow in first-stage order. A ``first_stage`` also
    orders the task's candidates. Without it, a task made by mteb's ``convert_to_reranking`` keeps its order,
    which is that of its predictions. The lists of a native reranking task have no rank order, and often
    the relevant documents first; they are sorted by a hash of the ids. Scores are strictly decreasing and
    derived from ranks, so there are no ties.
    """

    def __init__(
        self, reranker: Reranker, meta: ModelMeta, *, first_stage: Encoder | None = None, depth: int = 100
    ) -> None:
        self.mteb_model_meta = meta
        self._reranker = reranker
        self._usage = Usage()
        self._first_stage = first_stage
        self._depth = depth
        self._corpus: dict[str, Document] = {}

    def index(self, corpus: Any, **kwargs: Any) -> None:  # noqa: ARG002 - mteb's own call
        """Keep the corpus, a data set with ``id``, ``text`` and perhaps ``title``."""
        self._corpus = {row["id"]: Document(row["id"], row["text"], row.get("title") or "") for row in corpus}

    def search(
        self,
        queries: Any,
        *,
        task_metadata: TaskMetadata,
        top_k: int,
        top_ranked: Any = None,
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, dict[str, float]]:
        """Return scores by query id and document id.

        Raises
        ------
        InputError
            When the task has no candidates and there is no first stage.
        """
        asked = [Query(row["id"], row["text"]) for row in queries]
        if top_ranked is not None:
            lists = [self._given(one, top_ranked.get(one.id, ()), task_metadata) for one in asked]
        elif self._first_stage is not None:
            lists = self._retrieved(asked, top_k)
        else:
            raise InputError(
                f"{task_metadata.name} has no candidates to rerank",
                hint="name a first stage, or convert the task with convert_to_reranking",
            )
        results: dict[str, dict[str, float]] = {}
        rankings = self._ranked(asked, [documents[: self._depth] for documents in lists])
        for query, documents, ranking in zip(asked, lists, rankings, strict=True):
            order = [*ranking.document_ids, *(one.id for one in documents[self._depth :])]
            results[query.id] = {i: float(len(order) - rank) for rank, i in enumerate(order)}
        return results

    def key(self, task: AbsTask) -> str:  # noqa: ARG002 - no instruction by task
        """Return the hash of everything in this suite that affects the score on any task."""
        first = self._first_stage.fingerprint if self._first_stage is not None else None
        return sha256_json({"reranker": self._reranker.fingerprint, "first": first, "depth": self._depth})

    def take_usage(self) -> Usage:
        """Return the counts since the last call, and reset them."""
        usage, self._usage = self._usage, Usage()
        return usage

    def _ranked(self, queries: Sequence[Query], lists: Sequence[Sequence[Document]]) -> Iterator[Ranking]:
        """Rank each query's documents, which are in first-stage order."""
        for start in range(0, len(queries), _BATCH):
            batch = slice(start, start + _BATCH)
            candidates = [_candidates(*pair) for pair in zip(queries[batch], lists[batch], strict=True)]
            for ranking in self._reranker.rank_candidates(queries[batch], candidates):
                self._usage.ranked(ranking)
                yield ranking

    def _given(self, query: Query, ids: Sequence[str], metadata: TaskMetadata) -> list[Document]:
        documents = [self._corpus[i] for i in dict.fromkeys(ids)]
        if self._first_stage is not None:
            hits = Dense(documents, self._first_stage).search([query], [len(documents)])[0]
            return [documents[position] for position in hits.positions]
        if metadata.type == "Reranking":  # a sort key independent of relevance
            return sorted(
                documents, key=lambda one: hashlib.sha256(f"{query.id}\n{one.id}".encode()).digest()
            )
        return documents

    def _retrieved(self, queries: Sequence[Query], top_k: int) -> list[list[Document]]:
        assert self._first_stage is not None
        corpus = list(self._corpus.values())
        depth = max(self._depth, top_k)
        hits = Dense(corpus, self._first_stage).search(queries, [depth] * len(queries))
        return [[corpus[position] for position in one.positions] for one in hits]


def _candidates(query: Query, documents: Sequence[Document]) -> CandidateList:
    """Return candidates in the given order, with descending scores."""
    scored = (Candidate(one, float(len(documents) - rank)) for rank, one in enumerate(documents))
    return CandidateList(query.id, tuple(scored))


def reranker_meta(name: str, fingerprint: str) -> ModelMeta:
    """Return the metadata of a configured reranker, with its name and its fingerprint as revision."""
    return ModelMeta.create_empty(
        {
            "name": f"{ORGANISATION}/{name}",
            "revision": fingerprint[:40],
            "languages": ["eng-Latn"],
            "framework": ["PyTorch", "Transformers"],
            "model_type": ["cross-encoder"],
        }
    )
