"""Tables of one comparison: nDCG@10 with its significance, further measures, and the tests themselves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from statistics import fmean
from string import ascii_lowercase
from typing import TYPE_CHECKING

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import ComparisonSettings, RunKey
from e2rank_eval.datasets.registry import registered_dataset
from e2rank_eval.paper import published
from e2rank_eval.registry import look_up
from e2rank_eval.report.names import UNTRAINED_NOTE, comparison_page, run_page
from e2rank_eval.report.outputs import Inputs, files_of
from e2rank_eval.report.table import Cell, Column, Kind, Mark, Table, percent, ranked
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store import layout as places
from e2rank_eval.store.results import MACRO

if TYPE_CHECKING:
    from e2rank_eval.report.collect import Results
    from e2rank_eval.store.results import Comparison

SIGNIFICANT = 0.05
"""The level below which a p value after Holm's correction is significant."""

_ROUNDING = 1e-12
"""A gap of at most this is none: means of the same values differ so much by their order of summation."""

_INTERVAL = "In brackets the bootstrap 95 % interval of the mean over queries."
GAP = "gap closed, %"
_GAP_NOTE = "Gap closed: the gain over the first stage, as a share of the gain of the best possible order."
_BEST = "Bold: best of the column; underlined: second best."

_TESTS: tuple[tuple[str, Kind], ...] = (
    ("data set", "text"), ("system", "text"), ("against", "text"), ("queries", "count"),
    ("difference × 100", "difference"), ("effect size", "difference"), ("p randomisation", "p"),
    ("p after Holm", "p"), ("p t-test", "p"), ("wins", "count"), ("ties", "count"), ("losses", "count"),
    ("detectable × 100", "score"),
)  # fmt: skip


def _inputs(*patterns: str) -> Inputs:
    """Return the inputs of a comparison; they raise an error for an unknown published row before any run."""
    files = files_of("comparisons", places.COMPARISON, *patterns)

    def checked(configuration: Configuration, name: str) -> Iterable[str]:
        _published_rows(configuration.comparisons[name])
        return files(configuration, name)

    return checked


@TABLES.register("comparison", "comparisons", _inputs(places.METRICS, places.STATISTICS))
def quality_table(results: Results, name: str) -> Table:
    """nDCG@10 × 100: means over all judged queries, with bootstrap 95 % intervals. An arrow and a letter mark
    a significant difference from that baseline, by a paired randomisation test after Holm's correction.
    """
    comparison, settings = results.comparison(name), results.configuration.comparisons[name]
    letters = _letters(comparison)
    queries = {row.dataset: row.queries for row in comparison.systems}
    columns = [Column("system")]
    columns += [Column(_collections(comparison, d), "score", n, ranked=True) for d, n in queries.items()]
    ceilings, first = _ceilings(results, comparison), _first_stage_row(results, comparison)
    means = {name: row.mean for name, row in comparison.overall.items()}
    rows = []
    for reranker in comparison.rerankers:
        system = replace(results.system_cell(reranker), letter=letters.get(reranker, ""))
        rows.append([system, *_scores(name, comparison, reranker)])
        if first is not None:
            rows[-1].append(Cell(_gap_closed(means[reranker], means[first], ceilings[-1])))
    best = [Cell("best possible order"), *(Cell(100 * one) for one in ceilings)]
    shown = _published_rows(settings)
    if first is not None:
        columns.append(Column(GAP, "ratio"))
        best.append(Cell(_gap_closed(ceilings[-1], means[first], ceilings[-1])))
        shown = [(*row, Cell(None)) for row in shown]
    title = f"{comparison.title}: {comparison.measure} × 100"
    notes = [*_quality_notes(results, comparison), *_published_note(settings)]
    table = ranked(Table.of(name, title, columns, rows, notes))
    return replace(table, rows=(*table.rows, tuple(best), *shown))


@TABLES.register("comparison-measures", "comparisons", _inputs(places.METRICS), "{}-measures")
def measures_table(results: Results, name: str) -> Table:
    """Further measures × 100 of the same runs, over all judged queries. Judged@10 is the share of the first
    ten documents that are judged; where it is low, the other measures are less reliable. For BM25, the
    published value and the difference from it are shown where there is one.
    """
    comparison = results.comparison(name)
    keys = results.configuration.comparisons[name].runs
    measures = [measure for measure in results.metrics(keys[0]).measures if measure != comparison.measure]
    columns = [Column("data set"), Column("system"), Column("queries", "count")]
    # Judged@10 describes the judgements, not the ranking, so no value of it is marked as the best.
    columns += [Column(m, "score", ranked=not m.startswith("Judged")) for m in measures]
    printed = {key: _published_bm25(results.configuration, key) for key in keys}
    if any(printed.values()):
        columns += [Column(f"published {comparison.measure}", "score"), Column("difference", "difference")]
    rows: list[list[Cell | str | float | None]] = []
    for key in keys:
        metrics, theirs = results.metrics(key), printed[key]
        rows.append([key[0], results.system_cell(key[2]), metrics.queries.qrels])
        rows[-1] += [percent(metrics.mean[m], metrics.interval[m], link=run_page(key)) for m in measures]
        if any(printed.values()):
            ours = 100 * metrics.mean[comparison.measure]
            rows[-1] += [theirs, None if theirs is None else ours - theirs]
    title = f"{comparison.title}: further measures × 100"
    notes = (_candidates(results, comparison), _INTERVAL, _BEST)
    return ranked(Table.of(f"{name}-measures", title, columns, rows, notes, [key[0] for key in keys]))


