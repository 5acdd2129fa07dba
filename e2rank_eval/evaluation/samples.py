"""One timed call of a reranker, and what many of them say together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from e2rank_eval.errors import QueryError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.models.timing import TOKENISATION, PhaseClock, watched_parts
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.store.results import ModeName

FEWEST_SAMPLES = {"p50": 1, "p90": 20, "p99": 100}
"""A percentile is given only where it has at least so many samples."""

Work = tuple[Query, CandidateList]


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed call: its rankings, and wall-clock seconds by phase with ``total`` around all of it.

    Phases are those of a call of one query. ``tokenising`` seconds are part of the phases; tokenisers that
    the suite does not call itself (a cross-encoder's, a server's) are not seen.
    """

    rankings: Sequence[Ranking]
    seconds: Mapping[str, float]
    tokenising: float = 0.0


def modes_of(model: Reranker, wanted: Sequence[ModeName]) -> list[ModeName]:
    """Return the modes to time, online first, since documents encoded ahead stay encoded.

    Mode ``stored`` exists where the reranker has a true attribute ``stores_documents``.
    """
    if not getattr(model, "stores_documents", False):
        return ["online"]
    return sorted(wanted)


def time_call(model: Reranker, call: Sequence[Work]) -> Sample:
    """Rank the queries of one call, together where there are several; wait for the device before and after.

    Raises
    ------
    QueryError
        Naming the (first) query.
    """
    clock = PhaseClock(machine.synchroniser())
    queries, lists = [query for query, _ in call], [one for _, one in call]
    try:
        with watched_parts() as parts, clock.phase("total"):
            rankings = model.rank_candidates(queries, lists)
    except Exception as error:
        raise QueryError(queries[0].id, error) from error
    phases = dict(rankings[0].seconds) if len(call) == 1 else {}
    return Sample(rankings, phases | clock.seconds, parts.get(TOKENISATION, 0.0))


def settled(totals: Sequence[float], runs: int = 3, tolerance: float = 0.1) -> bool:
    """Return whether the last ``runs`` totals agree: the longest within ``tolerance`` of the shortest.

    >>> settled([9.0, 1.0, 1.05, 1.1]), settled([1.0, 1.0]), settled([1.0, 1.2, 1.0])
    (True, False, False)
    """
    last = totals[-runs:]
    return len(last) == runs and max(last) <= (1 + tolerance) * min(last)


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """Return p50, p90 and p99 by linear interpolation, None where the samples are too few."""
    return {
        name: float(np.percentile(seconds, int(name[1:]))) if len(seconds) >= fewest else None
        for name, fewest in FEWEST_SAMPLES.items()
    }


def mean_tokens(samples: Iterable[Sample]) -> dict[str, float]:
    """Return the mean prompt, document and output tokens of a query."""
    found = [ranking.stats for sample in samples for ranking in sample.rankings]
    names = ("prompt_tokens", "document_tokens", "output_tokens")
    return {name: float(np.mean([getattr(stats, name) for stats in found])) for name in names}


def summarise(samples: Sequence[Sample], *, seed: int) -> dict[str, Any]:
    """Describe samples of one query each, as fields of :class:`~e2rank_eval.store.results.Mode`."""
    phases = sorted({phase for sample in samples for phase in sample.seconds})
    seconds = {phase: [sample.seconds.get(phase, 0.0) for sample in samples] for phase in phases}
    return {
        "samples": len(samples),
        "seconds": seconds,
        "percentiles": {phase: percentiles(values) for phase, values in seconds.items()},
        "mean": float(np.mean(seconds["total"])),
        "interval": bootstrap_interval([seconds["total"]], seed=seed),
        "tokenising": sum(sample.tokenising for sample in samples) / sum(seconds["total"]),
        "queries_per_second": len(samples) / sum(seconds["total"]),
        "candidates": float(np.mean([len(sample.rankings[0].candidates) for sample in samples])),
        **mean_tokens(samples),
    }
