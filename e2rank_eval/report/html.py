"""HTML of tables and pages from templates; a page may run only its own scripts."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from e2rank_eval import __version__
from e2rank_eval.report.names import to_root
from e2rank_eval.report.table import Cell, Column, Table, interval_of, number, text_of
from e2rank_eval.store.files import canonical_json

_STYLES = ("site.css", "parts.css")

PAGED_SCRIPTS = ("embedded.js", "paged.js")
"""The scripts of a page with a table of :func:`to_paged`."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page; ``place`` is its path in the site, ``scripts`` are files in static/, run after site.js."""

    template: str
    place: str
    context: Mapping[str, Any]
    scripts: tuple[str, ...] = ()


@cache
def _templates() -> Environment:
    found = Environment(
        loader=PackageLoader("e2rank_eval.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    found.filters |= {
        "score": lambda mean: number(100 * mean, "score"),
        "change": lambda mean: number(100 * mean, "difference").replace("-", "−"),
    }
    found.globals |= {"version": __version__, "style": Markup("".join(map(_static, _STYLES)))}
    return found


def render(
    page: Page, profile: str, navigation: Sequence[tuple[str, str]] = (), *, local_only: bool = False
) -> str:
    """Return a page as one self-contained file with style, scripts and data.

    ``navigation`` has (page, name) of the links at its top; ``local_only`` adds the note not to share it.
    """
    root = to_root(page.place)
    scripts = [_static(name) for name in ("site.js", *page.scripts)]
    # The policy allows these scripts only, and no requests: a second protection after escaping.
    hashes = " ".join(f"'sha256-{_base64(hashlib.sha256(one.encode()).digest())}'" for one in scripts)
    return _templates().get_template(page.template).render(
        page.context, profile=profile, navigation=navigation, local_only=local_only,
        root=root, place=page.place,
        table=lambda found, caption=None: to_html(found, root=root, caption=caption),
        scripts=[Markup(one) for one in scripts],
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}",
    )  # fmt: skip


def to_html(table: Table, *, root: str = "../site/", caption: str | None = None) -> Markup:
    """Return ``<div class="table" id=...>`` with a captioned table, whose cells link to the pages of runs.

    ``data-value`` is the value by which a cell is sorted. ``caption`` replaces the title. ``root`` is the
    path to the site's root, with a final slash.
    """
    # All cells of a column reserve space for the largest number of marks in it, so that digits align.
    marks = [max((len(row[p].marks) for row in table.rows), default=0) for p in range(len(table.columns))]
    template = _templates().get_template("table.html")
    return Markup(
        template.render(
            table=table, caption=caption or table.title, root=root, marks=marks, text=_text, ends=_ends
        )
    )


def _text(cell: Cell, column: Column) -> str:
    return _typeset(text_of(cell, column.kind), column)


def _ends(cell: Cell, column: Column) -> str:
    return _typeset(interval_of(cell, column.kind), column)


def _typeset(text: str, column: Column) -> str:
    """Return the text of a cell with minus signs for hyphens in numbers; other formats keep hyphens."""
    return text if column.kind == "text" else text.replace("-", "−")


def to_paged(table: Table, *, root: str) -> Markup:
    """Return a table of any length as embedded data, which a script sorts, filters and shows page by page.

    Only the first cell of a row may carry a link; intervals, marks and tags are not shown.
    """
    columns = [
        {"heading": one.heading}
        | ({} if one.kind == "text" else {"decimals": one.decimals, "signed": one.kind == "difference"})
        for one in table.columns
    ]
    rows = [
        [round(cell.value, 10) if isinstance(cell.value, float) else cell.value for cell in row]
        for row in table.rows
    ]
    links = [root + row[0].link if row[0].link else None for row in table.rows]
    data = embed(f"{table.id}-data", {"columns": columns, "rows": rows, "links": links})
    return Markup(_templates().get_template("paged.html").render(table=table, data=data))


def embed(identifier: str, value: Any) -> Markup:
    """Return a data block that static/embedded.js reads by its id; a browser does not run it.

    A page opened from disk cannot fetch files, so it contains its data. Base64 has no ``<``, so texts of a
    collection cannot end the block.
    """
    content = _base64(gzip.compress(canonical_json(value).encode(), 6, mtime=0))
    return Markup('<script type="application/gzip" id="{}">{}</script>').format(identifier, content)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _static(name: str) -> str:
    return (resources.files("e2rank_eval.report") / "static" / name).read_text(encoding="utf-8")
