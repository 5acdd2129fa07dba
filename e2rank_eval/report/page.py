"""One page of the site before it is rendered: its template, its place and what the template is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Page:
    """``place`` lies below the site's root; ``scripts`` are files of static/ that run after site.js."""

    template: str
    place: str
    context: Mapping[str, Any]
    scripts: tuple[str, ...] = ()
