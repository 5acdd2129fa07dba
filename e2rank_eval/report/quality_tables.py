"""Tables of one comparison: nDCG@10 with its significance, further measures, and the tests themselves."""

from __future__ import annotations

import math
from string import ascii_lowercase

from e2rank_eval.evaluation.comparison import FEWEST_QUERIES
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import (
    UNTRAINED,
    UNTRAINED_NOTE,
    first_stage_label,
    full_name,
    is_untrained,
    label,
)
from e2rank_eval.report.table import Cell, Column, Kind, Link, Mark, Table, ranked
from e2rank_eval.store.results import MACRO, Comparison, Metrics, TestRow

SIGNIFICANT = 0.05
"""Of p after Holm's correction."""

_NO_QUALITY = ("Judged",)
"""Measures of the judgements rather than of the system: no value of theirs is the best."""


def quality_table(results: Results, name: str) -> Table:
    """Systems by data sets: nDCG@10 x 100, 95 % interval, marks of significance against each baseline."""
    comparison = results.comparison(name)
    columns = [Column("system", "text")]
    for dataset in _groups(comparison):
        queries = next(row.queries for row in comparison.systems if row.dataset == dataset)
        columns.append(Column(_collections(comparison, dataset), "score", queries, ranked=True))
    rows = tuple(
        (_system(results, comparison, reranker), *_scores(name, comparison, reranker))
        for reranker in comparison.rerankers
    )
    heading = f"{comparison.title}: {comparison.measure} × 100"
    return ranked(Table(name, heading, tuple(columns), rows, _quality_notes(results, comparison)))


def measures_table(results: Results, name: str) -> Table:
    """Every other measure of the same runs, by data set and system."""
    comparison = results.comparison(name)
    keys = [(d, comparison.first_stage, r) for d in comparison.datasets for r in comparison.rerankers]
    measures = [measure for measure in results.metrics(keys[0]).measures if measure != comparison.measure]
    columns = [Column("data set", "text"), Column("system", "text"), Column("queries", "count")]
    columns += [Column(m, "score", ranked=not m.startswith(_NO_QUALITY)) for m in measures]
    rows = []
    for key in keys:
        metrics = results.metrics(key)
        cells = [_measure(metrics, measure) for measure in measures]
        rows.append((Cell(key[0]), _system(results, comparison, key[2], letters=False),
                     Cell(metrics.queries.qrels), *cells))  # fmt: skip
    return ranked(
        Table(
            f"{name}-measures",
            f"{comparison.title}: further measures × 100",
            tuple(columns),
            tuple(rows),
            (_candidates(results, comparison), _INTERVAL, _BEST),
            groups=tuple(key[0] for key in keys),
        )
    )


def tests_table(results: Results, name: str) -> Table:
    """Every paired test of the comparison, with nothing left out."""
    comparison = results.comparison(name)
    kinds: list[tuple[str, Kind]] = [
        ("data set", "text"), ("system", "text"), ("against", "text"), ("queries", "count"),
        ("difference × 100", "difference"), ("effect size", "difference"), ("p randomisation", "p"),
        ("p after Holm", "p"), ("p t-test", "p"), ("wins", "count"), ("ties", "count"), ("losses", "count"),
        ("detectable × 100", "score"),
    ]  # fmt: skip
    rows = tuple(
        (
            Cell(_collections(comparison, test.dataset)),
            _system(results, comparison, test.reranker, letters=False),
            _system(results, comparison, test.baseline, letters=False),
            Cell(test.queries),
            Cell(100 * test.difference),
            *(Cell(value) for value in (test.effect_size, test.p_randomisation, test.p_holm, test.p_t)),
            *(Cell(count) for count in (test.wins, test.ties, test.losses)),
            Cell(None if test.detectable is None else 100 * test.detectable),
        )
        for test in comparison.tests
    )
    notes = [
        f"Difference of {comparison.measure}, system minus baseline. Effect size: the mean difference in "
        "standard deviations of the differences.",
        f"Paired two-sided randomisation test with {comparison.permutations:,} permutations (all sign "
        f"patterns where these are fewer), Holm's correction over {_tested(comparison)} tests; beside it "
        "the paired t-test, uncorrected.",
        "Detectable: the smallest true difference that a paired t-test at 0.05 finds four times in five on "
        "queries as many and as varied as these (Sakai 2018).",
        *_too_few(comparison),
    ]
    return Table(
        f"{name}-tests",
        f"{comparison.title}: paired tests",
        tuple(Column(heading, kind) for heading, kind in kinds),
        rows,
        tuple(notes),
        groups=tuple(test.dataset for test in comparison.tests),
    )


def _groups(comparison: Comparison) -> list[str]:
    """Data sets in order, then the mean over collections where there is one."""
    return list(dict.fromkeys(row.dataset for row in comparison.systems))


def _collections(comparison: Comparison, dataset: str) -> str:
    return f"mean of {len(comparison.datasets)} collections" if dataset == MACRO else dataset


def _system(results: Results, comparison: Comparison, reranker: str, *, letters: bool = True) -> Cell:
    configuration = results.configuration
    letter = ""
    if letters and reranker in comparison.baselines:
        letter = ascii_lowercase[comparison.baselines.index(reranker)]
    tags = (UNTRAINED,) if is_untrained(configuration, reranker) else ()
    return Cell(label(configuration, reranker), tags=tags, letter=letter)


