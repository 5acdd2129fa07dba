"""Timed calls of rerankers that take turns; percentiles and paired ratios of their times."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

import numpy as np

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.errors import QueryError
from e2rank_eval.evaluation.significance import RESAMPLES
from e2rank_eval.models.timing import TOKENISATION, phase, watched
from e2rank_eval.progress import track
from e2rank_eval.records import CandidateList, Query, Ranking
from e2rank_eval.rerankers.base import Reranker
from e2rank_eval.store.results import Latency, ModeName, Timing

FEWEST_SAMPLES = {50: 1, 90: 20, 99: 100}
"""The least number of samples from which a percentile is reported."""

FEWEST_PAIRS = 8
"""The least number of pairs of samples from which a ratio is reported."""

WIDEST = 1.5
"""A ratio is reported only where the ends of its interval are within this factor of each other."""

BUSY = "not measurable here: machine busy"
VARIES = "not measurable here: times vary"
FEW = f"not measured: fewer than {FEWEST_PAIRS} pairs"
ERROR = "error of the measurement"

Work = tuple[Query, CandidateList]


@dataclass(frozen=True, slots=True)
class System:
    """One reranker of an entry in one mode; the systems share models, but no stored vectors."""

    reranker: str
    mode: ModeName
    settings: RerankerSettings
    model: Reranker

    @property
    def stores(self) -> bool:
        """Whether mode ``stored`` exists: the reranker has a true attribute ``stores_documents``."""
        return bool(getattr(self.model, "stores_documents", False))

    def prepare(self, calls: Iterable[Sequence[Work]]) -> None:
        """In mode ``stored``, encode the documents of these calls ahead."""
        if self.mode == "stored":
            lists = [one for call in calls for _, one in call]
            self.model.encode_documents(list({d.id: d for one in lists for d in one.documents}.values()))

    def turn(self, calls: Sequence[Sequence[Work]], number: int) -> Sample:
        """Time one of ``calls``, which are taken in order, cyclically."""
        return time_call(self.model, calls[number % len(calls)])


@dataclass(frozen=True, slots=True)
class Sample:
    """One timed call: its rankings, and seconds by phase, with ``total`` for the whole call.

    ``wall`` is wall-clock time, ``cpu`` the process time of all threads. ``tokenising`` wall seconds are
    part of the phases; they do not include tokenisers that the suite does not call (a server's).
    """

    rankings: Sequence[Ranking]
    wall: Mapping[str, float]
    cpu: Mapping[str, float]
    tokenising: float = 0.0


def time_call(model: Reranker, call: Sequence[Work]) -> Sample:
    """Rank the queries of one call together; wait for the device before and after.

    Raises
    ------
    QueryError
        When ranking fails; it names the first query of the call.
    """
    queries, lists = [query for query, _ in call], [one for _, one in call]
    try:
        with watched() as whole, phase("total"), watched() as phases:
            rankings = model.rank_candidates(queries, lists)
    except Exception as error:
        raise QueryError(queries[0].id, error) from error
    tokenising, _ = phases.wall.pop(TOKENISATION, 0.0), phases.cpu.pop(TOKENISATION, None)
    return Sample(rankings, phases.wall | whole.wall, phases.cpu | whole.cpu, tokenising)


def take_turns(
    turns: Sequence[Callable[[int], Sample]], rounds: int, *, deadline: float, description: str
) -> list[list[Sample]]:
    """Sample every turn once in every round (A, B, C, A, B, C), so that other load affects all alike.

    A turn receives the number of the round. The first round is always made; no further round begins that
    would end after ``deadline`` (``time.monotonic``) if it took as long as the last. Returns samples by turn.
    """
    rows: list[list[Sample]] = []
    began = time.monotonic()

    def in_time(number: int) -> bool:
        nonlocal began
        last, began = began, time.monotonic()
        return number == 0 or 2 * began - last <= deadline

    for number in track(takewhile(in_time, range(rounds)), description=description, total=rounds):
        rows.append([turn(number) for turn in turns])
    return [list(column) for column in zip(*rows, strict=True)]


def percentile(seconds: Sequence[float], p: int) -> float | None:
    """Return percentile ``p`` (50, 90, 99) by linear interpolation; None from too few samples."""
    return float(np.percentile(seconds, p)) if len(seconds) >= FEWEST_SAMPLES[p] else None


def mean_tokens(samples: Iterable[Sample]) -> dict[str, float]:
    """Return the mean prompt, document and output tokens of a query, and its mean number of candidates."""
    found = [ranking for sample in samples for ranking in sample.rankings]
    names = ("prompt_tokens", "document_tokens", "output_tokens")
    means = {name: float(np.mean([getattr(one.stats, name) for one in found])) for name in names}
    return means | {"candidates": float(np.mean([len(one.candidates) for one in found]))}


def columns(samples: Sequence[Sample]) -> dict[str, dict[str, list[float]]]:
    """Return seconds by clock, phase and sample, as in :class:`Timing`; 0 for a phase that a sample lacks."""
    phases = dict.fromkeys(phase for sample in samples for phase in sample.wall)
    return {
        clock: {phase: [getattr(one, clock).get(phase, 0.0) for one in samples] for phase in phases}
        for clock in ("wall", "cpu")
    }


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of paired ratios, with its 95 % bootstrap interval."""

    value: float
    interval: tuple[float, float]

    @property
    def narrow(self) -> bool:
        """Whether the interval spans less than a factor of 1.5, so that the ratio may be printed."""
        return self.interval[1] < WIDEST * self.interval[0]


def paired_ratio(baseline: Sequence[float], other: Sequence[float], *, seed: int) -> Ratio | None:
    """Return the median of ``baseline[i] / other[i]``, the speed-up of ``other``; None below 8 pairs."""
    if len(baseline) < FEWEST_PAIRS:
        return None
    ratios = np.asarray(baseline) / np.asarray(other)
    drawn = np.random.default_rng(seed).integers(0, len(ratios), (RESAMPLES, len(ratios)))
    low, high = np.percentile(np.median(ratios[drawn], axis=1), [2.5, 97.5])
    return Ratio(float(np.median(ratios)), (float(low), float(high)))


def baseline(latency: Latency, *, seed: int) -> Timing:
    """Return the slowest timing of an entry, by its median on the clock of the ratios."""
    wrong = misordered(latency, seed=seed)
    right = [one for one in latency.timings if one.reranker not in wrong] or latency.timings
    return max(right, key=lambda one: float(np.median(latency.seconds(one))))


def misordered(latency: Latency, *, seed: int) -> list[str]:
    """Return the rerankers that are slower with stored vectors than without, by more than the interval.

    Storing vectors only saves work, so this is an error of the measurement.
    """
    modes: dict[str, dict[str, Sequence[float]]] = {}
    for one in latency.timings:
        modes.setdefault(one.reranker, {})[one.mode] = latency.seconds(one)
    pairs = {name: (both["online"], both["stored"]) for name, both in modes.items() if len(both) == 2}
    ratios = {name: paired_ratio(*both, seed=seed) for name, both in pairs.items()}
    return [name for name, ratio in ratios.items() if ratio and ratio.interval[1] < 1]


def speed_ups(latency: Latency, *, seed: int) -> list[Ratio | str]:
    """Return each timing's speed-up over :func:`baseline`, or the reason why none is reported."""
    slowest, wrong = latency.seconds(baseline(latency, seed=seed)), misordered(latency, seed=seed)
    found: list[Ratio | str] = []
    for one in latency.timings:
        ratio = paired_ratio(slowest, latency.seconds(one), seed=seed)
        if ratio is None:
            found.append(FEW)
        elif one.reranker in wrong:
            found.append(ERROR)
        else:
            found.append(ratio if ratio.narrow else BUSY if latency.busy else VARIES)
    return found
