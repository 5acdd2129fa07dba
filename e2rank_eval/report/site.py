"""The site verb: stored results as a tree of static pages that opens from disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from e2rank_eval.config import Configuration
from e2rank_eval.errors import InputError
from e2rank_eval.report.audit_page import audit_page
from e2rank_eval.report.collect import Results
from e2rank_eval.report.dataset_pages import dataset_pages
from e2rank_eval.report.index import figure_ids, table_ids
from e2rank_eval.report.leaderboard_page import leaderboard_files, leaderboard_page
from e2rank_eval.report.main_pages import main_pages
from e2rank_eval.report.matrix_page import matrix_page
from e2rank_eval.report.page import Page
from e2rank_eval.report.paper_pages import MTEB, PAPER, mteb_pages, paper_pages
from e2rank_eval.report.query_pages import query_pages
from e2rank_eval.report.rendering import Renderer
from e2rank_eval.store import layout as places
from e2rank_eval.store.files import write_text
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.manifests import write_manifest

PAGES: tuple[Callable[[Results], Iterable[Page]], ...] = (
    main_pages, paper_pages, mteb_pages, dataset_pages, matrix_page, leaderboard_page, query_pages,
    audit_page,
)  # fmt: skip
"""What makes pages; another kind of page is one more function here."""

_DOWNLOADS = {"tables": ("csv", "md", "tex"), "figures": ("png", "svg", "csv")}


def write_site(layout: Layout, configuration: Configuration, *, local_only: bool = False) -> Path:
    """Write ``site/`` anew and return its index.html.

    Every page holds its own style, script and data: the tree can be copied or sent as it is. Its
    bytes depend on the stored results alone, of which latency and manifests differ from run to run.
    What the workflow left out because this machine lacks something is not shown, but named.
    With ``local_only`` it holds the texts of closed collections too, lies in ``site-local-only/``
    and says on every page that it is to be kept to oneself.

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
        _Site(results, part).write()
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


class _Site:
    """The pages of one set of results, written below ``folder``."""

    def __init__(self, results: Results, folder: Path) -> None:
        self._results = results
        self._folder = folder
        profile = results.configuration.profile
        self._renderer = Renderer(profile, navigation(results.configuration), local_only=results.local_only)

    def write(self) -> None:
        self._copy_downloads()
        for place, content in leaderboard_files(self._results).items():
            write_text(self._folder / place, content)
        for make in PAGES:
            for page in make(self._results):
                write_text(self._folder / page.place, self._renderer.render(page))

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
                    raise InputError("no such file", path=source, hint=f"write the {kind} first")
                shutil.copyfile(source, target)


def navigation(configuration: Configuration) -> list[tuple[str, str]]:
    """(page, name) of what every page leads to."""
    found = [("index.html", "Overview")]
    found += [(PAPER, "The paper's tables")] if configuration.artefacts else []
    found += [(MTEB, "MTEB")] if configuration.mteb else []
    return [
        *found,
        ("matrix.html", "Matrix"),
        ("leaderboard.html", "Leaderboard"),
        ("audit.html", "Audit of the paper"),
    ]
