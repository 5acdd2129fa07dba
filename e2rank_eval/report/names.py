"""Labels that tables and pages share, and the paths of the site's pages."""

from __future__ import annotations

from urllib.parse import quote

from e2rank_eval.config.measurements import RunKey

HEADLINE = "nDCG@10"
"""The measure of the paper's tables, of every figure and of the site's per-query lists."""

UNTRAINED = "untrained"
"""The tag of a model that is used for something it was not trained for."""

UNTRAINED_NOTE = (
    "Untrained: a listwise prompt on a backbone that was never trained for E2Rank, or vectors of a model "
    "that was never trained to embed."
)

QUERIES_A_PAGE = 100
"""Queries in the data of one page, which shows them one at a time."""


def run_page(run: RunKey) -> str:
    """Return the page of a run (data set, first stage, reranker), below the site's root."""
    return f"runs/{'/'.join(run)}.html"


def comparison_page(name: str) -> str:
    """Return the page of a comparison."""
    return f"comparisons/{name}.html"


def dataset_page(name: str) -> str:
    """Return the page of a data set."""
    return f"datasets/{name}.html"


def query_page(run: RunKey, position: int) -> str:
    """Return the page that holds the run's query at ``position`` in its metrics, from 0."""
    return f"queries/{'/'.join(run)}/{position // QUERIES_A_PAGE + 1}.html"


def query_address(run: RunKey, position: int, query: str) -> str:
    """Return the link to a query: its page, with the query id as fragment."""
    return f"{query_page(run, position)}#{quote(query, safe='')}"


def to_root(page: str) -> str:
    """Return the relative path from ``page`` to the site's root, with a final slash; empty at the root."""
    return "../" * page.count("/")
