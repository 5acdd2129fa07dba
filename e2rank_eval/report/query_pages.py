"""Pages on which one run's queries are read one at a time, a hundred to a page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from e2rank_eval.config import E2RankSettings
from e2rank_eval.report.addresses import QUERIES_A_PAGE, query_page, query_part, run_page, to_root
from e2rank_eval.report.collect import HEADLINE, Results, RunKey
from e2rank_eval.report.embedded import embed
from e2rank_eval.report.names import first_stage_label, full_name, is_untrained, label
from e2rank_eval.report.page import Page
from e2rank_eval.report.query_data import other_runs, percent, query_record, texts_of

_SCRIPTS = ("embedded.js", "query.js")


def query_pages(results: Results) -> Iterator[Page]:
    """For every run as many pages as its queries fill; each holds its data and shows one query."""
    for key in results.run_keys():
        queries = list(results.metrics(key).per_query[HEADLINE])
        for start in range(0, len(queries), QUERIES_A_PAGE):
            yield _page(results, key, queries, start)


def _page(results: Results, key: RunKey, queries: Sequence[str], start: int) -> Page:
    place = query_page(key, start)
    dataset, first_stage, reranker = key
    context = {
        "key": key,
        "name": label(results.configuration, reranker),
        "untrained": is_untrained(results.configuration, reranker),
        "first_stage": first_stage_label(results.configuration, first_stage),
        "dataset": results.dataset(dataset),
        "shows_text": results.shows_text(dataset),
        "run_page": to_root(place) + run_page(key),
        "first": start + 1,
        "last": min(start + QUERIES_A_PAGE, len(queries)),
        "count": len(queries),
        "data": embed("query-data", _data(results, key, queries, start)),
    }
    return Page("queries.html", place, context, _SCRIPTS)


def _data(results: Results, key: RunKey, queries: Sequence[str], start: int) -> dict[str, Any]:
    """``others``: each run of the collection with its name, page and value by query of this page."""
    end = min(start + QUERIES_A_PAGE, len(queries))
    records = [query_record(results, key, query) for query in queries[start:end]]
    settings = results.configuration.rerankers[key[2]]
    root = to_root(query_page(key, start))
    return {
        "queries": records,
        "texts": texts_of(records, results.excerpts(key[0])),
        "shows_text": results.shows_text(key[0]),
        "enriched": isinstance(settings, E2RankSettings),
        "others": [_other(results, other, records, root + query_page(other, start), key)
                   for other in other_runs(results, key)],
        "previous": _address(key, queries, start - 1, root),
        "next": _address(key, queries, end, root),
    }  # fmt: skip


def _other(
    results: Results, other: RunKey, records: Sequence[dict[str, Any]], page: str, key: RunKey
) -> dict[str, Any]:
    values = results.metrics(other).per_query[HEADLINE]
    return {
        "name": full_name(results.configuration, other[2]),
        "first_stage": first_stage_label(results.configuration, other[1]),
        "page": page,
        "here": other == key,
        "values": [percent(values[record["id"]]) for record in records],
    }


def _address(key: RunKey, queries: Sequence[str], position: int, root: str) -> str | None:
    """Of the query before or after this page's, where there is one."""
    if not 0 <= position < len(queries):
        return None
    return f"{root}{query_page(key, position)}#{query_part(queries[position])}"
