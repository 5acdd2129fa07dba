"""How systems are called wherever a reader meets them, and where their pages are in the site."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from e2rank_eval.config import Configuration
from e2rank_eval.config.measurements import RunKey as RunKey
from e2rank_eval.models.references import Catalogue
from e2rank_eval.report.table import Cell

HEADLINE = "nDCG@10"
"""The measure of the paper's tables, of every figure and of the site's per-query lists."""

UNTRAINED = "untrained"
"""The mark of a model that is used for what it was never trained for."""

UNTRAINED_NOTE = (
    "Untrained: a listwise prompt on a backbone that was never trained for E2Rank, or vectors of a model "
    "that was never trained to embed."
)

QUERIES_A_PAGE = 100
"""How many queries share a page that shows them one at a time; bounds the data that the page holds."""


def label(configuration: Configuration, reranker: str) -> str:
    """Return the reranker's configured label, or its name."""
    return configuration.rerankers[reranker].label or reranker


def first_stage_label(configuration: Configuration, first_stage: str) -> str:
    """Return the first stage's configured label, or its name."""
    return configuration.first_stages[first_stage].label or first_stage


def is_untrained(configuration: Configuration, reranker: str) -> bool:
    """Return whether a model embeds what it was never trained to: a listwise prompt, or texts at all."""
    settings: Any = configuration.rerankers[reranker]
    if settings.family not in ("e2rank", "feedback"):
        return False
    model = Catalogue.of(configuration).known(settings.model)
    if model is None:
        return False
    listwise = settings.family == "e2rank" and settings.prompt != "query-only"
    return not (model.trained_for_e2rank if listwise else model.trained_for_embedding)


def full_name(configuration: Configuration, reranker: str) -> str:
    """Return the label, followed by "untrained" where that is so."""
    mark = f", {UNTRAINED}" if is_untrained(configuration, reranker) else ""
    return label(configuration, reranker) + mark


def system_cell(configuration: Configuration, reranker: str) -> Cell:
    """Return the label as a cell, tagged where the model is untrained."""
    tags = (UNTRAINED,) if is_untrained(configuration, reranker) else ()
    return Cell(label(configuration, reranker), tags=tags)


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
    """Return the page of a query with the fragment that names it there."""
    return f"{query_page(run, position)}#{quote(query, safe='')}"


def to_root(page: str) -> str:
    """Return the way from ``page`` back to the site's root, with a final slash; empty for a page there."""
    return "../" * page.count("/")
