"""The figure verb: one figure of the configuration, drawn from stored results as PNG, SVG and data."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from e2rank_eval.config import Configuration, FigureArtefact
from e2rank_eval.errors import InputError
from e2rank_eval.report.bars import draw_bars
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figure_style import Drawing, forms, style
from e2rank_eval.report.frontier import draw_frontier
from e2rank_eval.report.gain_figures import draw_gains
from e2rank_eval.report.growth import draw_growth
from e2rank_eval.report.index import figure_ids
from e2rank_eval.report.similarity import draw_similarity
from e2rank_eval.report.sweep import draw_sweep
from e2rank_eval.report.wins import draw_wins
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_bytes
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

__all__ = ["build_figure", "figure_ids", "write_figure"]

_KINDS = {"frontier": draw_frontier, "growth": draw_growth, "wins": draw_wins, "sweep": draw_sweep}
_ARTEFACTS = {"bars": draw_bars, "similarity": draw_similarity}


def build_figure(results: Results, identifier: str) -> Drawing:
    """The figure called ``identifier``.

    Raises
    ------
    InputError
        When the configuration has no such figure, or a file that it needs is missing or malformed.
    """
    known = figure_ids(results.configuration)
    if identifier not in known:
        raise InputError(f"no figure named {identifier!r}", hint=f"known: {', '.join(known)}")
    artefact = results.configuration.artefacts.get(identifier)
    with style():
        if isinstance(artefact, FigureArtefact):
            return _declared(results, identifier, artefact)
        kind, _, name = identifier.partition("-")
        return _KINDS[kind](results, name)


def _declared(results: Results, name: str, artefact: FigureArtefact) -> Drawing:
    """A figure that the configuration declares under a name of its own."""
    if artefact.figure in _KINDS:
        return replace(_KINDS[artefact.figure](results, str(artefact.of)), id=name)
    return _ARTEFACTS.get(artefact.figure, draw_gains)(results, name)


def write_figure(layout: Layout, configuration: Configuration, figure_id: str) -> list[Path]:
    """Write ``figures/<figure_id>`` as PNG, SVG and CSV; return the paths.

    The bytes depend on the stored results and the version of matplotlib alone. Raises as
    :func:`build_figure`.
    """
    started = time.time()
    results = Results(layout, configuration)
    drawing = build_figure(results, figure_id)
    with style():
        contents = forms(drawing)
    paths = {suffix: layout.path(places.FIGURE, figure=figure_id, suffix=suffix) for suffix in contents}
    for suffix, content in contents.items():
        write_bytes(paths[suffix], content)
    write_manifest(
        paths["csv"],
        command=f"e2rank-eval figure {figure_id} --config {layout.path(places.CONFIG)}",
        settings={"figure": figure_id},
        inputs=results.files_read,
        started=started,
    )
    return list(paths.values())
