"""Several queries ranked in lock-step by a strategy, window after window, with a language model as judge."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from e2rank_eval.models.language_models import LanguageModel
from e2rank_eval.models.timing import PhaseClock
from e2rank_eval.records import CandidateList, Document, Query, QueryStats, Ranking
from e2rank_eval.rerankers.strategies import Strategy, run_together


class State(Protocol):
    """What a family keeps of one query while its windows are ranked."""

    def stats(self) -> QueryStats: ...


StateT = TypeVar("StateT", bound=State)


class LockStepReranker(ABC, Generic[StateT]):
    """Ranks by a ``strategy``, whose windows a language model orders.

    A family says what it keeps of a query (:meth:`_begin`) and how windows of several queries are
    ordered together (:meth:`_rank_windows`).
    """

    fingerprint: str

    def __init__(self, model: LanguageModel, strategy: Strategy) -> None:
        self._model = model
        self._strategy = strategy

    @abstractmethod
    def _begin(self, query: Query, candidates: CandidateList) -> StateT:
        """What is done before the query's first window; timed as phase ``prompt``."""

    @abstractmethod
    def _rank_windows(
        self, windows: Sequence[tuple[StateT, tuple[int, ...]]], clock: PhaseClock
    ) -> Sequence[Sequence[int]]:
        """A permutation of each window's positions, the time taken told to ``clock`` by phase."""

    def prepare(self, documents: Sequence[Document]) -> None:
        """Nothing can be done before the query is known."""

    def rank(self, query: Query, candidates: CandidateList) -> Ranking:
        """Rank one query's candidates; fewer than two need no model.

        Raises
        ------
        InputError
            When the query leaves no room for documents in the model's window, or a logit is not finite.
        """
        return self.rank_many([query], [candidates])[0]

    def rank_many(self, queries: Sequence[Query], candidates: Sequence[CandidateList]) -> list[Ranking]:
        """Rank several queries: their first windows in common batches, then their second, and so on.

        Each query is given an even share of the seconds.
        """
        clock = PhaseClock(self._model.synchronise)
        with clock.phase("total"):
            with clock.phase("prompt"):
                states = [self._begin(query, one) for query, one in zip(queries, candidates, strict=True)]
            orders = run_together(
                self._strategy,
                [len(one) for one in candidates],
                lambda windows: self._rank_windows([(states[i], window) for i, window in windows], clock),
            )
        seconds = {phase: spent / max(1, len(states)) for phase, spent in clock.seconds.items()}
        return [
            Ranking(one, order, state.stats(), seconds)
            for one, order, state in zip(candidates, orders, states, strict=True)
        ]
