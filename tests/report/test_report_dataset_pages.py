"""The page of a collection shows what its manifest counts, and is linked from the overview."""

from __future__ import annotations

from pathlib import Path

from e2rank_eval.datasets.checks import statistics
from e2rank_eval.records import Dataset
from e2rank_eval.report.collect import open_results
from e2rank_eval.report.site_pages import dataset_tables
from e2rank_eval.store.layout import Layout
from e2rank_eval.store.results import DatasetDescription


def test_lengths_and_grades_are_those_of_the_collection(lee_dataset: Dataset) -> None:
    found = DatasetDescription(
        id="lee", title="Lee", documents=50, queries=50, judgements=2450, licence="none", show_text=False,
        left_out={}, findings={}, statistics=statistics(lee_dataset),
    )  # fmt: skip
    lengths_table, grades_table, _ = dataset_tables(found)
    lengths = {row[0].value: [cell.value for cell in row[1:]] for row in lengths_table.rows}
    longest = max(len(document.text.split()) for document in lee_dataset.corpus.values())
    assert lengths["words per document"][3] == longest
    assert lengths["tokens per document"][2] > lengths["words per document"][2]
    assert lengths["judgements per query"] == [49, 49, 49, 49]
    assert sum(row[1].value for row in grades_table.rows) == 2450
    assert abs(sum(row[2].value for row in grades_table.rows) - 100) < 1e-9


def test_every_data_set_has_a_page_that_the_overview_links(site: Path, results_layout: Layout) -> None:
    overview = (site / "index.html").read_text(encoding="utf-8")
    for name in open_results(results_layout.root).configuration.datasets:
        assert f'href="datasets/{name}.html"' in overview
        assert "tokens per document" in (site / "datasets" / f"{name}.html").read_text(encoding="utf-8")
