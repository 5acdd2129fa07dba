"""The leaderboard as a page, and the files that it offers."""

from __future__ import annotations

import json
from collections.abc import Iterator

from e2rank_eval.report.collect import HEADLINE, Results
from e2rank_eval.report.leaderboard import entries, mteb_place, mteb_result, mteb_revision, to_csv
from e2rank_eval.report.names import UNTRAINED
from e2rank_eval.report.page import Page
from e2rank_eval.report.table import Cell, Column, Link, Table, ranked

FOLDER = "downloads/leaderboard"


def leaderboard_page(results: Results) -> Iterator[Page]:
    """One page: every run by collection, best first, each with its file in mteb's format."""
    yield Page("leaderboard.html", "leaderboard.html", {"one": _table(results), "folder": FOLDER})


def leaderboard_files(results: Results) -> dict[str, str]:
    """Contents by place below the site's root: CSV, JSON, and a folder of mteb results."""
    rows = entries(results)
    document = {"profile": results.configuration.profile, "measure": HEADLINE, "runs": rows}
    files = {f"{FOLDER}/leaderboard.csv": to_csv(rows), f"{FOLDER}/leaderboard.json": _json(document)}
    for row in rows:
        place = mteb_place(row, mteb_revision(results, row))
        files[f"{FOLDER}/mteb/{place}"] = _json(mteb_result(row))
    return files


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _table(results: Results) -> Table:
    rows, groups = [], []
    for row in entries(results):
        key = (row["dataset"], row["first_stage"], row["reranker"])
        metrics = results.metrics(key)
        low, high = metrics.interval[HEADLINE]
        groups.append(row["dataset"])
        rows.append(
            (
                Cell(row["dataset"]),
                Cell(row["label"], tags=(UNTRAINED,) if row["untrained"] else ()),
                Cell(row["first_stage_label"]),
                Cell(row["queries"]),
                Cell(100 * metrics.mean[HEADLINE], (100 * low, 100 * high), link=Link(run=key)),
                Cell("mteb", link=Link(page=f"{FOLDER}/mteb/{mteb_place(row, mteb_revision(results, row))}")),
            )
        )
    columns = (
        Column("data set", "text"), Column("system", "text"), Column("first stage", "text"),
        Column("queries", "count"), Column(f"{HEADLINE} × 100", "score", ranked=True), Column("file", "text"),
    )  # fmt: skip
    notes = (
        "In brackets the bootstrap 95 % interval. Bold: best of the collection; underlined: second best.",
    )
    return ranked(Table("leaderboard", "Leaderboard", columns, tuple(rows), notes, tuple(groups)))
