"""The pages of the site besides those of runs: overview, comparisons, the paper, mteb, collections, lists."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from e2rank_eval.paper.audit import KINDS, audit
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.html import Page, inline_svg
from e2rank_eval.report.leaderboard import FOLDER, leaderboard_table
from e2rank_eval.report.names import comparison_page, dataset_page, full_name, is_untrained, label
from e2rank_eval.report.run_pages import interval_text, provenance, signed
from e2rank_eval.report.site_tables import dataset_tables, datasets_table, systems_table
from e2rank_eval.report.table import Table, number
from e2rank_eval.report.tables import build_table
from e2rank_eval.report.tables.comparison import significant
from e2rank_eval.report.tables.latency import conditions
from e2rank_eval.store import layout as places
from e2rank_eval.store.results import MACRO

Drawn = dict[str, tuple[Markup, str]]
"""Figures as parts of a page, each with its caption, by id."""


def overview_page(results: Results) -> Iterator[Page]:
    """Yield the overview: the best of each comparison, then every table and figure, then what ran."""
    configuration = results.configuration
    tables = [f"latency-{name}{part}" for name in configuration.latency for part in ("", "-phases", "-cost")]
    used = dict.fromkeys(key[2] for key in results.run_keys())
    context = {
        "configuration": configuration,
        "findings": [_finding(results, name) for name in configuration.comparisons],
        "untrained": [label(configuration, one) for one in used if is_untrained(configuration, one)],
        "devices": conditions(results.latency(key) for key in results.timed_keys()),
        "tables": {name: build_table(results, name) for name in [*configuration.comparisons, *tables]},
        "figures": _figures(results, declared=False),
        "datasets": datasets_table(results),
        "systems": systems_table(results),
    }
    yield Page("index.html", "index.html", context)


def _finding(results: Results, name: str) -> dict[str, str]:
    """Return the best system of a comparison by its last column, and the test against the first baseline."""
    comparison = results.comparison(name)
    dataset, baseline = comparison.systems[-1].dataset, comparison.baselines[0]
    best = max((row for row in comparison.systems if row.dataset == dataset), key=lambda row: row.mean)
    where = f"{len(comparison.datasets)} collections" if dataset == MACRO else dataset
    asked = (dataset, best.reranker, baseline)
    tests = [one for one in comparison.tests if (one.dataset, one.reranker, one.baseline) == asked]
    return {
        "name": name,
        "title": comparison.title,
        "best": full_name(results.configuration, best.reranker),
        "score": number(100 * best.mean, "score"),
        "interval": interval_text(best.interval),
        "where": f"{where}, {best.queries} queries",
        "verdict": " ".join(
            f"{signed(100 * test.difference)} points against {label(results.configuration, baseline)}, "
            f"{'' if significant(test) else 'not '}significant after Holm's correction."
            for test in tests
        ),
    }


def _figures(results: Results, *, declared: bool) -> Drawn:
    """Return the figures that the configuration declares by name, or all others."""
    configuration = results.configuration
    found = {}
    for identifier, shown in FIGURES.shown(configuration).items():
        if (identifier in configuration.figures) is declared:
            path = results.layout.path(places.FIGURE, figure=identifier, suffix="svg")
            drawn = inline_svg(path, identifier, identifier.replace("-", " "))
            found[identifier] = drawn, shown.kind.caption
    return found


def comparison_pages(results: Results) -> Iterator[Page]:
    """Yield a page for every comparison, with all of its tests."""
    for name in results.configuration.comparisons:
        path = results.layout.path(places.COMPARISON, comparison=name)
        context = {
            "comparison": results.comparison(name),
            "tables": [build_table(results, f"{name}{part}") for part in ("", "-measures", "-tests")],
            "provenance": [provenance(results, "compare", path)],
        }
        yield Page("comparison.html", comparison_page(name), context)


def paper_page(results: Results) -> Iterator[Page]:
    """Yield the tables of the paper as far as they ran, then the declared figures; nothing without any."""
    configuration = results.configuration
    if configuration.tables or configuration.figures:
        context = {
            "tables": {name: build_table(results, name) for name in configuration.tables},
            "figures": _figures(results, declared=True),
            "titles": {name: one.title for name, one in configuration.figures.items()},
        }
        yield Page("paper.html", "paper.html", context)


def mteb_page(results: Results) -> Iterator[Page]:
    """Yield the means, the scores by task and what they took of every mteb entry; nothing without any."""
    if entries := results.configuration.mteb:
        parts = ("", "-tasks", "-costs")
        tables = {one: [build_table(results, f"mteb-{one}{part}") for part in parts] for one in entries}
        yield Page("mteb.html", "mteb.html", {"entries": entries, "tables": tables})


def dataset_pages(results: Results) -> Iterator[Page]:
    """Yield a page for every collection that a run is on."""
    for name in results.datasets():
        found = results.dataset(name)
        context = {"name": name, "found": found, "tables": dataset_tables(found)}
        yield Page("dataset.html", dataset_page(name), context)


def list_pages(results: Results) -> Iterator[Page]:
    """Yield the leaderboard, and the audit of the paper's printed numbers."""
    yield Page("leaderboard.html", "leaderboard.html", {"one": leaderboard_table(results), "folder": FOLDER})
    audits = list(_audit_tables())
    count = sum(len(one.rows) for one in audits)
    yield Page("audit.html", "audit.html", {"tables": audits, "count": count})


def _audit_tables() -> Iterator[Table]:
    findings = audit()
    columns = ("finding", "tables", "system", "column", "printed", "recomputed")
    for kind, heading in KINDS.items():
        rows = [
            [one.wording, ", ".join(one.tables), one.system, one.column, one.printed, one.recomputed]
            for one in findings
            if one.kind == kind
        ]
        if rows:
            known = [[text or None for text in row] for row in rows]
            yield Table.of(f"audit-{kind}", heading, columns, known)
