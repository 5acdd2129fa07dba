"""Which tables and figures a configuration has: ids only, for a workflow to ask at no cost."""

from __future__ import annotations

from collections import Counter

from e2rank_eval.configuration import Configuration
from e2rank_eval.errors import InputError


def table_ids(configuration: Configuration) -> list[str]:
    """Of each comparison the quality, further measures and tests; of each latency entry totals and phases.

    Raises
    ------
    InputError
        When names of the configuration give two tables the same id.
    """
    ids = [f"{name}{part}" for name in configuration.comparisons for part in ("", "-measures", "-tests")]
    ids += [f"latency-{name}{part}" for name in configuration.latency for part in ("", "-phases")]
    return _distinct(ids, "tables")


def figure_ids(configuration: Configuration) -> list[str]:
    """One frontier per latency entry, wins per comparison of two systems or more, curve per sweep.

    Raises
    ------
    InputError
        When names of the configuration give two figures the same id.
    """
    ids = [f"frontier-{name}" for name in configuration.latency]
    ids += [f"wins-{name}" for name, one in configuration.comparisons.items() if len(one.rerankers) > 1]
    return _distinct(ids + [f"sweep-{name}" for name in configuration.sweeps], "figures")


def _distinct(ids: list[str], what: str) -> list[str]:
    repeated = [identifier for identifier, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(
            f"two {what} would be called {repeated[0]!r}", mend="rename a comparison, latency entry or sweep"
        )
    return ids
