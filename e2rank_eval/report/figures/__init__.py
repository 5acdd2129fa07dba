"""Kinds of figures, each a module of this package that registers itself; `e2rank-eval figure` writes them."""

from __future__ import annotations

import time
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.report.collect import Results
from e2rank_eval.report.drawing import Drawing, forms, style
from e2rank_eval.report.outputs import Outputs
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_bytes
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

FIGURES: Outputs[Drawing] = Outputs("figure", "e2rank_eval.report.figures")


def build_figure(results: Results, identifier: str) -> Drawing:
    """Draw the figure called ``identifier``; raises as :meth:`Outputs.build`."""
    with style():
        return FIGURES.build(results, identifier)


def write_figure(layout: Layout, configuration: Configuration, identifier: str) -> list[Path]:
    """Write ``figures/<identifier>`` as PNG, SVG and CSV; return the paths.

    The bytes depend on the stored results and the version of matplotlib alone. Raises as
    :func:`build_figure`.
    """
    started = time.time()
    results = Results(layout, configuration)
    drawing = build_figure(results, identifier)
    with style():
        contents = forms(drawing)
    paths = {suffix: layout.path(places.FIGURE, figure=identifier, suffix=suffix) for suffix in contents}
    for suffix, content in contents.items():
        write_bytes(paths[suffix], content)
    write_manifest(
        paths["csv"],
        command=f"e2rank-eval figure {identifier} --config {layout.path(places.CONFIG)}",
        settings={"figure": identifier},
        inputs=results.files_read,
        started=started,
    )
    return list(paths.values())
