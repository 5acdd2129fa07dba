"""One timed query, and what many of them say together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from e2rank_eval.errors import QueryError
from e2rank_eval.evaluation import machine
from e2rank_eval.evaluation.significance import bootstrap_interval
from e2rank_eval.models.timing import TOKENISATION, PhaseClock, watched_parts
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.base import Reranker

FEWEST_SAMPLES = {"p50": 1, "p90": 20, "p99": 100}
"""A percentile is given only where at least so many samples stand behind it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed query: its ranking, and wall-clock seconds by phase with ``total`` around all of it.

    ``tokenising`` seconds lie within the phases; tokenisers that the suite does not call itself (a
    cross-encoder's, a server's) are not seen.
    """

    ranking: Ranking
    seconds: Mapping[str, float]
    tokenising: float = 0.0


def settled(totals: Sequence[float], runs: int = 3, tolerance: float = 0.1) -> bool:
    """Whether the last ``runs`` totals agree: the longest within ``tolerance`` of the shortest.

    >>> settled([9.0, 1.0, 1.05, 1.1]), settled([1.0, 1.0]), settled([1.0, 1.2, 1.0])
    (True, False, False)
    """
    last = totals[-runs:]
    return len(last) == runs and max(last) <= (1 + tolerance) * min(last)


def percentiles(seconds: Sequence[float]) -> dict[str, float | None]:
    """p50, p90 and p99 by linear interpolation, None where the samples are too few to tell."""
    return {
        name: float(np.percentile(seconds, int(name[1:]))) if len(seconds) >= fewest else None
        for name, fewest in FEWEST_SAMPLES.items()
    }


def time_query(reranker: Reranker, query: Query, candidates: CandidateList) -> Sample:
    """Rank one query with the device waited for before and after.

    Raises
    ------
    QueryError
        Naming the query.
    """
    clock = PhaseClock(machine.synchroniser())
    try:
        with watched_parts() as parts, clock.phase("total"):
            ranking = reranker.rank(query, candidates)
    except Exception as error:
        raise QueryError(query.id, error) from error
    return Sample(ranking, dict(ranking.seconds) | clock.seconds, parts.get(TOKENISATION, 0.0))


def summarise(samples: Sequence[Sample], *, seed: int) -> dict[str, Any]:
    """Describe samples: seconds and percentiles by phase, mean total with its bootstrap 95 % interval,
    the share that tokenising has of it, queries per second one at a time, and mean tokens and
    candidates of a query."""
    phases = sorted({phase for sample in samples for phase in sample.seconds})
    seconds = {phase: [sample.seconds.get(phase, 0.0) for sample in samples] for phase in phases}
    statistics = [sample.ranking.stats for sample in samples]
    return {
        "samples": len(samples),
        "seconds": seconds,
        "percentiles": {phase: percentiles(values) for phase, values in seconds.items()},
        "mean": float(np.mean(seconds["total"])),
        "interval": list(bootstrap_interval([seconds["total"]], seed=seed)),
        "tokenising": sum(sample.tokenising for sample in samples) / sum(seconds["total"]),
        "queries_per_second": len(samples) / sum(seconds["total"]),
        "prompt_tokens": float(np.mean([stats.prompt_tokens for stats in statistics])),
        "document_tokens": float(np.mean([stats.document_tokens for stats in statistics])),
        "output_tokens": float(np.mean([stats.output_tokens for stats in statistics])),
        "candidates": float(np.mean([len(sample.ranking.candidates) for sample in samples])),
    }
