"""The pages that every site has: the overview, one per comparison, one per run."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from e2rank_eval.report import page_tables, pages
from e2rank_eval.report.addresses import comparison_page, run_page, to_root
from e2rank_eval.report.collect import Results, RunKey
from e2rank_eval.report.frontier_points import frontier_points
from e2rank_eval.report.index import figure_ids
from e2rank_eval.report.inline_svg import inline_svg
from e2rank_eval.report.page import Page
from e2rank_eval.report.render_paged import PAGED_SCRIPTS, to_paged
from e2rank_eval.report.tables import build_table
from e2rank_eval.store import layout as places


def main_pages(results: Results) -> Iterator[Page]:
    """The overview, then the comparisons, then the runs, in the configuration's order."""
    yield _overview(results)
    for name in results.configuration.comparisons:
        yield _comparison(results, name)
    for key in results.run_keys():
        yield _run(results, key)


def _overview(results: Results) -> Page:
    configuration = results.configuration
    tables = [f"latency-{name}{part}" for name in configuration.latency for part in ("", "-phases", "-cost")]
    figures = [name for name in figure_ids(configuration) if name not in configuration.artefacts]
    context = {
        "configuration": configuration,
        "findings": [pages.finding(results, name) for name in configuration.comparisons],
        "untrained": pages.untrained_systems(results),
        "devices": pages.devices(results),
        "tables": {name: build_table(results, name) for name in [*configuration.comparisons, *tables]},
        "figures": {name: _figure(results, name) for name in figures},
        "datasets": page_tables.datasets_table(results),
        "systems": page_tables.systems_table(results),
        "runs": page_tables.runs_table(results),
    }
    return Page("index.html", "index.html", context, ("figure.js",))


def _figure(results: Results, identifier: str) -> Markup:
    path = results.layout.path(places.FIGURE, figure=identifier, suffix="svg")
    kind, _, name = identifier.partition("-")
    points = frontier_points(results, name, root="") if kind == "frontier" else None
    return inline_svg(path, identifier, identifier.replace("-", " "), points)


def _comparison(results: Results, name: str) -> Page:
    context = {
        "name": name,
        "comparison": results.comparison(name),
        "tables": [build_table(results, f"{name}{part}") for part in ("", "-measures", "-tests")],
        "provenance": pages.comparison_provenance(results, name),
    }
    return Page("comparison.html", comparison_page(name), context)


def _run(results: Results, key: RunKey) -> Page:
    timed = key in results.timed_keys()
    place = run_page(key)
    context = {
        "key": key,
        "run": pages.run_facts(results, key),
        "latency": pages.latency_of_run(results.latency(key)) if timed else None,
        "queries": to_paged(page_tables.queries_table(results, key), root=to_root(place)),
        "provenance": pages.run_provenance(results, key),
    }
    return Page("run.html", place, context, PAGED_SCRIPTS)
