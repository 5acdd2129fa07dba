"""Pages as HTML: templates, one style for all, and a policy under which only the page's scripts may run."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from e2rank_eval import __version__
from e2rank_eval.report.addresses import to_root
from e2rank_eval.report.page import Page
from e2rank_eval.report.render_html import to_html
from e2rank_eval.report.table import Table

_STYLES = ("site.css", "parts.css")


class Renderer:
    """Renders the pages of one site, each leading to ``navigation``'s; ``local_only`` marks every one."""

    def __init__(
        self, profile: str, navigation: Sequence[tuple[str, str]] = (), *, local_only: bool = False
    ) -> None:
        self._templates = Environment(
            loader=PackageLoader("e2rank_eval.report"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        self._templates.globals |= {
            "style": Markup("".join(map(_static, _STYLES))),
            "version": __version__,
            "profile": profile,
            "navigation": navigation,
            "local_only": local_only,
        }

    def render(self, page: Page) -> str:
        """The page with its style, scripts and data inside: it needs no other file."""
        root = to_root(page.place)
        scripts = [_static(name) for name in ("site.js", *page.scripts)]

        def table(found: Table, caption: str | None = None) -> Markup:
            return to_html(found, root=root, caption=caption)

        return self._templates.get_template(page.template).render(
            page.context, root=root, place=page.place, table=table, scripts=[Markup(s) for s in scripts],
            policy=_policy(scripts),
        )  # fmt: skip


def _policy(scripts: Iterable[str]) -> str:
    """Only these very scripts may run and nothing may load: a second wall behind the escaping."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}"


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _static(name: str) -> str:
    return (resources.files("e2rank_eval.report") / "static" / name).read_text(encoding="utf-8")
