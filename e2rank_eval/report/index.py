"""Which tables and figures a configuration has: ids only, for a workflow to ask at no cost."""

from __future__ import annotations

from collections import Counter

from e2rank_eval.config import Configuration, FigureArtefact, TableArtefact
from e2rank_eval.errors import InputError


def table_ids(configuration: Configuration) -> list[str]:
    """Of each comparison the quality, further measures and tests; of each latency entry totals, phases
    and cost; of each table of the paper its own shape and all cells; of each mteb
    entry means by type, scores by task and costs.

    Raises
    ------
    InputError
        When names of the configuration give two tables the same id.
    """
    ids = [f"{name}{part}" for name in configuration.comparisons for part in ("", "-measures", "-tests")]
    ids += [f"latency-{name}{part}" for name in configuration.latency for part in ("", "-phases", "-cost")]
    for name in configuration.artefacts:
        ids += paper_table_ids(configuration, name)
    ids += [f"mteb-{name}{part}" for name in configuration.mteb for part in ("", "-tasks", "-costs")]
    return _distinct(ids, "tables")


def figure_ids(configuration: Configuration) -> list[str]:
    """One frontier per latency entry, and growth where it sweeps; wins per comparison of two systems or more;
    a curve per sweep; and the figures among the artefacts.

    Raises
    ------
    InputError
        When names of the configuration give two figures the same id.
    """
    ids = [f"frontier-{name}" for name in configuration.latency]
    ids += [f"growth-{name}" for name, one in configuration.latency.items() if one.sweep and one.sweep.depths]
    ids += [f"wins-{name}" for name, one in configuration.comparisons.items() if len(one.rerankers) > 1]
    ids += [f"sweep-{name}" for name in configuration.sweeps]
    ids += [name for name, one in configuration.artefacts.items() if isinstance(one, FigureArtefact)]
    return _distinct(ids, "figures")


def paper_table_ids(configuration: Configuration, artefact: str) -> list[str]:
    """Of a table of the paper its own shape and every cell in full; none of a figure."""
    is_table = isinstance(configuration.artefacts[artefact], TableArtefact)
    return [artefact, f"{artefact}-cells"] if is_table else []


def _distinct(ids: list[str], what: str) -> list[str]:
    repeated = [identifier for identifier, count in Counter(ids).items() if count > 1]
    if repeated:
        raise InputError(
            f"two {what} would be called {repeated[0]!r}", hint="rename a comparison, latency entry or sweep"
        )
    return ids
