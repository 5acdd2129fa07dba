"""A stored SVG figure as a part of a page: ids of its own, the page's colours and type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup, escape

from e2rank_eval.errors import InputError
from e2rank_eval.report.figure_style import INK, MUTED, PAPER, RULE

_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}

_MARK = r'<g id="{}">(.*?<use [^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>.*?</g>)\s*</g>'
"""A marker as matplotlib writes it: a group of its definition and of another group that places it."""

_TOUCH = 13
"""Radius, in points, within which a mark can be touched."""


@dataclass(frozen=True, slots=True)
class Point:
    """A mark of a figure as a link: where it leads, and the lines that a reader is shown there."""

    address: str
    lines: tuple[str, ...]


def inline_svg(path: Path, identifier: str, title: str, points: Mapping[str, Point] | None = None) -> Markup:
    """The ``<svg>`` element of the file that the figure verb wrote, ready to stand in a page.

    ``points`` are marks to make live, by their ids in the file. Ids get ``identifier`` before them, so
    that two figures of one page cannot refer to each other; ink, grid and ground become the page's,
    so that a figure is as readable in the dark.

    Raises
    ------
    InputError
        When the file is missing, holds no SVG or lacks a mark.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("no such file", path=path, hint="run the step that makes it first") from error
    match = re.search(r"<svg\b[^>]*>(.*)</svg>", text, re.DOTALL)
    box = re.search(r'viewBox="([\d. ]+)"', text)
    if match is None or box is None:
        raise InputError("no SVG in it", path=path, hint="draw the figure again")
    body = re.sub(r"<(metadata|title|style)\b.*?</\1>\s*", "", match[1], flags=re.DOTALL)
    for mark, point in (points or {}).items():
        body, found = re.subn(_MARK.format(re.escape(mark)), _link(point), body, count=1, flags=re.DOTALL)
        if not found:
            raise InputError(f"no mark {mark!r} in it", path=path, hint="draw the figure again")
    body = re.sub(r'\bid="', f'id="{identifier}-', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\1{identifier}-", body).replace("xlink:href", "href")
    body = body.replace("font-family: 'DejaVu Sans', sans-serif", "font-family: var(--sans)")
    for colour, variable in _COLOURS.items():
        body = body.replace(colour, variable)
    # What stands in an image is hidden from screen readers, so a figure with links is a group.
    role = "group" if points else "img"
    return Markup(
        f'<svg viewBox="{box[1]}" role="{role}" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
        f"{body}</svg>"
    )


def _link(point: Point) -> Callable[[re.Match[str]], str]:
    opening = Markup('<a class="point" href="{}" aria-label="{}" data-lines="{}">').format(
        point.address, ". ".join(point.lines), "\n".join(point.lines)
    )
    return lambda mark: (
        f'{opening}<circle cx="{mark[2]}" cy="{mark[3]}" r="{_TOUCH}" fill="transparent"/>{mark[1]}</a>'
    )
