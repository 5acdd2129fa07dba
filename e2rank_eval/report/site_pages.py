"""All pages of the site except those of runs: overview, comparisons, paper, mteb, data sets, leaderboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.report.collect import Results
from e2rank_eval.report.drawing import inline_svg
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.html import Page
from e2rank_eval.report.leaderboard import FOLDER, leaderboard_table
from e2rank_eval.report.names import UNTRAINED_NOTE, comparison_page, dataset_page
from e2rank_eval.report.run_pages import provenance
from e2rank_eval.report.table import Cell, Kind, Table
from e2rank_eval.report.tables import TABLES
from e2rank_eval.report.tables.comparison import significant
from e2rank_eval.report.tables.latency import conditions
from e2rank_eval.store import layout as places
from e2rank_eval.store.results import MACRO, DatasetDescription, Spread

_TOKENS = (
    "Words are separated by white space. Tokens are sequences of letters and digits, and single other "
    "characters; a subword tokenizer splits them further, so models count more tokens."
)

Drawn = dict[str, tuple[Markup, str]]
"""Figures as parts of a page, each with its caption, by id."""


def overview_page(results: Results) -> Iterator[Page]:
    """Yield the overview: the best of each comparison, its tables and figures, data sets and systems."""
    configuration = results.configuration
    tables = [f"latency-{name}{part}" for name in configuration.latency for part in ("", "-phases", "-cost")]
    used = dict.fromkeys(key[2] for key in results.run_keys())
    context = {
        "configuration": configuration,
        "findings": [finding(results, name) for name in configuration.comparisons],
        "untrained": [results.label(one) for one in used if results.is_untrained(one)],
        "devices": conditions(map(results.latency, configuration.latency)),
        "tables": {name: TABLES.build(results, name) for name in [*configuration.comparisons, *tables]},
        "figures": _figures(results, declared=False),
        "datasets": datasets_table(results),
        "systems": systems_table(results),
    }
    yield Page("index.html", "index.html", context)


def finding(results: Results, name: str) -> dict[str, Any]:
    """Return the best system of a comparison by its last column, and the test against the first baseline."""
    comparison = results.comparison(name)
    baseline = comparison.baselines[0]
    best = max(comparison.overall.values(), key=lambda row: row.mean)
    dataset = best.dataset
    asked = (dataset, best.reranker, baseline)
    tests = (one for one in comparison.tests if (one.dataset, one.reranker, one.baseline) == asked)
    test = next(tests, None)
    return {
        "name": name,
        "title": comparison.title,
        "best": best,
        "system": results.full_name(best.reranker),
        "where": f"{len(comparison.columns)} collections" if dataset == MACRO else dataset,
        "test": test,
        "baseline": results.label(baseline),
        "significant": test is not None and significant(test.p_holm),
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
            "tables": [TABLES.build(results, f"{name}{part}") for part in ("", "-measures", "-tests")],
            "provenance": [provenance(results, "compare", path)],
        }
        yield Page("comparison.html", comparison_page(name), context)


def paper_page(results: Results) -> Iterator[Page]:
    """Yield the page of the paper's tables and the declared figures, if the configuration has any."""
    configuration = results.configuration
    if configuration.tables or configuration.figures:
        context = {
            "tables": {name: TABLES.build(results, name) for name in configuration.tables},
            "figures": _figures(results, declared=True),
            "titles": {name: one.title for name, one in configuration.figures.items()},
        }
        yield Page("paper.html", "paper.html", context)


def mteb_page(results: Results) -> Iterator[Page]:
    """Yield the page of means and scores by task of all mteb entries, if the configuration has any."""
    if entries := results.configuration.mteb:
        parts = ("", "-tasks")
        tables = {one: [TABLES.build(results, f"mteb-{one}{part}") for part in parts] for one in entries}
        yield Page("mteb.html", "mteb.html", {"entries": entries, "tables": tables})


def dataset_pages(results: Results) -> Iterator[Page]:
    """Yield a page for every data set of the shown runs."""
    for name in results.datasets():
        found = results.dataset(name)
        context = {"name": name, "found": found, "tables": dataset_tables(found)}
        yield Page("dataset.html", dataset_page(name), context)


def leaderboard_page(results: Results) -> Iterator[Page]:
    """Yield the leaderboard."""
    yield Page("leaderboard.html", "leaderboard.html", {"one": leaderboard_table(results), "folder": FOLDER})


def datasets_table(results: Results) -> Table:
    """Return the data sets of the shown runs, with their sizes, grades and licences."""
    rows = []
    for name in results.datasets():
        found = results.dataset(name)
        grades = ", ".join(f"{grade}: {count:,}" for grade, count in found.statistics.grades.items())
        rows.append(
            (
                Cell(name, link=dataset_page(name)), found.title, found.documents, found.queries,
                found.judgements, grades, found.licence,
                "shown" if results.shows_text(name) else "not shown", found.id,
            )
        )  # fmt: skip
    columns = (
        "data set", "title", ("documents", "count"), ("queries", "count"), ("judgements", "count"), "grades",
        "licence", "texts", "id",
    )  # fmt: skip
    return Table.of("datasets", "Collections", columns, rows)


def dataset_tables(found: DatasetDescription) -> list[Table]:
    """Return tables of a data set: lengths, grades, and findings that can affect scores."""
    counted = found.statistics
    lengths = [
        (name.replace("_", " "), one.min, one.median, one.mean, one.max)
        for name, one in counted
        if isinstance(one, Spread)
    ]
    grades = [(grade, n, 100 * n / found.judgements) for grade, n in counted.grades.items()]
    ends: tuple[tuple[str, Kind], ...] = (
        ("least", "count"), ("median", "number"), ("mean", "number"), ("greatest", "count"),
    )  # fmt: skip
    findings = (found.findings | found.left_out).items()
    return [
        Table.of("lengths", "Lengths and judgements", ["counted", *ends], lengths, [_TOKENS]),
        Table.of("grades", "Grades", ["grade", ("judgements", "count"), ("% of all", "ratio")], grades),
        Table.of("findings", "Findings that can affect scores", ["found", ("number", "count")], findings),
    ]


def systems_table(results: Results) -> Table:
    """Return the rerankers of the shown runs, with their models and settings other than the defaults."""
    configuration = results.configuration
    used = dict.fromkeys(key[2] for key in results.run_keys())
    rows = []
    for name in used:
        settings = configuration.rerankers[name]
        model = getattr(settings, "model", None)
        entry = results.model(model) if model else None
        facts = (entry.title, entry.parameters, entry.licence) if entry else (model, None, None)
        cell = results.system_cell(name)
        rows.append((name, cell, settings.family, *facts, _differing(settings) or None))
    columns = ("name", "label", "family", "model", "parameters", "licence", "settings")
    notes = [UNTRAINED_NOTE] if any(results.is_untrained(name) for name in used) else []
    return Table.of("systems", "Systems", columns, rows, notes)


def _differing(settings: RerankerSettings) -> str:
    values: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True)
    shown = {k: v for k, v in values.items() if k not in ("family", "label", "model")}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items())
