"""A long list of queries in a browser: embedded data shown fifty rows at a time, against a plain HTML table.

Usage: python benchmarks/site_rows.py [--rows 10000] [--rounds 3]

Both pages hold the same rows; the same headless Chromium opens them from disk in turns. Printed are medians
over rounds of the file's size, seconds until the page is usable, and seconds to sort by a number; then their
ratios (above 1: the embedded list is smaller or faster).
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from report.chromium import NAMES, Browser, browser_path

from e2rank_eval.report.html import PAGED_SCRIPTS, Page, render, to_html, to_paged
from e2rank_eval.report.table import Cell, Column, Table

READY = {
    "embedded": "document.querySelector('.paged tbody tr')",
    "plain": "document.querySelector('th[scope=col] button')",
}
SORT = """new Promise((done) => {
  const started = performance.now();
  document.querySelector("th:nth-child(3) button").click();
  requestAnimationFrame(() => setTimeout(() => done((performance.now() - started) / 1000)));
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not any(map(shutil.which, NAMES)):
        print(f"skipped: no browser on this machine (looked for {', '.join(NAMES)})")
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {kind: _write(folder, kind, arguments.rows) for kind in READY}
        browser = Browser(browser_path(), folder / "profile")
        found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in READY}
        for _ in range(arguments.rounds):
            for kind, path in paths.items():
                found[kind].append(_measure(browser, path, kind))
        browser.close()
        sizes = {kind: path.stat().st_size / 1e6 for kind, path in paths.items()}
    medians = {
        kind: [sizes[kind], *(statistics.median(part) for part in zip(*times, strict=True))]
        for kind, times in found.items()
    }
    for kind, values in medians.items():
        print(
            f"{kind:9} {values[0]:7.1f} MB   usable after {values[1]:6.2f} s   sorted in {values[2]:6.2f} s"
        )
    ratios = [plain / ours for plain, ours in zip(medians["plain"], medians["embedded"], strict=True)]
    print(f"ratio     {ratios[0]:7.1f}      {ratios[1]:19.1f}   {ratios[2]:18.1f}")


def _write(folder: Path, kind: str, count: int) -> Path:
    rows = tuple(
        (Cell(f"q{i}"), Cell(f"what is the answer to question number {i}"), Cell((7919 * i) % count / 1000))
        for i in range(count)
    )
    columns = (Column("query", "text"), Column("text", "text"), Column("reranked", "score"))
    table = Table("queries", "Query by query", columns, rows)
    content = to_paged(table, root="") if kind == "embedded" else to_html(table)
    page = Page("plain.html", f"{kind}.html", {"title": kind, "content": content}, PAGED_SCRIPTS)
    path = folder / f"{kind}.html"
    path.write_text(render(page, "benchmark"), encoding="utf-8")
    return path


def _measure(browser: Browser, path: Path, kind: str) -> tuple[float, float]:
    started = time.perf_counter()
    browser.open(path.as_uri())
    browser.until(READY[kind])
    usable = time.perf_counter() - started
    return usable, browser.value(SORT)


if __name__ == "__main__":
    main()
