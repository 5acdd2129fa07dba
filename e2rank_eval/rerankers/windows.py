"""Rerankers that let a language model order windows of the candidates, several queries in lock-step."""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.timing import phase
from e2rank_eval.records import CandidateList, Query, QueryStats, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.rerankers.strategies import Strategy, run_together


@dataclass(slots=True)
class Progress:
    """One query's texts as cut, and the statistics of its ranking so far.

    ``texts`` are those of its candidates in first-stage order; ``cut`` are the positions of cut candidates
    and ``shown`` of those that were in a prompt; ``query_cut`` says whether the query was cut.
    """

    query: str
    texts: list[str]
    cut: set[int] = field(default_factory=set)
    query_cut: bool = False
    shown: set[int] = field(default_factory=set)
    calls: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    repairs: Counter[str] = field(default_factory=Counter)
    prompt: str | None = None

    def stats(self) -> QueryStats:
        return QueryStats(
            calls=self.calls,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            prompt_documents=len(self.shown),
            truncated_documents=len(self.cut),
            truncated_query=self.query_cut,
            repairs=dict(sorted(self.repairs.items())),
            prompt=self.prompt if self.calls == 1 else None,
        )

    def truncate(self, model: LanguageModel, limit: int) -> None:
        """Cut every text after ``limit`` tokens."""
        for position, whole in enumerate(self.texts):
            self.texts[position] = model.truncate(whole, limit)
            if self.texts[position] != whole:
                self.cut.add(position)


ProgressT = TypeVar("ProgressT", bound=Progress)


class WindowReranker(Reranker, Generic[ProgressT]):
    """Ranks with a ``strategy`` whose windows a language model orders.

    A family defines its state for a query (:meth:`_begin`) and how it orders the windows of several
    queries together (:meth:`_rank_windows`).
    """

    def __init__(self, model: LanguageModel, strategy: Strategy) -> None:
        self._model = model
        self._strategy = strategy

    @abstractmethod
    def _begin(self, query: Query, candidates: CandidateList) -> ProgressT:
        """Return the query's initial state, its texts cut; timed as phase ``prompt``."""

    @abstractmethod
    def _rank_windows(self, windows: Sequence[tuple[ProgressT, tuple[int, ...]]]) -> Sequence[Sequence[int]]:
        """Return a permutation of each window's positions."""

    def rank_candidates(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries: their first windows in common batches, then their second, and so on."""
        with phase("prompt"):
            work = [self._begin(query, one) for query, one in zip(queries, candidates, strict=True)]
        orders = run_together(
            self._strategy,
            [len(one) for one in candidates],
            lambda windows: self._rank_windows([(work[i], window) for i, window in windows]),
        )
        return [
            Ranking(one, order, done.stats())
            for one, order, done in zip(candidates, orders, work, strict=True)
        ]
