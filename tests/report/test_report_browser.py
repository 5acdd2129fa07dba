"""The site in a real browser: pages open without errors, sort and filter; no data are executed as code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from report.chromium import Browser, browser_path
from report.results_tree import INJECTION

from e2rank_eval.report.collect import Results
from e2rank_eval.report.html import PAGED_SCRIPTS, Page, render, to_paged
from e2rank_eval.report.table import Cell, Column, Table

pytestmark = pytest.mark.slow

RUN = ("code", "bm25", "e2rank")
QUERIES = "queries/code/bm25/e2rank/1.html"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    opened = Browser(browser_path(), tmp_path_factory.mktemp("browser"))
    opened.screen(1280, 900)
    yield opened
    opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Browser]:
    """The browser; after the test no page may have logged an error."""
    yield browser
    assert browser.complaints == []


def _column(page: Browser, table: str, position: int) -> list[str]:
    rows = f"document.querySelector('table[data-table=\"{table}\"]').tBodies[0].rows"
    found: list[str] = page.value(f"[...{rows}].map((row) => row.cells[{position}].dataset.value)")
    return found


@pytest.mark.parametrize(("direction", "aria"), [("asc", "ascending"), ("desc", "descending")])
def test_an_address_can_ask_for_an_order_and_missing_values_come_last(
    page: Browser, site: Path, direction: str, aria: str
) -> None:
    page.open(f"{(site / 'index.html').as_uri()}#sort=embedded:1:{direction}")
    values = [float(value) for value in _column(page, "embedded", 1)]
    assert values == sorted(values, reverse=direction == "desc")
    orders = "[...document.querySelectorAll('th[aria-sort]')].map((th) => th.getAttribute('aria-sort'))"
    assert page.value(orders) == [aria]
    page.open(f"{(site / 'index.html').as_uri()}#sort=systems:3:{direction}")
    models = _column(page, "systems", 3)
    assert models[-1] == ""
    assert "" not in models[:-1]


def test_clicking_a_heading_sorts_and_a_third_click_restores(page: Browser, site: Path) -> None:
    page.open((site / "leaderboard.html").as_uri())
    original = _column(page, "leaderboard", 4)
    known = sorted(map(float, original))
    button = "table[data-table=leaderboard] th:nth-child(5) button"
    for expected in ([*map(repr, reversed(known))], [*map(repr, known)], original):
        page.click(button)
        assert _column(page, "leaderboard", 4) == expected


def test_a_query_shows_its_candidates_before_and_after(page: Browser, site: Path, stored: Results) -> None:
    query = "q<i>7"
    page.open(f"{(site / QUERIES).as_uri()}#{quote(query)}")
    page.until("document.querySelector('table[data-table=candidates]')")
    assert _column(page, "candidates", 0) == stored.rankings(RUN)[query]
    grades = [stored.qrels("code")[query].get(d) for d in stored.rankings(RUN)[query]]
    assert _column(page, "candidates", 4) == ["" if grade is None else str(grade) for grade in grades]
    page.click("table[data-table=candidates] th:nth-child(3) button")
    page.click("table[data-table=candidates] th:nth-child(3) button")
    candidates = stored.candidates("code", "bm25")[query]
    assert _column(page, "candidates", 0) == list(candidates.document_ids)
    assert [float(value) for value in _column(page, "candidates", 5)] == list(candidates.scores)
    assert page.value("location.hash") == f"#{quote(query)}"
    assert page.value("document.querySelector('pre.prompt').textContent") == "Documents:\n[1] ..."
    values = page.value(
        "[...document.querySelectorAll('table[data-table=others] td:last-child')].map((c) => c.textContent)"
    )
    runs = [key for key in stored.run_keys() if key[0] == "code"]
    assert values == [f"{100 * stored.metrics(key).per_query['nDCG@10'][query]:.2f}" for key in runs]


def test_queries_are_walked_one_by_one(page: Browser, site: Path, stored: Results) -> None:
    queries = list(stored.metrics(RUN).per_query["nDCG@10"])
    page.open((site / QUERIES).as_uri())
    heading = "document.querySelector('#query-heading code')?.textContent"
    page.until(f"{heading} === {json.dumps(queries[0])}")
    assert page.value("document.getElementById('query-previous').hasAttribute('href')") is False
    page.click("#query-next")
    page.until(f"{heading} === {json.dumps(queries[1])}")
    assert page.value("document.activeElement.id") == "query-heading"


def test_a_hostile_query_is_read_as_text(page: Browser, site: Path) -> None:
    page.open(f"{(site / QUERIES).as_uri()}#{quote('q<i>3')}")
    page.until("document.querySelector('.query-text')")
    assert page.value("document.querySelector('.query-text').textContent") == INJECTION
    assert page.value("document.querySelectorAll('img, script:not([type])').length") == 3
    assert "injected" not in page.value("document.title")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("place", ["index.html", "leaderboard.html", "runs/code/bm25/e2rank.html", QUERIES])
def test_no_page_is_wider_than_its_screen(page: Browser, site: Path, place: str, width: int) -> None:
    page.screen(width, 900)
    page.open((site / place).as_uri())
    page.until(
        "!document.querySelector('.paged, #query') || document.querySelector('.paged table, #query table')"
    )
    if place == QUERIES:
        page.value(
            "document.querySelector('#query-heading code').textContent = 'an_id_without_a_break'.repeat(9)"
        )
    assert page.value("document.documentElement.scrollWidth") <= width
    page.screen(1280, 900)


def test_a_hundred_thousand_rows_are_sorted_filtered_and_turned(page: Browser, tmp_path: Path) -> None:
    count = 100_000
    values = [(7919 * i) % count / 1000 for i in range(count)]
    rows = tuple((Cell(f"q{i}"), Cell(f"{INJECTION} {i}"), Cell(values[i])) for i in range(count))
    columns = (Column("query", "text"), Column("text", "text"), Column("reranked", "score"))
    table = Table("queries", "Query by query", columns, rows)
    shown = Page(
        "plain.html", "list.html", {"title": "list", "content": to_paged(table, root="")}, PAGED_SCRIPTS
    )
    (tmp_path / "list.html").write_text(render(shown, "test"), encoding="utf-8")
    page.open((tmp_path / "list.html").as_uri())
    page.until("document.querySelector('.paged table')")
    assert page.value("document.querySelector('.paged table').getAttribute('aria-rowcount')") == str(
        count + 1
    )
    first = "[...document.querySelectorAll('.paged tbody tr')].map((row) => row.cells[0].textContent)"
    assert page.value(first) == [f"q{i}" for i in range(50)]
    page.click(".paged th:nth-child(3) button")
    best = sorted(range(count), key=lambda i: -values[i])
    assert page.value(first) == [f"q{i}" for i in best[:50]]
    page.click(".pager button:nth-child(4)")
    assert page.value(first) == [f"q{i}" for i in best[-50:]]
    page.type(".paged input", "99999 q99999")
    assert page.value(first) == ["q99999"]
    assert page.value("document.querySelector('.count').textContent") == "1 to 1 of 1 rows (of 100,000)"
    assert "injected" not in page.value("document.title")
