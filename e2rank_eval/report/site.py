"""The site verb: stored results as a tree of static pages that opens from disk."""

from __future__ import annotations

import base64
import hashlib
import shutil
import time
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from e2rank_eval import __version__
from e2rank_eval.configuration import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.report import page_tables, pages
from e2rank_eval.report.collect import Results, RunKey
from e2rank_eval.report.index import figure_ids, table_ids
from e2rank_eval.report.inline_svg import inline_svg
from e2rank_eval.report.render_html import comparison_page, run_page, to_html
from e2rank_eval.report.table import Table
from e2rank_eval.report.tables import build_table
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

_DOWNLOADS = {"tables": ("csv", "md", "tex"), "figures": ("png", "svg", "csv")}


def write_site(layout: Layout, configuration: Configuration) -> Path:
    """Write ``site/`` anew and return its index.html.

    Every page holds its own style and script: the tree can be copied or sent as it is. Its bytes
    depend on the stored results alone, of which latency and manifests differ from run to run.

    Raises
    ------
    InputError
        When a result, table or figure of the configuration is missing or malformed.
    """
    started = time.time()
    results = Results(layout, configuration)
    index = layout.path(places.SITE)
    folder, part = index.parent, index.parent.with_name(".site.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _Site(results, part).write()
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    write_manifest(
        index,
        command=f"e2rank-eval site --config {layout.path(places.CONFIG)}",
        settings={},
        inputs=results.files_read,
        started=started,
    )
    return index


class _Site:
    """The pages of one set of results, written below ``folder``."""

    def __init__(self, results: Results, folder: Path) -> None:
        self._results = results
        self._folder = folder
        self._templates = Environment(
            loader=PackageLoader("e2rank_eval.report"), autoescape=True, undefined=StrictUndefined,
            trim_blocks=True, lstrip_blocks=True,
        )  # fmt: skip
        style, script = _static("site.css"), _static("site.js")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        # Only this very script may run and nothing may load: a second wall behind the escaping.
        self._templates.globals |= {
            "style": Markup(style),
            "script": Markup(script),
            "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'",
            "version": __version__,
            "profile": results.configuration.profile,
        }

    def write(self) -> None:
        self._copy_downloads()
        self._write_page("index.html", "index.html", self._index())
        for name in self._results.configuration.comparisons:
            self._write_page("comparison.html", comparison_page(name), self._comparison(name))
        for key in self._results.run_keys():
            self._write_page("run.html", run_page(key), self._run(key))

    def _write_page(self, template: str, place: str, context: dict[str, Any]) -> None:
        root = "../" * place.count("/")

        def table(found: Table, caption: str | None = None) -> Markup:
            return to_html(found, root=root, caption=caption)

        page = self._templates.get_template(template).render(context, root=root, table=table)
        write_text(self._folder / place, page)

    def _index(self) -> dict[str, Any]:
        results, configuration = self._results, self._results.configuration
        tables = {identifier: build_table(results, identifier) for identifier in table_ids(configuration)}
        return {
            "configuration": configuration,
            "findings": [pages.finding(results, name) for name in configuration.comparisons],
            "untrained": pages.untrained_systems(results),
            "devices": pages.devices(results),
            "tables": tables,
            "figures": {identifier: self._figure(identifier) for identifier in figure_ids(configuration)},
            "datasets": page_tables.datasets_table(results),
            "systems": page_tables.systems_table(results),
            "runs": page_tables.runs_table(results),
            "notes": {name: results.comparison(name).note for name in configuration.comparisons},
        }

    def _comparison(self, name: str) -> dict[str, Any]:
        results = self._results
        return {
            "name": name,
            "comparison": results.comparison(name),
            "tables": [build_table(results, f"{name}{part}") for part in ("", "-measures", "-tests")],
            "provenance": pages.comparison_provenance(results, name),
        }

    def _run(self, key: RunKey) -> dict[str, Any]:
        results = self._results
        timed = key in results.timed_keys()
        return {
            "key": key,
            "run": pages.run_facts(results, key),
            "latency": pages.latency_of_run(results.latency(key)) if timed else None,
            "queries": page_tables.queries_table(results, key),
            "provenance": pages.run_provenance(results, key),
        }

    def _figure(self, identifier: str) -> Markup:
        path = self._results.layout.path(places.FIGURE, figure=identifier, suffix="svg")
        return inline_svg(path, identifier, identifier.replace("-", " "))

    def _copy_downloads(self) -> None:
        configuration = self._results.configuration
        wanted = {"tables": table_ids(configuration), "figures": figure_ids(configuration)}
        for kind, identifiers in wanted.items():
            for name in (f"{i}.{suffix}" for i in identifiers for suffix in _DOWNLOADS[kind]):
                source, target = (
                    self._results.layout.root / kind / name,
                    self._folder / "downloads" / kind / name,
                )
                target.parent.mkdir(parents=True, exist_ok=True)
                if not source.exists():
                    raise InputError("no such file", path=source, mend=f"write the {kind} first")
                shutil.copyfile(source, target)


def _static(name: str) -> str:
    return (resources.files("e2rank_eval.report") / "static" / name).read_text(encoding="utf-8")
