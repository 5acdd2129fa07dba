"""Where a run, a comparison, a data set or a query has its page below the site's root."""

from __future__ import annotations

from urllib.parse import quote

QUERIES_A_PAGE = 100
"""How many queries share a page that shows them one at a time; bounds the data that it holds."""


def run_page(run: tuple[str, str, str]) -> str:
    return f"runs/{'/'.join(run)}.html"


def comparison_page(name: str) -> str:
    return f"comparisons/{name}.html"


def dataset_page(name: str) -> str:
    return f"datasets/{name}.html"


def query_page(run: tuple[str, str, str], position: int) -> str:
    """Of a run's query at ``position`` in its metrics, from 0."""
    return f"queries/{'/'.join(run)}/{position // QUERIES_A_PAGE + 1}.html"


def query_part(query: str) -> str:
    """The fragment that names a query within its page."""
    return quote(query, safe="")


def to_root(page: str) -> str:
    """The way from ``page`` back to the site's root, with a final slash; empty on a page of the root."""
    return "../" * page.count("/")
