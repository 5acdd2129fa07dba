"""Tables that only the site shows: collections, systems, runs, the matrix of all scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from e2rank_eval.config import RerankerSettings
from e2rank_eval.models.registry import registered_model
from e2rank_eval.report.collect import Results
from e2rank_eval.report.latencies import system_cell
from e2rank_eval.report.names import (
    HEADLINE,
    UNTRAINED_NOTE,
    dataset_page,
    first_stage_label,
    is_untrained,
    run_page,
)
from e2rank_eval.report.outputs import RunKey
from e2rank_eval.report.table import Cell, Column, Kind, Table, percent, ranked
from e2rank_eval.store.results import DatasetDescription

_INTERVAL = "In brackets the bootstrap 95 % interval."

_TOKENS = (
    "Words are split at white space. Tokens are runs of letters and digits, and every other mark by itself: "
    "the pieces that a subword tokenizer starts from, so that a model counts more of them."
)


def datasets_table(results: Results) -> Table:
    """Return every collection that a run is on, with its size, shape and licence."""
    rows = []
    for name in results.datasets():
        found = results.dataset(name)
        counted = found.statistics
        medians = (counted.words_per_document, counted.words_per_query, counted.judgements_per_query)
        rows.append(
            (
                Cell(name, link=dataset_page(name)), found.title, found.documents, found.queries,
                found.judgements, *(one.median for one in medians),
                ", ".join(f"{grade}: {count:,}" for grade, count in counted.grades.items()),
                found.licence, "shown" if results.shows_text(name) else "not shown", found.id,
            )
        )  # fmt: skip
    columns = (
        "data set", "title", ("documents", "count"), ("queries", "count"), ("judgements", "count"),
        ("words/document", "count"), ("words/query", "count"), ("judgements/query", "count"), "grades",
        "licence", "texts", "id",
    )  # fmt: skip
    return Table.of("datasets", "Collections", columns, rows, ["Words and judgements: medians."])


def dataset_tables(found: DatasetDescription) -> list[Table]:
    """Return a collection's lengths, its grades, and what can distort its numbers."""
    counted = found.statistics
    spreads = {
        "words per document": counted.words_per_document,
        "tokens per document": counted.tokens_per_document,
        "words per query": counted.words_per_query,
        "tokens per query": counted.tokens_per_query,
        "judgements per query": counted.judgements_per_query,
    }
    lengths = [(what, one.min, one.median, one.mean, one.max) for what, one in spreads.items()]
    grades = [
        (grade, count, Cell(100 * count / found.judgements, heat=count / found.judgements))
        for grade, count in counted.grades.items()
    ]
    ends: tuple[tuple[str, Kind], ...] = (
        ("least", "count"), ("median", "number"), ("mean", "number"), ("greatest", "count"),
    )  # fmt: skip
    findings = (found.findings | found.left_out).items()
    return [
        Table.of("lengths", "Lengths and judgements", ["counted", *ends], lengths, [_TOKENS]),
        Table.of("grades", "Grades", ["grade", ("judgements", "count"), ("% of all", "ratio")], grades),
        Table.of("findings", "What can distort its numbers", ["found", ("number", "count")], findings),
    ]


def systems_table(results: Results) -> Table:
    """Return every reranker that some run uses, with its model and what differs from the defaults."""
    configuration = results.configuration
    used = dict.fromkeys(key[2] for key in results.run_keys())
    rows = []
    for name in used:
        settings = configuration.rerankers[name]
        model = getattr(settings, "model", None)
        entry = registered_model(model) if model else None
        facts = (entry.title, entry.parameters, entry.licence) if entry else (None, None, None)
        rows.append((name, system_cell(results, name), settings.family, *facts, _differing(settings) or None))
    columns = ("name", "label", "family", "model", "parameters", "licence", "settings")
    notes = [UNTRAINED_NOTE] if any(is_untrained(configuration, name) for name in used) else []
    return Table.of("systems", "Systems", columns, rows, notes)


