"""Which tables and figures a configuration has, and which of its entries each shows, at no cost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from e2rank_eval.config import Configuration, FigureArtefact
from e2rank_eval.errors import InputError


class Shown(NamedTuple):
    """What a table or figure shows: an entry of a section of the configuration, in one of its ``forms``."""

    section: str
    name: str
    form: str


def tables(configuration: Configuration) -> dict[str, Shown]:
    """Return the tables by id.

    A comparison has quality, further measures and tests; a latency entry totals, phases and cost; a table of
    the paper its own shape and all cells; an mteb entry means by type, scores by task and costs.

    Raises
    ------
    InputError
        When names of the configuration give two tables the same id.
    """
    found = [
        (f"{prefix}{name}{form and '-'}{form}", Shown(section, name, form))
        for section, prefix, forms in (
            ("comparisons", "", ("", "measures", "tests")),
            ("latency", "latency-", ("", "phases", "cost")),
            ("artefacts", "", ("", "cells")),
            ("mteb", "mteb-", ("", "tasks", "costs")),
        )
        for name, entry in getattr(configuration, section).items()
        if not isinstance(entry, FigureArtefact)
        for form in forms
    ]
    return _distinct(found, "tables")


def figures(configuration: Configuration) -> dict[str, Shown]:
    """Return the figures by id.

    A latency entry has a frontier, and growth where it sweeps; a comparison of two systems or more wins; a
    sweep its curve; and the section ``artefacts`` names others.

    Raises
    ------
    InputError
        When names of the configuration give two figures the same id.
    """
    timed, compared = configuration.latency, configuration.comparisons
    found = [(f"frontier-{name}", Shown("latency", name, "frontier")) for name in timed]
    found += [
        (f"growth-{name}", Shown("latency", name, "growth"))
        for name, one in timed.items()
        if one.sweep and one.sweep.depths
    ]
    found += [
        (f"wins-{name}", Shown("comparisons", name, "wins"))
        for name, one in compared.items()
        if len(one.rerankers) > 1
    ]
    found += [(f"sweep-{name}", Shown("sweeps", name, "sweep")) for name in configuration.sweeps]
    found += [
        (name, Shown("artefacts", name, one.figure))
        for name, one in configuration.artefacts.items()
        if isinstance(one, FigureArtefact)
    ]
    return _distinct(found, "figures")


def table_ids(configuration: Configuration) -> list[str]:
    return list(tables(configuration))


def figure_ids(configuration: Configuration) -> list[str]:
    return list(figures(configuration))


def _distinct(found: Iterable[tuple[str, Shown]], what: str) -> dict[str, Shown]:
    by_id: dict[str, Shown] = {}
    for identifier, shown in found:
        if by_id.setdefault(identifier, shown) is not shown:
            raise InputError(
                f"two {what} would be called {identifier!r}",
                hint="rename a comparison, latency entry or sweep",
            )
    return by_id
