"""The pages of one run: scores, cost, provenance, and its queries one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from e2rank_eval.config.measurements import RunKey
from e2rank_eval.report.collect import Results
from e2rank_eval.report.html import PAGED_SCRIPTS, Page, embed, to_paged
from e2rank_eval.report.names import HEADLINE, QUERIES_A_PAGE, query_address, query_page, run_page, to_root
from e2rank_eval.report.table import Cell, Column, Table, percent
from e2rank_eval.report.tables.comparison import repairs
from e2rank_eval.rerankers.families.e2rank import E2RankSettings
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import canonical_json
from e2rank_eval.store.results import Metrics

_EFFORT = ("calls", "prompt_tokens", "document_tokens", "output_tokens", "prompt_documents",
           "truncated_documents")  # fmt: skip

_TEXTS_TO = 20
"""Documents up to this rank before or after reranking, and all relevant ones, are shown with texts."""


def run_pages(results: Results) -> Iterator[Page]:
    """Yield the page of every run, and the pages of its queries, 100 queries per page."""
    for key in results.run_keys():
        names = {
            "key": key,
            "name": results.label(key[2]),
            "untrained": results.is_untrained(key[2]),
            "first_stage": results.first_stage_label(key[1]),
            "dataset": results.dataset(key[0]),
        }
        yield _run_page(results, key, names)
        queries = list(results.metrics(key).per_query[HEADLINE])
        for start in range(0, len(queries), QUERIES_A_PAGE):
            yield _queries_page(results, key, queries, start, names)


def _run_page(results: Results, key: RunKey, names: Mapping[str, Any]) -> Page:
    steps = {"rerank": results.path(places.RUN, key), "evaluate": results.path(places.METRICS, key)}
    if entry := results.configuration.timed_by(*key):
        steps["latency"] = results.layout.path(places.LATENCY, latency=entry)
    metrics = results.metrics(key)
    context = {
        **names,
        "metrics": metrics,
        "headline": HEADLINE,
        "before": fmean(results.first_stage(key[0], key[1]).values()),
        "measures": _measures(metrics),
        "effort": _effort(results, key),
        "repaired": repairs(results, key),
        "queries": to_paged(queries_table(results, key), root=to_root(run_page(key))),
        "provenance": [provenance(results, step, path) for step, path in steps.items()],
    }
    return Page("run.html", run_page(key), context, PAGED_SCRIPTS)


def provenance(results: Results, step: str, path: Path) -> dict[str, Any]:
    """Return how one file was made: the step, its command, and the facts of its manifest by name."""
    manifest = results.manifest(path)
    facts = {
        "file": path.relative_to(results.layout.root).as_posix(),
        "sha256": manifest.sha256,
        "started": manifest.started,
        "duration": f"{manifest.seconds:.1f} s",
        "machine": ", ".join(f"{name}: {value}" for name, value in manifest.hardware.items()),
        "settings": canonical_json(manifest.settings),
        "versions": ", ".join(f"{name} {version}" for name, version in manifest.versions.items()),
    }
    inputs = {f"input {name}": digest for name, digest in manifest.inputs.items()}
    return {"step": step, "command": manifest.command, "facts": facts | inputs}


def _measures(metrics: Metrics) -> Table:
    rows = [(m, percent(metrics.mean[m], metrics.interval[m])) for m in metrics.measures]
    columns = (Column("measure"), Column("mean × 100", "score", metrics.queries.qrels))
    return Table.of("measures", "Measures", columns, rows, ["In brackets the bootstrap 95 % interval."])


def _effort(results: Results, key: RunKey) -> Table:
    """Return calls, tokens and truncated documents of a run, in total and per query."""
    statistics = list(results.statistics(key).values())
    totals = {name.replace("_", " "): sum(stats[name] for stats in statistics) for name in _EFFORT}
    rows = [(name, total, total / max(1, len(statistics))) for name, total in totals.items()]
    columns = ("effort", ("total", "count"), ("per query", "number"))
    return Table.of("effort", "Cost of ranking", columns, rows)


def queries_table(results: Results, key: RunKey) -> Table:
    """Return the queries of a run: nDCG@10 before and after reranking, further measures, and remarks."""
    metrics, texts, statistics = results.metrics(key), results.query_texts(key[0]), results.statistics(key)
    before = results.first_stage(key[0], key[1])
    others = [measure for measure in metrics.measures if measure != HEADLINE]
    rows = [
        (
            Cell(query, link=query_address(key, position, query)),
            *([texts.get(query)] if texts else []),
            100 * before[query], 100 * value, 100 * (value - before[query]),
            *(100 * metrics.per_query[measure][query] for measure in others),
            remark(metrics, statistics.get(query, {}), query),
        )
        for position, (query, value) in enumerate(metrics.per_query[HEADLINE].items())
    ]  # fmt: skip
    columns: list[tuple[str, str] | str] = [
        "query", *(["text"] if texts else []), ("first stage", "score"), ("reranked", "score"),
        ("change", "difference"), *((measure, "score") for measure in others), "remark",
    ]  # fmt: skip
    notes = [f"First stage, reranked and change: {HEADLINE} × 100."]
    if not texts:
        notes.append("The texts of this collection may not be shown, so only the ids of queries are.")
    return Table.of("queries", "Query by query", columns, rows, notes)


def remark(metrics: Metrics, stats: Mapping[str, Any], query: str) -> str:
    """Return remarks on a query's ranking, such as failures, repairs and truncation; empty without any."""
    truncated = stats.get("truncated_documents", 0)
    remarks = {
        "missing from the run, counts as 0": query in metrics.queries.unanswered,
        "failed, kept first-stage order": query in metrics.failed,
        "output repaired": any(stats.get("repairs", {}).values()),
        f"{truncated} documents truncated": truncated,
        "query truncated": stats.get("truncated_query", False),
    }
    return "; ".join(text for text, holds in remarks.items() if holds)


