"""Rerankers that score each (query, document) pair by itself: what pointwise families have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2rank_eval.config.systems import ModelSettings
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.models.truncation import cut_tokens
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker, cut_query
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 131_072}

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairScore:
    """``tokens`` counts the whole input; ``floored`` the logits that a server did not return."""

    score: float
    tokens: int
    floored: int = 0


@dataclass(frozen=True, slots=True)
class _Texts:
    """One query and its documents as they are read, and what of them a limit cut."""

    query: str = ""
    documents: tuple[str, ...] = ()
    query_cut: bool = False
    documents_cut: int = 0


class PairReranker(Reranker):
    """Ranks candidates by a score of the query and each of them, read together.

    A family counts what a query takes of the window (:meth:`_tokens_beside`) and scores pairs
    (:meth:`_score`). Documents are cut to ``document_tokens`` and to what the query leaves of ``window`` less
    ``spare`` tokens; a query is cut only to leave them a quarter. Equal texts of one query are scored
    once and tie. Its phases are ``prompt`` and ``scoring``.
    """

    def __init__(self, *, window: int, document_tokens: int, spare: int) -> None:
        self._window = window
        self._document_tokens = document_tokens
        self._spare = spare

    @abstractmethod
    def _tokens_beside(self, query: str) -> int:
        """Return how many tokens ``query`` takes with an empty document."""

    @abstractmethod
    def _truncate(self, text: str, tokens: int) -> str:
        """Return ``text`` cut after so many tokens."""

    @abstractmethod
    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        """Return the score of each (query, document)."""

    @abstractmethod
    def _synchronise(self) -> None:
        """Wait for the device; does nothing on a CPU."""

    def _plain(self, text: str) -> str:
        """Return ``text`` without special tokens, where the family does not break them itself."""
        return text

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries, their pairs in common batches."""
        clock = PhaseClock(self._synchronise)
        with clock.phase("prompt"):
            read = [self._texts(*pair) for pair in zip(queries, candidates, strict=True)]
            pairs = list(dict.fromkeys((one.query, text) for one in read for text in one.documents))
        with clock.phase("scoring"):
            scored = dict(zip(pairs, self._score(pairs), strict=True)) if pairs else {}
        return [_ranking(*pair, scored) for pair in zip(candidates, read, strict=True)]

    def _texts(self, query: Query, candidates: CandidateList) -> _Texts:
        if not len(candidates):
            return _Texts()
        whole = self._plain(query.text)
        cut = cut_query(whole, self._window, self._spare, self._tokens_beside, self._truncate)
        limit = min(self._document_tokens, self._window - self._spare - self._tokens_beside(cut))
        documents = [self._plain(document.contents) for document in candidates.documents]
        texts = tuple(self._truncate(text, limit) for text in documents)
        return _Texts(cut, texts, cut != whole, sum(a != b for a, b in zip(texts, documents, strict=True)))


def _ranking(candidates: CandidateList, texts: _Texts, scored: Mapping[Pair, PairScore]) -> Ranking:
    found = {text: scored[texts.query, text] for text in texts.documents}
    order, scores = order_by_score([found[text].score for text in texts.documents], LOGIT_STEP)
    floored = sum(one.floored for one in found.values())
    stats = QueryStats(
        calls=len(found),
        prompt_tokens=sum(one.tokens for one in found.values()),
        truncated_documents=texts.documents_cut,
        truncated_query=texts.query_cut,
        repairs={"floored": floored} if floored else {},
        scores=scores,
    )
    return Ranking(candidates, order, stats)


class TorchPairReranker(PairReranker):
    """Scores pairs with a PyTorch model of this process, in batches of similar length.

    Special tokens that a text quotes are broken by a space, so that they stay text. ``spare`` tokens are for
    a tokenizer that may split words anew where it reads query and document as one text.
    """

    def __init__(
        self, model: Any, tokenizer: Any, settings: ModelSettings, *, window: int, spare: int = 0
    ) -> None:
        super().__init__(window=window, document_tokens=settings.document_tokens or window, spare=spare)
        self._model = model
        self._tokenizer = tokenizer
        self._neutral = neutraliser(tokenizer)

    @abstractmethod
    def _inputs(self, pairs: Sequence[Pair]) -> list[tuple[Any, int]]:
        """Return what :meth:`_forward` takes for each pair, and of how many tokens it is."""

    @abstractmethod
    def _forward(self, inputs: list[Any]) -> list[float]:
        """Return the scores of one batch."""

    def _tokens_beside(self, query: str) -> int:
        return self._inputs([(query, "")])[0][1]

    def _truncate(self, text: str, tokens: int) -> str:
        return cut_tokens(self._tokenizer, text, tokens)

    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        from e2rank_eval.models.batching import Batch, plan_groups, run_in_batches

        inputs = self._inputs(pairs)
        scores = [0.0] * len(pairs)

        def run(batch: Batch) -> None:
            found = self._forward([inputs[position][0] for position in batch.positions])
            for position, score in zip(batch.positions, found, strict=True):
                scores[position] = score

        lengths = [tokens for _, tokens in inputs]
        run_in_batches(lengths, plan_groups, run, tokens=_TOKEN_BUDGET[self._model.device.type])
        return [PairScore(score, tokens) for score, tokens in zip(scores, lengths, strict=True)]

    def _plain(self, text: str) -> str:
        return self._neutral(text)

    def _synchronise(self) -> None:
        if self._model.device.type == "cuda":
            import torch

            torch.cuda.synchronize(self._model.device)
