"""The site: stored results as a tree of static pages that opens from disk; `e2rank-eval site` writes it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.report import site_pages
from e2rank_eval.report.collect import Results
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.html import Page, render
from e2rank_eval.report.leaderboard import leaderboard_files
from e2rank_eval.report.run_pages import run_pages
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

PAGES: tuple[Callable[[Results], Iterable[Page]], ...] = (
    site_pages.overview_page, site_pages.comparison_pages, run_pages, site_pages.paper_page,
    site_pages.mteb_page, site_pages.dataset_pages, site_pages.leaderboard_page,
)  # fmt: skip
"""Functions that make the pages of the site."""


def write_site(layout: Layout, configuration: Configuration, *, local_only: bool = False) -> Path:
    """Write ``site/`` anew and return its index.html.

    Every page contains its style, scripts and data, so the folder can be copied or sent. The bytes depend
    only on the stored results, of which latency and manifests differ from run to run. With ``local_only``,
    pages also show texts of closed collections and a note not to share them, and are written to
    ``site-local-only/``.

    Raises
    ------
    InputError
        When a result, table or figure of the configuration is missing or malformed.
    """
    started = time.time()
    results = Results(layout, configuration, local_only=local_only)
    index = layout.path(places.LOCAL_SITE if local_only else places.SITE)
    folder = index.parent
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _write(results, part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    flag = " --local-only" if local_only else ""
    write_manifest(
        index,
        command=f"e2rank-eval site --config {layout.path(places.CONFIG)}{flag}",
        settings={"local_only": local_only},
        inputs=results.files_read,
        started=started,
    )
    return index


def _write(results: Results, folder: Path) -> None:
    configuration = results.configuration
    names = [f"tables/{one}.{end}" for one in TABLES.shown(configuration) for end in ("csv", "md", "tex")]
    names += [f"figures/{one}.{end}" for one in FIGURES.shown(configuration) for end in ("png", "svg", "csv")]
    for name in names:
        _copy(results.layout.root / name, folder / "downloads" / name)
    for place, content in leaderboard_files(results):
        write_text(folder / place, content)
    leading, local_only = navigation(configuration), results.local_only
    for make in PAGES:
        for page in make(results):
            content = render(page, configuration.profile, leading, local_only=local_only)
            write_text(folder / page.place, content)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copyfile(source, target)
    except FileNotFoundError as error:
        hint = f"write the {source.parent.name} first"
        raise InputError("no such file", path=source, hint=hint) from error


def navigation(configuration: Configuration) -> list[tuple[str, str]]:
    """Return (page, name) of the links that every page has."""
    tables, figures = configuration.tables, configuration.figures
    paper = [("paper.html", "The paper's tables" if tables else "Analysis")] if tables or figures else []
    mteb = [("mteb.html", "MTEB")] if configuration.mteb else []
    return [("index.html", "Overview"), *paper, *mteb, ("leaderboard.html", "Leaderboard")]