@TABLES.register("comparison-tests", "comparisons", _inputs(), "{}-tests")
def tests_table(results: Results, name: str) -> Table:
    """Every paired test of the comparison: difference, effect size, p before and after Holm's correction, and
    the numbers of queries that gain, stay equal and lose.
    """
    comparison = results.comparison(name)
    rows: list[tuple[Cell | str | float | None, ...]] = [
        (
            _collections(comparison, test.dataset),
            results.system_cell(test.reranker),
            results.system_cell(test.baseline),
            test.queries,
            100 * test.difference,
            *(test.effect_size, test.p_randomisation, test.p_holm, test.p_t),
            *(test.wins, test.ties, test.losses),
            None if test.detectable is None else 100 * test.detectable,
        )
        for test in comparison.tests
    ]
    notes = [
        f"Difference of {comparison.measure}, system minus baseline. Effect size: the mean difference over "
        "the standard deviation of the differences.",
        f"Paired two-sided randomisation test with {comparison.permutations:,} permutations (all sign "
        f"patterns where these are fewer), Holm's correction over {_tested(comparison)} tests. The paired "
        "t-test is not corrected.",
        "Detectable: the minimum detectable difference of a paired t-test at level 0.05 with power 0.8, for "
        "this number of queries and this variance of the differences (Sakai 2018).",
        *_too_few(comparison),
    ]
    groups = [test.dataset for test in comparison.tests]
    return Table.of(f"{name}-tests", f"{comparison.title}: paired tests", _TESTS, rows, notes, groups)


def _published_bm25(configuration: Configuration, key: RunKey) -> float | None:
    """Return the published nDCG@10 x 100 of a whole registered data set, for BM25 without a reranker."""
    dataset, first_stage, reranker = key
    if (
        configuration.rerankers[reranker].family != "identity"
        or configuration.first_stages[first_stage].retriever != "bm25"
        or configuration.datasets[dataset].slice_of is not None
    ):
        return None
    identifier = configuration.registry_id(dataset)
    return None if identifier is None else registered_dataset(identifier).published_bm25


def _published_rows(settings: ComparisonSettings) -> list[tuple[Cell, ...]]:
    """Return the paper's rows: a cell for each column and, where there are several, their mean.

    Raises
    ------
    InputError
        When the paper's table has no such row or column.
    """
    shown = settings.published
    if shown is None:
        return []
    rows, printed, where = [], published.values(shown.table), f"the paper's table {shown.table}"
    for system in shown.systems:
        row = look_up(printed, system, f"row of {where}")
        cells = []
        for dataset in settings.columns:
            tags = ("other candidates",) if dataset in shown.other_candidates else ()
            column = shown.columns.get(dataset)
            value = look_up(row, column, f"column of {where}") if column else None
            cells.append(Cell(value, tags=tags))
        values = [float(cell.value) for cell in cells if cell.value is not None]
        if len(cells) > 1:
            cells.append(Cell(fmean(values) if len(values) == len(cells) else None))
        rows.append((Cell(system, tags=("published",)), *cells))
    return rows


def _published_note(settings: ComparisonSettings) -> Iterator[str]:
    if settings.published:
        yield (
            f"Published: table {settings.published.table} of the paper (arXiv 2510.22733). Other candidates: "
            "the paper reranked another list of the same depth, so its value is not directly comparable."
        )


def _collections(comparison: Comparison, dataset: str) -> str:
    if dataset == MACRO:
        return f"macro-average of {len(comparison.columns)} collections"
    group = comparison.groups.get(dataset)
    return f"{dataset} (mean of {len(group)})" if group else dataset


def _letters(comparison: Comparison) -> dict[str, str]:
    """Return the letter that marks a significant difference from each baseline."""
    return dict(zip(comparison.baselines, ascii_lowercase, strict=False))


def _ceilings(results: Results, comparison: Comparison) -> list[float]:
    """Return the value of the best possible order in each column and, for several columns, their mean."""

    def ceiling(dataset: str) -> float:
        key = (dataset, comparison.first_stage, comparison.rerankers[0])
        return results.metrics(key).ceiling[comparison.measure]

    found = [fmean(map(ceiling, datasets)) for datasets in comparison.columns.values()]
    return found if len(found) == 1 else [*found, fmean(found)]