def _queries_page(
    results: Results, key: RunKey, queries: Sequence[str], start: int, names: Mapping[str, Any]
) -> Page:
    """Return the page with the data of the queries from ``start``; a script shows one query at a time."""
    place, end = query_page(key, start), min(start + QUERIES_A_PAGE, len(queries))
    root, shows_text = to_root(place), results.shows_text(key[0])
    records = [query_record(results, key, query) for query in queries[start:end]]
    excerpts = results.excerpts(key[0])
    shown = sorted({document for record in records for document in _with_text(record)} & excerpts.keys())
    data = {
        "queries": records,
        "texts": {document: excerpts[document] for document in shown},
        "shows_text": shows_text,
        "enriched": isinstance(results.configuration.rerankers[key[2]], E2RankSettings),
        "others": [
            {
                "name": results.full_name(other[2]),
                "first_stage": results.first_stage_label(other[1]),
                "page": root + query_page(other, start),
                "here": other == key,
                "values": [_percent(results.metrics(other).per_query[HEADLINE][r["id"]]) for r in records],
            }
            for other in results.run_keys()
            if other[0] == key[0]
        ],
        "previous": root + query_address(key, start - 1, queries[start - 1]) if start else None,
        "next": root + query_address(key, end, queries[end]) if end < len(queries) else None,
    }
    context = {
        **names,
        "shows_text": shows_text,
        "run_page": root + run_page(key),
        "first": start + 1,
        "last": end,
        "count": len(queries),
        "data": embed("query-data", data),
    }
    return Page("queries.html", place, context, ("embedded.js", "query.js"))


def query_record(results: Results, key: RunKey, query: str) -> dict[str, Any]:
    """Return all stored data of one query of a run, as JSON values.

    ``documents``, ``first_scores``, ``model_scores`` and ``grades`` are in first-stage order
    (``grades`` None where unjudged); ``order[r]`` is the first-stage position at rank r + 1, empty
    where the run lacks the query; ``missed`` counts relevant documents that are not candidates. Texts
    and prompt are None where the collection is closed.
    """
    dataset, first_stage, _ = key
    metrics, stats = results.metrics(key), results.statistics(key).get(query, {})
    row = results.candidates(dataset, first_stage).get(query)
    documents = row.document_ids if row else ()
    positions = {document: position for position, document in enumerate(documents)}
    grades = results.qrels(dataset).get(query, {})
    return {
        "id": query,
        "text": results.query_texts(dataset).get(query),
        "before": _percent(results.first_stage(dataset, first_stage)[query]),
        "after": _percent(metrics.per_query[HEADLINE][query]),
        "measures": {name: _percent(values[query]) for name, values in metrics.per_query.items()},
        "documents": documents,
        "first_scores": row.scores if row else (),
        "model_scores": stats.get("scores"),
        "grades": [grades.get(document) for document in documents],
        "missed": sum(grade > 0 and document not in positions for document, grade in grades.items()),
        "order": [positions[d] for d in results.rankings(key).get(query, []) if d in positions],
        "prompt": stats.get("prompt") if results.shows_text(dataset) else None,
        "effort": {name.replace("_", " "): stats[name] for name in _EFFORT if name in stats},
        "repairs": {kind: count for kind, count in stats.get("repairs", {}).items() if count},
        "remark": remark(metrics, stats, query),
    }


def _with_text(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the documents of a query that the page shows with their texts."""
    reranked = set(record["order"][:_TEXTS_TO])
    for position, (document, grade) in enumerate(zip(record["documents"], record["grades"], strict=True)):
        if position < _TEXTS_TO or position in reranked or (grade or 0) > 0:
            yield document


def _percent(value: float) -> float:
    # Many more digits than are shown, since rounding twice could change the last digit shown.
    return round(100 * value, 10)