def _scores(name: str, comparison: Comparison, reranker: str) -> list[Cell]:
    cells = []
    for row in comparison.systems:
        if row.reranker != reranker:
            continue
        link = Link(run=(row.dataset, comparison.first_stage, reranker))
        if row.dataset == MACRO:
            link = Link(comparison=name)
        marks = _marks(comparison, row.dataset, reranker)
        low, high = row.interval
        cells.append(Cell(100 * row.mean, (100 * low, 100 * high), marks, link=link))
    return cells


def _marks(comparison: Comparison, dataset: str, reranker: str) -> tuple[Mark, ...]:
    found = [
        Mark(ascii_lowercase[comparison.baselines.index(test.baseline)], test.difference > 0)
        for test in comparison.tests
        if test.dataset == dataset and test.reranker == reranker and _significant(test)
    ]
    return tuple(sorted(found, key=lambda mark: mark.letter))


def _significant(test: TestRow) -> bool:
    return test.p_holm is not None and test.p_holm < SIGNIFICANT


def _measure(metrics: Metrics, measure: str) -> Cell:
    low, high = metrics.interval[measure]
    link = Link(run=(metrics.dataset, metrics.first_stage, metrics.reranker))
    return Cell(100 * metrics.mean[measure], (100 * low, 100 * high), link=link)


_INTERVAL = "In brackets the bootstrap 95 % interval of the mean over queries."
_BEST = "Bold: best of the column; underlined: second best."


def _candidates(results: Results, comparison: Comparison) -> str:
    stage = comparison.first_stage
    depth = results.configuration.depth_of(stage)
    return (
        f"Candidates: {first_stage_label(results.configuration, stage)}, {depth} per query. "
        "n: queries with judgements; all of them count."
    )


def _quality_notes(results: Results, comparison: Comparison) -> tuple[str, ...]:
    letters = ", ".join(
        f"{ascii_lowercase[i]}: {full_name(results.configuration, baseline)}"
        for i, baseline in enumerate(comparison.baselines)
    )
    notes = [_candidates(results, comparison), f"{_INTERVAL} {_BEST}"]
    if _tested(comparison):
        notes.append(
            f"↑ or ↓ and a letter: significantly above or below that baseline ({letters}); paired two-sided "
            f"randomisation test, {comparison.permutations:,} permutations, Holm's correction over "
            f"{_tested(comparison)} tests, p < {SIGNIFICANT}."
        )
    notes += _too_few(comparison)
    untrained = [r for r in comparison.rerankers if is_untrained(results.configuration, r)]
    if untrained:
        notes.append(UNTRAINED_NOTE)
    for reranker in comparison.rerankers:
        notes += _shortcomings(results, comparison, reranker)
    return tuple([*notes, comparison.note] if comparison.note else notes)


def _tested(comparison: Comparison) -> int:
    return sum(test.p_holm is not None for test in comparison.tests)


def _too_few(comparison: Comparison) -> list[str]:
    names = dict.fromkeys(test.dataset for test in comparison.tests if test.p_holm is None)
    return [f"No test on {name}: fewer than {FEWEST_QUERIES} queries." for name in names]


def _shortcomings(results: Results, comparison: Comparison, reranker: str) -> list[str]:
    """What a reader must know of this system's runs: repaired, failed and unanswered queries."""
    name = full_name(results.configuration, reranker)
    notes = []
    for dataset in comparison.datasets:
        key = (dataset, comparison.first_stage, reranker)
        repaired = repairs(results, key)
        if repaired:
            notes.append(f"{name} on {dataset}: {repaired}.")
        if charged := _charged(results, key):
            notes.append(f"{name} on {dataset}: {charged}.")
        metrics = results.metrics(key)
        if metrics.failed:
            notes.append(
                f"{name} on {dataset}: {len(metrics.failed)} queries failed and kept first-stage order."
            )
        if metrics.queries.unanswered:
            notes.append(
                f"{name} on {dataset}: {len(metrics.queries.unanswered)} queries unanswered, each 0."
            )
    return notes


def _charged(results: Results, key: tuple[str, str, str]) -> str:
    """``0.0021 USD per query, 0.105 USD in all`` by the stated prices; empty where there are none."""
    prices = [row["price"] for row in results.statistics(key).values() if "price" in row]
    if not prices:
        return ""
    total, currency = math.fsum(price["amount"] for price in prices), prices[0]["currency"]
    return f"{total / len(prices):.4g} {currency} per query, {total:.4g} {currency} in all"


def repairs(results: Results, key: tuple[str, str, str]) -> str:
    """``malformed output repaired for 8 of 8 queries (missing 61, repeated 3)``; empty where none was."""
    rows = list(results.statistics(key).values())
    kinds: dict[str, int] = {}
    for row in rows:
        for kind, count in row["repairs"].items():
            kinds[kind] = kinds.get(kind, 0) + count
    if not any(kinds.values()):
        return ""
    queries = sum(any(row["repairs"].values()) for row in rows)
    counts = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in sorted(kinds.items()) if count)
    return f"malformed output repaired for {queries} of {len(rows)} queries ({counts})"
