"""The site in a real browser: it runs without an error, sorts, and lets nothing of the data run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=5000", "--enable-logging=stderr", "--v=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser on this machine (looked for {', '.join(NAMES)})")
    return found


@pytest.fixture(scope="module")
def index(site: Path) -> Path:
    return site / "index.html"


def _open(browser: str, address: str, profile: Path) -> tuple[str, list[str]]:
    """The document after its script ran, and what the page wrote to the console."""
    command = [browser, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, re.findall(r"CONSOLE.*", done.stderr)


def _column(page: str, table: str, position: int) -> list[str]:
    body = re.search(rf'<table data-table="{table}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert body is not None
    rows = re.findall(r"<tr.*?</tr>", body[1], re.DOTALL)
    return [re.findall(r'data-value="([^"]*)"', row)[position] for row in rows]


@pytest.mark.parametrize("page", ["index.html", "comparisons/embedded.html", "runs/code/bm25/e2rank.html"])
def test_pages_run_without_an_error_or_an_injection(
    browser: str, index: Path, tmp_path: Path, page: str
) -> None:
    dom, console = _open(browser, (index.parent / page).as_uri(), tmp_path)
    assert console == []
    assert "injected" not in re.findall(r"<title>(.*?)</title>", dom)[0]
    assert dom.count('<button type="button">') == len(re.findall(r'<th scope="col"', dom)) > 0


@pytest.mark.parametrize(("direction", "aria"), [("asc", "ascending"), ("desc", "descending")])
def test_an_address_can_ask_for_an_order(
    browser: str, index: Path, tmp_path: Path, direction: str, aria: str
) -> None:
    dom, console = _open(browser, f"{index.as_uri()}#sort=embedded:1:{direction}", tmp_path)
    assert console == []
    values = [float(value) for value in _column(dom, "embedded", 1)]
    assert values == sorted(values, reverse=direction == "desc")
    assert re.findall(r'<th [^>]*aria-sort="(\w+)"', dom) == [aria]


def test_missing_values_come_last_whatever_the_order(browser: str, index: Path, tmp_path: Path) -> None:
    for direction in ("asc", "desc"):
        dom, _ = _open(browser, f"{index.as_uri()}#sort=systems:3:{direction}", tmp_path)
        values = _column(dom, "systems", 3)
        assert values[-1] == ""
        assert "" not in values[:-1]


def test_clicking_a_heading_sorts_and_a_third_click_restores(
    browser: str, index: Path, tmp_path: Path
) -> None:
    """A copy of the page without its content policy presses the button, since nothing else may run there."""
    text = index.read_text(encoding="utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    original = _column(text, "embedded", 1)
    for clicks, order in ((1, sorted(map(float, original), reverse=True)), (2, sorted(map(float, original)))):
        dom = _pressed(browser, text, tmp_path, clicks)
        assert [float(value) for value in _column(dom, "embedded", 1)] == order
    assert _column(_pressed(browser, text, tmp_path, 3), "embedded", 1) == original


def _pressed(browser: str, text: str, folder: Path, clicks: int) -> str:
    table = "document.querySelector('table[data-table=embedded]')"
    press = f"{table}.tHead.rows[0].cells[1].querySelector('button').click();"
    page = folder / f"clicked-{clicks}.html"
    page.write_text(text.replace("</body>", f"<script>{press * clicks}</script></body>"), encoding="utf-8")
    dom, console = _open(browser, page.as_uri(), folder / "profile")
    assert console == []
    return dom
