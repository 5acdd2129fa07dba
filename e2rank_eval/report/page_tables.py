"""Tables that only the site shows: collections, systems, runs, and one run's queries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from e2rank_eval.config import RerankerSettings
from e2rank_eval.models.registry import registered_model
from e2rank_eval.report.addresses import dataset_page, query_page, query_part
from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.latency_tables import system_cell
from e2rank_eval.report.names import UNTRAINED_NOTE, first_stage_label, is_untrained
from e2rank_eval.report.table import Cell, Column, Kind, Link, Table
from e2rank_eval.store.results import Metrics, Spread


def _columns(*pairs: tuple[str, Kind]) -> tuple[Column, ...]:
    return tuple(Column(heading, kind) for heading, kind in pairs)


def datasets_table(results: Results) -> Table:
    """Every collection that a run is on, with its size, shape and licence."""
    rows = []
    for name in results.datasets():
        found = results.dataset(name)
        grades = ", ".join(f"{grade}: {count:,}" for grade, count in found.statistics.grades.items())
        rows.append(
            (
                Cell(name, link=Link(page=dataset_page(name))),
                Cell(found.title),
                Cell(found.documents),
                Cell(found.queries),
                Cell(found.judgements),
                Cell(_typical(found.statistics.words_per_document)),
                Cell(_typical(found.statistics.words_per_query)),
                Cell(_typical(found.statistics.judgements_per_query)),
                Cell(grades),
                Cell(found.licence),
                Cell("shown" if results.shows_text(name) else "not shown"),
                Cell(found.id),
            )
        )
    columns = _columns(
        ("data set", "text"), ("title", "text"), ("documents", "count"), ("queries", "count"),
        ("judgements", "count"), ("words/document", "count"), ("words/query", "count"),
        ("judgements/query", "count"), ("grades", "text"), ("licence", "text"), ("texts", "text"),
        ("id", "text"),
    )  # fmt: skip
    return Table("datasets", "Collections", columns, tuple(rows), ("Words and judgements: medians.",))


def _typical(spread: Spread) -> float:
    return spread.median


def systems_table(results: Results) -> Table:
    """Every reranker that some run uses, with its model and whatever settings differ from the defaults."""
    configuration = results.configuration
    used = dict.fromkeys(key[2] for key in results.run_keys())
    rows = []
    for name in used:
        settings = configuration.rerankers[name]
        model = getattr(settings, "model", None)
        entry = registered_model(model) if model else None
        rows.append(
            (
                Cell(name),
                system_cell(results, name),
                Cell(settings.family),
                Cell(entry.title if entry else None),
                Cell(entry.parameters if entry else None),
                Cell(entry.licence if entry else None),
                Cell(_differing(settings) or None),
            )
        )
    columns = _columns(
        ("name", "text"), ("label", "text"), ("family", "text"), ("model", "text"), ("parameters", "text"),
        ("licence", "text"), ("settings", "text"),
    )  # fmt: skip
    notes = (UNTRAINED_NOTE,) if any(is_untrained(configuration, name) for name in used) else ()
    return Table("systems", "Systems", columns, tuple(rows), notes)


def _differing(settings: RerankerSettings) -> str:
    values: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True)
    shown = {k: v for k, v in values.items() if k not in ("family", "label", "model")}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items())


def runs_table(results: Results) -> Table:
    """Every run of the configuration, linked to its page."""
    rows = []
    for key in results.run_keys():
        metrics = results.metrics(key)
        low, high = metrics.interval[HEADLINE]
        link = Link(run=key)
        rows.append(
            (
                Cell(key[0]),
                Cell(first_stage_label(results.configuration, key[1])),
                system_cell(results, key[2]),
                Cell(metrics.queries.qrels),
                Cell(100 * metrics.mean[HEADLINE], (100 * low, 100 * high), link=link),
                Cell(key[2], link=link),
            )
        )
    columns = _columns(
        ("data set", "text"), ("first stage", "text"), ("system", "text"), ("queries", "count"),
        (f"{HEADLINE} × 100", "score"), ("run", "text"),
    )  # fmt: skip
    return Table("runs", "Every run", columns, tuple(rows), groups=tuple(row[0].value for row in rows))  # type: ignore[misc]


def measures_of_run(metrics: Metrics) -> Table:
    """One run's means with their intervals."""
    rows = []
    for measure in metrics.measures:
        low, high = metrics.interval[measure]
        rows.append((Cell(measure), Cell(100 * metrics.mean[measure], (100 * low, 100 * high))))
    columns = (Column("measure", "text"), Column("mean × 100", "score", metrics.queries.qrels))
    return Table("measures", "Measures", columns, tuple(rows), ("In brackets the bootstrap 95 % interval.",))


def queries_table(results: Results, key: RunKey) -> Table:
    """One run's queries: nDCG@10 of the candidates as retrieved and as reranked, and what happened to it."""
    metrics = results.metrics(key)
    before = results.first_stage(key[0], key[1])
    texts = results.query_texts(key[0])
    statistics = results.statistics(key)
    rows = []
    for position, (query, value) in enumerate(metrics.per_query[HEADLINE].items()):
        others = [Cell(100 * metrics.per_query[m][query]) for m in metrics.measures if m != HEADLINE]
        text = [Cell(texts.get(query))] if texts else []
        scores = [Cell(100 * before[query]), Cell(100 * value), Cell(100 * (value - before[query]))]
        said = Cell(remark(metrics, statistics.get(query, {}), query))
        link = Link(page=query_page(key, position), part=query_part(query))
        rows.append((Cell(query, link=link), *text, *scores, *others, said))
    columns = _columns(
        ("query", "text"), *((("text", "text"),) if texts else ()), ("first stage", "score"),
        ("reranked", "score"), ("change", "difference"),
        *((m, "score") for m in metrics.measures if m != HEADLINE), ("remark", "text"),
    )  # fmt: skip
    notes = [f"First stage, reranked and change: {HEADLINE} × 100."]
    if not texts:
        notes.append("The texts of this collection may not be shown, so queries appear by their ids.")
    return Table("queries", "Query by query", columns, tuple(rows), tuple(notes))


def remark(metrics: Metrics, stats: Mapping[str, Any], query: str) -> str:
    """What happened to a query that a reader of its scores should know; empty where nothing did."""
    remarks = []
    if query in metrics.queries.unanswered:
        remarks.append("unanswered, counts as 0")
    if query in metrics.failed:
        remarks.append("failed, kept first-stage order")
    if any(stats.get("repairs", {}).values()):
        remarks.append("output repaired")
    if stats.get("truncated_documents"):
        remarks.append(f"{stats['truncated_documents']} documents cut")
    return "; ".join(remarks)
