"""Paired tests of a paper's table against its baseline row, each hypothesis counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from e2rank_eval.evaluation import significance
from e2rank_eval.evaluation.comparison import FEWEST_QUERIES
from e2rank_eval.evaluation.significance import minimum_detectable_difference
from e2rank_eval.paper.grid import Grid, Source
from e2rank_eval.report.measured import Measured

Place = tuple[str, str]
"""(system, column)."""

Hypothesis = tuple[frozenset[Source], frozenset[Source]]
"""The results of a cell and of the baseline's cell: equal pairs are one hypothesis in whatever cells."""


@dataclass(frozen=True, slots=True)
class Test:
    """A paired test against the baseline; ``p_holm`` is corrected over the table's ``hypotheses``.

    ``detectable`` is the minimum detectable difference on one collection.
    """

    __test__ = False

    difference: float
    p: float
    detectable: float | None
    p_holm: float | None
    hypotheses: int


def paired_tests(grid: Grid, ours: Mapping[Place, Measured | None], *, seed: int) -> dict[Place, Test]:
    """Return randomisation tests wherever a cell and the baseline's have values of the same queries.

    A cell that is made of the baseline's own results is not tested.
    """
    asked = _hypotheses(grid)
    samples = {
        hypothesis: differences
        for place, hypothesis in asked.items()
        if (differences := _differences(ours[place], ours[str(grid.settings.baseline), place[1]])) is not None
        and sum(map(len, differences)) >= FEWEST_QUERIES
    }
    raw = [significance.randomisation_p(differences, seed=seed) for differences in samples.values()]
    tests = {
        hypothesis: Test(
            difference=significance.mean(differences),
            p=p,
            detectable=minimum_detectable_difference(differences[0]) if len(differences) == 1 else None,
            p_holm=p_holm,
            hypotheses=len(samples),
        )
        for (hypothesis, differences), p, p_holm in zip(
            samples.items(), raw, significance.holm(raw), strict=True
        )
    }
    return {place: tests[hypothesis] for place, hypothesis in asked.items() if hypothesis in tests}


def _hypotheses(grid: Grid) -> dict[Place, Hypothesis]:
    sources = {(cell.system, cell.column): frozenset(cell.sources) for cell in grid.cells}
    baseline = grid.settings.baseline
    pairs = {
        (system, column): (own, sources[baseline, column])
        for (system, column), own in sources.items()
        if baseline is not None and own
    }
    return {place: pair for place, pair in pairs.items() if pair[0] != pair[1]}


def _differences(one: Measured | None, other: Measured | None) -> list[list[float]] | None:
    """Per-query differences by collection; None where the two have not the same queries."""
    if one is None or other is None or not one.strata or len(one.strata) != len(other.strata):
        return None
    pairs = list(zip(one.strata, other.strata, strict=True))
    if any(a.keys() != b.keys() for a, b in pairs):
        return None
    return [[a[query] - b[query] for query in sorted(a)] for a, b in pairs]
