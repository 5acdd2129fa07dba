"""Small systems and collections in place of those that a grid names: the same grid, run anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from fnmatch import fnmatchcase
from typing import Any

from pydantic import Field

from e2rank_eval.config.systems import Name, Strict


class StandIns(Strict):
    """Name or pattern -> the name that stands in for it; the first pattern that fits counts.

    They hold in ``artefacts``, ``latency`` and ``sweeps``. Results of stand-ins are compared with no
    published value.
    """

    datasets: dict[str, Name] = Field({}, description="patterns as in a shell: bright-*")
    first_stages: dict[str, Name] = Field({})
    rerankers: dict[str, Name] = Field({})
    tasks: dict[str, Name] = Field({}, description="of MTEB")


_SECTIONS = ("artefacts", "latency", "sweeps")
_KINDS = {
    "dataset": "datasets", "datasets": "datasets", "columns": "datasets", "first_stage": "first_stages",
    "reranker": "rerankers", "rerankers": "rerankers", "systems": "rerankers", "points": "rerankers",
    "against": "rerankers", "phase": None, "benchmark": None, "needs": None,
}  # fmt: skip
"""What the names under a key are names of; None: of nothing that has a stand-in."""


def substitute(values: Any) -> Any:
    """A configuration's values with every name that has a stand-in replaced; others as they are."""
    if not isinstance(values, dict) or not isinstance(values.get("stand_ins"), dict):
        return values
    given: dict[str, Mapping[str, str]] = values["stand_ins"]
    changed = dict(values)
    for section in _SECTIONS:
        if isinstance(values.get(section), dict):
            changed[section] = {
                name: _replaced(entry, given, None) for name, entry in deepcopy(values[section]).items()
            }
    return changed


def stand_in(name: str, patterns: Mapping[str, str]) -> str:
    """What stands in for ``name``: itself where no pattern fits.

    >>> stand_in("bright-pony-reason", {"bright-*": "pydoc-6", "*": "lee-6"})
    'pydoc-6'
    """
    return next((other for pattern, other in patterns.items() if fnmatchcase(name, pattern)), name)


def _replaced(value: Any, given: Mapping[str, Mapping[str, str]], kind: str | None) -> Any:
    if isinstance(value, dict):
        # Rows, columns and points are keyed by what the paper calls them: there the values are names.
        return {key: _replaced(one, given, _KINDS.get(str(key), kind)) for key, one in value.items()}
    if isinstance(value, list):
        return list(dict.fromkeys(_replaced(one, given, kind) for one in value))
    if isinstance(value, str) and kind is not None:
        return stand_in(value, given.get(kind, {}))
    return value
