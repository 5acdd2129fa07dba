"""The ablation at the small scale beside the paper's own (table 6), as CSV, Markdown and JSON.

    python workflow/scripts/ablation_table.py results/reference/small_ablation

reads the comparison `ablation` of config/trained-ablation.yaml, which has to be made first.
"""

from __future__ import annotations

import sys
from pathlib import Path

from e2rank_eval.cli.common import open_configuration
from e2rank_eval.paper import published
from e2rank_eval.report.collect import Results
from e2rank_eval.report.names import label
from e2rank_eval.report.render import to_csv, to_markdown
from e2rank_eval.report.table import Cell, Column, Table, ranked
from e2rank_eval.store.files import write_json, write_text
from e2rank_eval.store.results import MACRO, Comparison

CONFIG = Path("config/trained-ablation.yaml")
FULL = "full"
PUBLISHED_FULL = "E2Rank-0.6B"
PUBLISHED_COLUMN = "beir-avg"
COUNTERPARTS = {
    "query-only": "w/ only Stage I",
    FULL: PUBLISHED_FULL,
    "no-info-nce": "w/o InfoNCE in Stage II",
    "no-ranknet": "w/o RankNet in Stage II",
}
"""The row of table 6 that a variant has; the others are of this project alone."""

NOTES = (
    "nDCG@10 × 100 over BM25's top 100 (Lee: all 49), 3 documents, residual weight 1.0, seed 13 where none "
    "is named. Difference and p: the mean of the three collections against the full recipe; two-sided "
    "randomisation test stratified by collection, 100,000 permutations; Holm's correction over every test of "
    "the comparison.",
    "Training: config/train/ablation.yaml, 120 steps each. The full recipe is models/e2rank-minilm. The "
    "setting and the losses' weights were chosen for the full recipe, not for each variant.",
    "Table 6: E2Rank-0.6B's mean over BEIR and its difference from the full model there. Model, data and "
    "collections differ, so no more than the signs of the differences can be compared.",
    "w/o Stage I has no row of ours: MiniLM takes the place of Stage I, and training without it would need "
    "an encoder pretrained on plain text alone. w/o Listwise in Stage II was not run: documents and plain "
    "queries are frozen here, so that nothing would be left to train.",
    "InfoNCE alone, documents frozen, is the loss of ANCE-PRF (arXiv 2108.13454); base model, data and the "
    "residual are the small recipe's.",
)


def ablation_table(results: Results) -> Table:
    """A row for each variant, then for each row of table 6 that has none of ours."""
    comparison = results.comparison("ablation")
    columns = [Column("variant")]
    columns += [Column(name, "score", ranked=True) for name in comparison.datasets]
    columns += [
        Column("mean", "score", ranked=True), Column("difference", "difference"), Column("p after Holm", "p"),
        Column("table 6", "text"), Column("BEIR, published", "score"),
        Column("difference, published", "difference"),
    ]  # fmt: skip
    rows = [
        (
            Cell(label(results.configuration, name)),
            *_ours(comparison, name),
            *_published(COUNTERPARTS.get(name)),
        )
        for name in comparison.rerankers
    ]
    other = [name for name in _printed() if name not in COUNTERPARTS.values()]
    rows += [(Cell("not run"), *[Cell(None)] * 6, *_published(name)) for name in other]
    return ranked(Table("ablation", comparison.title, tuple(columns), tuple(rows), NOTES))


def _ours(comparison: Comparison, name: str) -> list[Cell]:
    scores = {row.dataset: row for row in comparison.systems if row.reranker == name}
    cells = [Cell(100 * scores[dataset].mean) for dataset in comparison.datasets]
    mean = scores[MACRO]
    cells.append(Cell(100 * mean.mean, (100 * mean.interval[0], 100 * mean.interval[1])))
    tests = [row for row in comparison.tests if row.reranker == name and row.dataset == MACRO]
    if not tests:
        return [*cells, Cell(None), Cell(None)]
    return [*cells, Cell(100 * tests[0].difference), Cell(tests[0].p_holm)]


def _published(system: str | None) -> list[Cell]:
    if system is None:
        return [Cell("–"), Cell(None), Cell(None)]
    printed = _printed()
    value, full = printed[system], printed[PUBLISHED_FULL]
    return [Cell(system), Cell(value), Cell(value - full if system != PUBLISHED_FULL else None)]


def _printed() -> dict[str, float]:
    return {cell.system: cell.value for cell in published.table("6") if cell.column == PUBLISHED_COLUMN}


def main(out: Path) -> None:
    """Write the table as ``out``.csv and .md, and the comparison that it is made of as ``out``.json."""
    configuration, layout = open_configuration(CONFIG)
    results = Results(layout, configuration)
    table = ablation_table(results)
    write_text(out.with_suffix(".csv"), to_csv(table))
    write_text(out.with_suffix(".md"), to_markdown(table))
    write_json(out.with_suffix(".json"), results.comparison("ablation").model_dump(mode="json"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
