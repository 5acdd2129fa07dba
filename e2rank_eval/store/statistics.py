"""Files of per-query statistics: the deterministic counts and scores of a ranking."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from e2rank_eval.errors import InputError
from e2rank_eval.records import QueryStats
from e2rank_eval.store.files import read_jsonl


def stats_row(query_id: str, stats: QueryStats) -> dict[str, Any]:
    """Return the statistics of one query as a JSON object."""
    return asdict(stats) | {"query_id": query_id}


def read_statistics(path: Path) -> dict[str, dict[str, Any]]:
    """Return the statistics rows by query id.

    Raises
    ------
    InputError
        When a row has no query id, or a repeated one.
    """
    rows: dict[str, dict[str, Any]] = {}
    for number, row in read_jsonl(path):
        query_id = row.get("query_id")
        if not isinstance(query_id, str) or query_id in rows:
            raise InputError("no query_id, or a repeated one", path=path, line=number, hint="rerank again")
        rows[query_id] = row
    return rows