def _first_stage_row(results: Results, comparison: Comparison) -> str | None:
    """Return the row that is the first stage's own order; None where the comparison has none."""
    configured = results.configuration.rerankers
    return next((one for one in comparison.rerankers if configured[one].family == "identity"), None)


def _gap_closed(mean: float, start: float, ceiling: float) -> float | None:
    """Return the share x 100 of the gap between first stage and best order; None where there is no gap."""
    return 100 * (mean - start) / (ceiling - start) if ceiling - start > _ROUNDING else None


def _scores(name: str, comparison: Comparison, reranker: str) -> Iterator[Cell]:
    for row in comparison.systems:
        if row.reranker == reranker:
            one = row.dataset in comparison.datasets
            link = run_page((row.dataset, comparison.first_stage, reranker)) if one else comparison_page(name)
            marks = _marks(comparison, row.dataset, reranker)
            yield replace(percent(row.mean, row.interval, link=link), marks=marks)


def _marks(comparison: Comparison, dataset: str, reranker: str) -> tuple[Mark, ...]:
    found = [
        Mark(_letters(comparison)[test.baseline], test.difference > 0)
        for test in comparison.tests
        if test.dataset == dataset and test.reranker == reranker and significant(test.p_holm)
    ]
    return tuple(sorted(found, key=lambda mark: mark.letter))


def significant(p_holm: float | None) -> bool:
    """Return whether a test with this p after Holm's correction is significant."""
    return p_holm is not None and p_holm < SIGNIFICANT


def _candidates(results: Results, comparison: Comparison) -> str:
    stage = comparison.first_stage
    depth = results.configuration.depth_of(stage)
    return (
        f"Candidates: {results.first_stage_label(stage)}, {depth} per query. "
        "n: number of judged queries, all of which count."
    )


def _quality_notes(results: Results, comparison: Comparison) -> Iterator[str]:
    yield _candidates(results, comparison)
    yield f"{_INTERVAL} {_BEST} Best possible order: candidates by grade, the upper bound of reranking."
    if _first_stage_row(results, comparison) is not None:
        yield _GAP_NOTE
    if _tested(comparison):
        letters = ", ".join(
            f"{letter}: {results.full_name(baseline)}" for baseline, letter in _letters(comparison).items()
        )
        yield (
            f"↑ or ↓ and a letter: significantly above or below that baseline ({letters}); paired two-sided "
            f"randomisation test, {comparison.permutations:,} permutations, Holm's correction over "
            f"{_tested(comparison)} tests, p < {SIGNIFICANT}."
        )
    yield from _too_few(comparison)
    if any(results.is_untrained(reranker) for reranker in comparison.rerankers):
        yield UNTRAINED_NOTE
    found: dict[tuple[str, str], list[str]] = {}
    for reranker in comparison.rerankers:
        for dataset in comparison.datasets:
            for shortcoming in _shortcomings(results, (dataset, comparison.first_stage, reranker)):
                found.setdefault((dataset, shortcoming), []).append(reranker)
    for (dataset, shortcoming), rerankers in found.items():
        names = [results.full_name(reranker) for reranker in rerankers]
        every = len(names) == len(comparison.rerankers) > 1
        for name in ["Every system"] if every else names:
            yield f"{name} on {dataset}: {shortcoming}."
    if comparison.note:
        yield comparison.note


def _tested(comparison: Comparison) -> int:
    return sum(test.p_holm is not None for test in comparison.tests)


def _too_few(comparison: Comparison) -> list[str]:
    names = dict.fromkeys(test.dataset for test in comparison.tests if test.p_holm is None)
    return [f"No test on {name}: too few queries." for name in names]


def _shortcomings(results: Results, key: RunKey) -> Iterator[str]:
    """Yield notes on a run: repaired outputs, price, failed and missing queries."""
    if repaired := repairs(results, key):
        yield repaired
    prices = [row["price"] for row in results.statistics(key).values() if "price" in row]
    if prices:
        total, currency = math.fsum(price["amount"] for price in prices), prices[0]["currency"]
        yield f"{total / len(prices):.4g} {currency} per query, {total:.4g} {currency} in total"
    metrics = results.metrics(key)
    if metrics.failed:
        yield f"{len(metrics.failed)} queries failed and kept first-stage order"
    if metrics.queries.unanswered:
        yield f"{len(metrics.queries.unanswered)} queries missing from the run, counted as 0"


def repairs(results: Results, key: RunKey) -> str:
    """Return ``malformed output repaired for 8 of 8 queries (missing 61)`` or the like; empty without any."""
    rows = list(results.statistics(key).values())
    kinds: Counter[str] = Counter()
    for row in rows:
        kinds.update(row["repairs"])
    if not any(kinds.values()):
        return ""
    queries = sum(any(row["repairs"].values()) for row in rows)
    counts = ", ".join(f"{kind.replace('_', ' ')} {count}" for kind, count in sorted(kinds.items()) if count)
    return f"malformed output repaired for {queries} of {len(rows)} queries ({counts})"