def _differing(settings: RerankerSettings) -> str:
    values: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True)
    shown = {k: v for k, v in values.items() if k not in ("family", "label", "model")}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items())


def runs_table(results: Results) -> Table:
    """Return every run of the configuration, linked to its page."""
    rows = []
    for key in results.run_keys():
        metrics = results.metrics(key)
        score = percent(metrics.mean[HEADLINE], metrics.interval[HEADLINE], link=run_page(key))
        stage = first_stage_label(results.configuration, key[1])
        name = Cell(key[2], link=run_page(key))
        rows.append((key[0], stage, system_cell(results, key[2]), metrics.queries.qrels, score, name))
    columns = (
        "data set", "first stage", "system", ("queries", "count"), (f"{HEADLINE} × 100", "score"), "run",
    )  # fmt: skip
    return Table.of("runs", "Every run", columns, rows, groups=[key[0] for key in results.run_keys()])


def score_matrix(results: Results) -> Table:
    """Return nDCG@10 x 100 by system and collection, tinted from a column's lowest value to its highest."""

    def value(key: RunKey) -> Cell:
        metrics = results.metrics(key)
        return percent(metrics.mean[HEADLINE], metrics.interval[HEADLINE], link=run_page(key))

    def share(one: float, values: list[float]) -> float:
        low, high = min(values), max(values)
        return (one - low) / (high - low) if high > low else 0.0

    notes = (
        f"{_INTERVAL} The tint goes from a column's lowest value to its highest. "
        "Bold: best on the same candidates; underlined: second best.",
    )
    return ranked(_matrix(results, "matrix", f"{HEADLINE} × 100", "score", value, share, notes))


def change_matrix(results: Results) -> Table:
    """Return the change of nDCG@10 x 100 against the candidates as the first stage ordered them."""

    def value(key: RunKey) -> Cell:
        before = results.first_stage(key[0], key[1])
        change = results.metrics(key).mean[HEADLINE] - math.fsum(before.values()) / len(before)
        # Two sums of the same values may differ by rounding, which would print as -0.00.
        return percent(round(change, 12) + 0.0, link=run_page(key))

    def share(one: float, values: list[float]) -> float:
        largest = max(map(abs, values))
        return one / largest if largest else 0.0

    title = f"Change of {HEADLINE} × 100 by reranking"
    notes = ("Against the same candidates in the first stage's order. Tests are with the comparisons.",)
    return _matrix(results, "matrix-change", title, "difference", value, share, notes)


def _matrix(
    results: Results, identifier: str, title: str, kind: Kind, value: Callable[[RunKey], Cell],
    share: Callable[[float, list[float]], float], notes: tuple[str, ...],
) -> Table:  # fmt: skip
    """Return systems by collections; ``share`` is a cell's heat among the values of its column."""
    configuration, runs = results.configuration, results.run_keys()
    datasets = list(dict.fromkeys(key[0] for key in runs))
    pairs = dict.fromkeys((stage, reranker) for _, stage, reranker in runs)
    systems = sorted(pairs, key=lambda pair: list(configuration.first_stages).index(pair[0]))
    cells = {key: value(key) for key in runs}
    columns = [Column("system"), Column("first stage")]
    for dataset in datasets:
        own = [key for key in runs if key[0] == dataset]
        values = [float(cells[key].value or 0) for key in own]
        cells |= {k: replace(cells[k], heat=share(v, values)) for k, v in zip(own, values, strict=True)}
        columns.append(Column(dataset, kind, results.metrics(own[0]).queries.qrels, ranked=kind == "score"))
    rows = [
        (
            system_cell(results, reranker),
            first_stage_label(configuration, stage),
            *(cells.get((dataset, stage, reranker)) for dataset in datasets),
        )
        for stage, reranker in systems
    ]
    return Table.of(identifier, title, columns, rows, notes, [stage for stage, _ in systems])
