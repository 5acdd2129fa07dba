"""One run's queries as plain data: candidates before and after, judgements, prompt, scores, other runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.excerpts import Excerpt
from e2rank_eval.report.page_tables import remark

TEXTS_TO = 20
"""Documents down to this rank, before or after, appear with their texts, and so do all relevant ones."""

_EFFORT = ("calls", "prompt_tokens", "document_tokens", "output_tokens", "prompt_documents",
           "truncated_documents")  # fmt: skip


def query_record(results: Results, key: RunKey, query: str) -> dict[str, Any]:
    """Everything stored of one query of a run, ready for JSON.

    ``documents``, ``first_scores``, ``model_scores`` and ``grades`` are in first-stage order
    (``grades`` None where unjudged); ``order[r]`` is the first-stage position at rank r + 1, empty
    where the run lacks the query; ``missed`` counts relevant documents that are no candidates. Texts
    and prompt are None where the collection is closed.
    """
    dataset, first_stage, _ = key
    metrics, stats = results.metrics(key), results.statistics(key).get(query, {})
    row = results.candidates(dataset, first_stage).get(query)
    documents = row.document_ids if row else []
    positions = {document: position for position, document in enumerate(documents)}
    grades = results.qrels(dataset).get(query, {})
    repairs = {kind: count for kind, count in stats.get("repairs", {}).items() if count}
    return {
        "id": query,
        "text": results.query_texts(dataset).get(query),
        "before": percent(results.first_stage(dataset, first_stage)[query]),
        "after": percent(metrics.per_query[HEADLINE][query]),
        "measures": {name: percent(values[query]) for name, values in metrics.per_query.items()},
        "documents": documents,
        "first_scores": row.scores if row else [],
        "model_scores": stats.get("scores"),
        "grades": [grades.get(document) for document in documents],
        "missed": sum(grade > 0 and document not in positions for document, grade in grades.items()),
        "order": [positions[d] for d in results.rankings(key).get(query, []) if d in positions],
        "prompt": stats.get("prompt") if results.shows_text(dataset) else None,
        "effort": {name.replace("_", " "): stats[name] for name in _EFFORT if name in stats},
        "repairs": repairs,
        "remark": remark(metrics, stats, query),
    }


def shown_documents(record: Mapping[str, Any]) -> set[str]:
    """The documents of a record that appear with their texts."""
    positions = {*range(TEXTS_TO), *islice(record["order"], TEXTS_TO)}
    positions |= {position for position, grade in enumerate(record["grades"]) if grade and grade > 0}
    return {document for position, document in enumerate(record["documents"]) if position in positions}


def texts_of(
    records: Iterable[Mapping[str, Any]], excerpts: Mapping[str, Excerpt]
) -> dict[str, tuple[str, str]]:
    """(title, beginning) by id of every document that the records show and a collection gives."""
    wanted = sorted(set().union(*map(shown_documents, records)))
    return {document: excerpts[document] for document in wanted if document in excerpts}


def other_runs(results: Results, key: RunKey) -> list[RunKey]:
    """All runs on the same collection, this one among them."""
    return [other for other in results.run_keys() if other[0] == key[0]]


def percent(value: float) -> float:
    """A measure from 0 to 1 as pages hold it, x 100."""
    # Far below what is shown: a value rounded twice could differ from the tables' in its last digit.
    return round(100 * value, 10)
