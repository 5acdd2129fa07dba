"""One page per collection: its sizes, lengths in words and tokens, judgements per query, grades, findings."""

from __future__ import annotations

from collections.abc import Iterator

from e2rank_eval.report.addresses import dataset_page
from e2rank_eval.report.collect import Results
from e2rank_eval.report.page import Page
from e2rank_eval.report.table import Cell, Column, Table
from e2rank_eval.store.results import DatasetDescription

_TOKENS = (
    "Words are split at white space. Tokens are runs of letters and digits, and every other mark by itself: "
    "the pieces that a subword tokeniser starts from, so that a model counts more of them."
)


def dataset_pages(results: Results) -> Iterator[Page]:
    """A page for every data set that a run is on."""
    for name in results.datasets():
        found = results.dataset(name)
        context = {
            "name": name,
            "found": found,
            "tables": [lengths_table(found), grades_table(found), findings_table(found)],
        }
        yield Page("dataset.html", dataset_page(name), context)


def lengths_table(found: DatasetDescription) -> Table:
    """Least, median, mean and greatest of what is counted for each document and query."""
    counted = found.statistics
    spreads = {
        "words per document": counted.words_per_document,
        "tokens per document": counted.tokens_per_document,
        "words per query": counted.words_per_query,
        "tokens per query": counted.tokens_per_query,
        "judgements per query": counted.judgements_per_query,
    }
    columns = (
        Column("counted", "text"), Column("least", "count"), Column("median", "number"),
        Column("mean", "number"), Column("greatest", "count"),
    )  # fmt: skip
    rows = tuple(
        (Cell(what), Cell(one.min), Cell(one.median), Cell(one.mean), Cell(one.max))
        for what, one in spreads.items()
    )
    return Table("lengths", "Lengths and judgements", columns, rows, (_TOKENS,))


def grades_table(found: DatasetDescription) -> Table:
    """How many judgements gave each grade, and their share of all; shaded by the share."""
    columns = (Column("grade", "text"), Column("judgements", "count"), Column("% of all", "ratio"))
    rows = tuple(
        (Cell(grade), Cell(count), Cell(100 * count / found.judgements, heat=count / found.judgements))
        for grade, count in found.statistics.grades.items()
    )
    return Table("grades", "Grades", columns, rows)


def findings_table(found: DatasetDescription) -> Table:
    """What can bend the numbers, and what the loader left out; counts of 0 are stated too."""
    rows = tuple((Cell(what), Cell(count)) for what, count in (found.findings | found.left_out).items())
    columns = (Column("found", "text"), Column("number", "count"))
    return Table("findings", "What can bend its numbers", columns, rows)
