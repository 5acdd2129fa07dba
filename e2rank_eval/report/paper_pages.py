"""The paper's tables and figures as one page, MTEB's tables as another, where a configuration has them."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from e2rank_eval.config import FigureArtefact, TableArtefact
from e2rank_eval.report.collect import Results
from e2rank_eval.report.inline_svg import inline_svg
from e2rank_eval.report.page import Page
from e2rank_eval.report.tables import build_table
from e2rank_eval.store import layout as places

PAPER, MTEB = "paper.html", "mteb.html"


def paper_pages(results: Results) -> Iterator[Page]:
    """Yield the page of every table of the paper, its figures and the analyses beyond it."""
    artefacts = results.configuration.artefacts
    if not artefacts:
        return
    tables = {name: one for name, one in artefacts.items() if isinstance(one, TableArtefact)}
    figures = {name: one for name, one in artefacts.items() if isinstance(one, FigureArtefact)}
    context = {
        "tables": {name: (f"Table {one.table}", build_table(results, name)) for name, one in tables.items()},
        "figures": {name: (_heading(name, one), _figure(results, name)) for name, one in figures.items()},
    }
    yield Page("paper.html", PAPER, context)


def _heading(name: str, figure: FigureArtefact) -> str:
    """``Figure 3: Similarity by rank`` where the paper has the figure, else its title."""
    number = name.removeprefix("figure") if name.startswith("figure") else ""
    return ": ".join(part for part in (f"Figure {number}" if number else "", figure.title) if part)


def _figure(results: Results, name: str) -> Markup:
    return inline_svg(results.layout.path(places.FIGURE, figure=name, suffix="svg"), name, name)


def mteb_pages(results: Results) -> Iterator[Page]:
    """Yield the page of every mteb entry: means, scores by task and what they took."""
    entries = results.configuration.mteb
    if entries:
        tables = {
            entry: [build_table(results, f"mteb-{entry}{part}") for part in ("", "-tasks", "-costs")]
            for entry in entries
        }
        yield Page("mteb.html", MTEB, {"entries": entries, "tables": tables})
