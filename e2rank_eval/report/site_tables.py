"""Tables that only the site shows: collections, systems, runs, the matrix of all scores."""

from __future__ import annotations

from typing import Any

from e2rank_eval.config.systems import RerankerSettings
from e2rank_eval.models.references import Catalogue
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import (
    UNTRAINED_NOTE,
    dataset_page,
    is_untrained,
    system_cell,
)
from e2rank_eval.report.table import Cell, Kind, Table
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
    grades = [(grade, n, 100 * n / found.judgements) for grade, n in counted.grades.items()]
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
        entry = Catalogue.of(configuration).known(model) if model else None
        facts = (entry.title, entry.parameters, entry.licence) if entry else (model, None, None)
        rows.append(
            (
                name,
                system_cell(results.configuration, name),
                settings.family,
                *facts,
                _differing(settings) or None,
            )
        )
    columns = ("name", "label", "family", "model", "parameters", "licence", "settings")
    notes = [UNTRAINED_NOTE] if any(is_untrained(configuration, name) for name in used) else []
    return Table.of("systems", "Systems", columns, rows, notes)


def _differing(settings: RerankerSettings) -> str:
    values: dict[str, Any] = settings.model_dump(mode="json", exclude_defaults=True)
    shown = {k: v for k, v in values.items() if k not in ("family", "label", "model")}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items())
