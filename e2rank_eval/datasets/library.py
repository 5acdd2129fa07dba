"""Metadata of the library ir_datasets: ids and counts of collections, and files that require an agreement."""

from __future__ import annotations

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

from e2rank_eval.store.files import read_json

_EXCLUDED = "-100"
"""The grade with which the library marks documents that are excluded for a query."""


@cache
def _facts(name: str) -> dict[str, Any]:
    """Return a JSON file of the library; importing the library would take a second."""
    spec = importlib.util.find_spec("ir_datasets")
    assert spec is not None
    assert spec.origin is not None
    found: dict[str, Any] = read_json(Path(spec.origin).parent / "etc" / name)
    return found


def home() -> Path:
    """Return the library's data folder, ``IR_DATASETS_HOME``."""
    return Path(os.environ.get("IR_DATASETS_HOME", Path.home() / ".ir_datasets"))


@cache
def library_ids() -> tuple[str, ...]:
    """Return the ids of all collections with documents, queries and judgements."""
    known = _facts("metadata.json")
    return tuple(name for name, facts in known.items() if {"docs", "queries", "qrels"} <= facts.keys())


def library_counts(identifier: str) -> dict[str, int]:
    """Return the numbers of documents, queries and judgements; exclusions are not judgements."""
    judgements = _of(identifier, "qrels")
    grades = judgements["fields"]["relevance"]["counts_by_value"]
    return {
        "documents": _of(identifier, "docs")["count"],
        "queries": _of(identifier, "queries")["count"],
        "judgements": sum(number for grade, number in grades.items() if grade != _EXCLUDED),
    }


def _of(identifier: str, what: str) -> dict[str, Any]:
    facts: dict[str, Any] = _facts("metadata.json")[identifier][what]
    return _of(facts["_ref"], what) if "_ref" in facts else facts


def required_agreement(identifier: str) -> str | None:
    """Return how to obtain files that require an agreement with their owner; None if one of them is there.

    Where the files of a collection belong to parts of it, as ``v2`` of wapo, only those of this part count.
    """
    collection, *parts = identifier.split("/")
    files = _facts("downloads.json").get(collection, {})
    needed = [key for key, facts in files.items() if "instructions" in facts]
    wanted: dict[str, None] = {}
    for key in [key for key in needed if key.split("/")[0] in parts] or needed:
        place = home() / collection / files[key]["cache_path"]
        if place.exists():
            return None
        wanted[" ".join(files[key]["instructions"].format(path=place).split())] = None
    return "; ".join(wanted) or None


def hosts(identifier: str) -> list[str]:
    """Return the addresses of the servers with files of this collection."""
    files = _facts("downloads.json").get(identifier.split("/")[0], {}).values()
    return list(dict.fromkeys("/".join(one["url"].split("/")[:3]) for one in files if "url" in one))
