"""Base classes of pointwise rerankers, which score each (query, document) pair by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from e2rank_eval.config.systems import ModelSettings
from e2rank_eval.models.special_tokens import neutraliser
from e2rank_eval.models.timing import phase
from e2rank_eval.models.truncation import cut_tokens
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker, cut_query
from e2rank_eval.rerankers.scores import LOGIT_STEP, order_by_score

_TOKEN_BUDGET = {"cpu": 4096, "cuda": 131_072}

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class PairScore:
    """The score of one pair; ``floored`` counts logits that a server did not return.

    ``tokens`` counts the whole input.
    """

    score: float
    tokens: int
    floored: int = 0


@dataclass(frozen=True, slots=True)
class _Texts:
    """One query and its documents after cutting; ``documents_cut`` counts cut documents."""

    query: str = ""
    documents: tuple[str, ...] = ()
    query_cut: bool = False
    documents_cut: int = 0


class PairReranker(Reranker):
    """Ranks candidates by the score of each (query, document) pair, read together.

    A family counts the tokens of a query's prompt (:meth:`_tokens_beside`) and scores pairs
    (:meth:`_score`). A query is cut only where it would leave a document less than a quarter of
    ``window``. Documents are cut to ``document_tokens`` and to the rest of the window, of which ``spare``
    tokens stay free. Equal texts of one query are scored once and tie. The phases are ``prompt`` and
    ``scoring``.
    """

    def __init__(self, *, window: int, document_tokens: int, spare: int) -> None:
        self._window = window
        self._document_tokens = document_tokens
        self._spare = spare

    @abstractmethod
    def _tokens_beside(self, query: str) -> int:
        """Return the number of input tokens of ``query`` with an empty document."""

    @abstractmethod
    def _truncate(self, text: str, tokens: int) -> str:
        """Return ``text`` cut after ``tokens`` tokens."""

    @abstractmethod
    def _score(self, pairs: Sequence[Pair]) -> list[PairScore]:
        """Return the score of each (query, document) pair."""

    def _plain(self, text: str) -> str:
        """Return ``text`` with special tokens broken up, unless the family does so elsewhere."""
        return text

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries; their pairs share batches."""
        with phase("prompt"):
            read = [self._texts(*pair) for pair in zip(queries, candidates, strict=True)]
            pairs = list(dict.fromkeys((one.query, text) for one in read for text in one.documents))
        with phase("scoring"):
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
    """Scores pairs with a PyTorch model in this process, in batches of similar length.

    Special tokens that occur in a text are broken by a space, so that they are read as text. ``spare``
    tokens stay free for a tokenizer that may split words differently where query and document are joined.
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
        """Return for each pair the input of :meth:`_forward` and its number of tokens."""

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
