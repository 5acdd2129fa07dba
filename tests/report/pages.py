"""Reads pages of the site back: their tags, the texts of their tables, the data that they embed."""

from __future__ import annotations

import base64
import gzip
import json
import re
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """Cells' texts by row, and every tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data

    def all(self, attribute: str, tag: str = "") -> list[str]:
        """Return the values of an attribute, of one kind of tag or of all."""
        return [str(a[attribute]) for name, a in self.tags if attribute in a and tag in ("", name)]


def extract(page: str, identifier: str) -> Any:
    """Return what ``html.embed`` put into a page; None where there is no such block."""
    pattern = r'<script type="application/gzip" id="{}">([A-Za-z0-9+/=]*)</script>'
    found = re.search(pattern.format(re.escape(identifier)), page)
    return None if found is None else json.loads(gzip.decompress(base64.b64decode(found[1])))
