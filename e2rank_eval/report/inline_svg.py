"""A stored SVG figure as a part of a page: ids of its own, the page's colours and type."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from e2rank_eval.errors import InputError
from e2rank_eval.report.figure_style import INK, MUTED, PAPER, RULE

_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}


def inline_svg(path: Path, identifier: str, title: str) -> Markup:
    """The ``<svg>`` element of the file that the figure verb wrote, ready to stand in a page.

    Ids get ``identifier`` before them, so that two figures of one page cannot refer to each other;
    ink, grid and ground become the page's, so that a figure is as readable in the dark.

    Raises
    ------
    InputError
        When the file is missing or holds no SVG.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("no such file", path=path, mend="run the step that makes it first") from error
    match = re.search(r"<svg\b[^>]*>(.*)</svg>", text, re.DOTALL)
    box = re.search(r'viewBox="([\d. ]+)"', text)
    if match is None or box is None:
        raise InputError("no SVG in it", path=path, mend="draw the figure again")
    body = re.sub(r"<(metadata|title|style)\b.*?</\1>\s*", "", match[1], flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{identifier}-', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\1{identifier}-", body).replace("xlink:href", "href")
    body = body.replace("font-family: 'DejaVu Sans', sans-serif", "font-family: var(--sans)")
    for colour, variable in _COLOURS.items():
        body = body.replace(colour, variable)
    return Markup(
        f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
        f"{body}</svg>"
    )
