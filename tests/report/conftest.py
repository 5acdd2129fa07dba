"""One synthetic results folder for all tests of the report."""

from __future__ import annotations

from pathlib import Path

import pytest
from report.results_tree import build_results

from e2rank_eval.report.collect import Results, open_results
from e2rank_eval.report.figures import FIGURES
from e2rank_eval.report.site import write_site
from e2rank_eval.report.tables import TABLES
from e2rank_eval.store.layout import Layout


@pytest.fixture(scope="session")
def results_layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """Written once; a test that changes anything copies it first."""
    return build_results(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="session")
def site(results_layout: Layout) -> Path:
    """The folder of the site, with the tables and figures that it needs beside it."""
    configuration = open_results(results_layout.root).configuration
    for identifier in TABLES.shown(configuration):
        TABLES.write(results_layout, configuration, identifier)
    for identifier in FIGURES.shown(configuration):
        FIGURES.write(results_layout, configuration, identifier)
    return write_site(results_layout, configuration).parent


@pytest.fixture(scope="session")
def stored(results_layout: Layout) -> Results:
    return open_results(results_layout.root)


@pytest.fixture
def copied_layout(results_layout: Layout, tmp_path: Path) -> Layout:
    """A copy of the results that a test may spoil."""
    import shutil

    shutil.copytree(results_layout.root, tmp_path / "results")
    return Layout(tmp_path / "results")
