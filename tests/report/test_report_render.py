"""The four forms of a table, and the data of a page, carry the same content, whatever characters it holds."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from report.pages import Page, extract

from e2rank_eval.report.collect import Results
from e2rank_eval.report.html import embed, to_html
from e2rank_eval.report.render import to_csv, to_latex, to_markdown
from e2rank_eval.report.table import Cell, Column, Mark, Table
from e2rank_eval.report.tables import TABLES

HOSTILE = "</td><script>alert(1)</script> a|b & 50 % of $x_1$ #1 {y} ~ ^ \\end *b* `c` [l](javascript:x)"

# What a label may hold: anything on one line; leading and trailing space is not content.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)


def _table(text: str) -> Table:
    columns = (Column(f"h {text}", "text"), Column("lee", "score", 50))
    return Table("t", f"title {text}", columns, ((Cell(text), Cell(61.5)), (Cell("b"), Cell(None))), (text,))


@given(TEXTS)
def test_html_shows_any_text_as_it_is_and_as_text_only(text: str) -> None:
    page = Page(str(to_html(_table(text))))
    assert page.rows[1][0] == text
    allowed = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "ul", "li"}
    assert {tag for tag, _ in page.tags} <= allowed


@given(TEXTS)
def test_csv_gives_any_text_back(text: str) -> None:
    rows = list(csv.reader(io.StringIO(to_csv(_table(text)))))
    assert rows == [[f"h {text}", "lee (n = 50)"], [text, "61.50"], ["b", ""]]


@pytest.mark.parametrize("text", [HOSTILE, "a_b*c*", "1 < 2 > 0", "<b>", "x | y", "a&lt;b", "\\|"])
def test_markdown_readers_see_the_text_and_no_markup(text: str) -> None:
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(to_markdown(_table(text)))
    cells = [token for token in tokens if token.type == "inline"]
    shown = ["".join(child.content for child in cell.children or ()) for cell in cells]
    assert f"title {text}" in shown
    assert text in shown
    kinds = {child.type for cell in cells for child in cell.children or ()}
    assert kinds <= {"text", "strong_open", "strong_close", "text_special", "softbreak", "hardbreak"}
    assert sum(token.type == "td_open" for token in tokens) == 4


def test_latex_escapes_what_would_be_a_command() -> None:
    text = to_latex(_table(HOSTILE))
    row = next(line for line in text.splitlines() if line.endswith("& 61.50 \\\\"))
    assert (
        r"a|b \& 50 \% of \$x\_1\$ \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}end" in row
    )
    assert len(re.findall(r"(?<!\\)&", row)) == 1
    for opening in ("table", "tabular"):
        assert text.count(f"\\begin{{{opening}}}") == text.count(f"\\end{{{opening}}}") == 1


def test_flags_marks_and_intervals_reach_every_form() -> None:
    best = Cell(70.126, (68.0, 72.5), (Mark("a", True), Mark("b", False)), rank="best")
    second = Cell(60.0, (58.0, 62.0), rank="second", letter="a")
    columns = (Column("system", "text"), Column("lee", "score", 50))
    table = Table("t", "t", columns, ((Cell("x", tags=("untrained",)), best), (Cell("y"), second)), ("n.",))
    assert "x, untrained,70.13,68.00,72.50,↑a ↓b" in to_csv(table).replace('"', "")
    assert "| x, untrained | **70.13** <sup>↑a ↓b</sup> <sub>[68.00, 72.50]</sub> |" in to_markdown(table)
    latex = to_latex(table)
    assert r"\textbf{70.13}$^{\uparrow a \downarrow b}$ {\scriptsize [68.00, 72.50]}" in latex
    assert r"\underline{60.00}$^{a}$" in latex
    assert r"x \emph{(untrained)}" in latex
    assert r"lee ($n=50$)" in latex
    page = str(to_html(table))
    assert "<strong>70.13</strong>" in page
    assert '<span class="second">60.00</span>' in page
    assert "significantly above baseline a" in page
    assert "significantly below baseline b" in page
    assert '<span class="tag">untrained</span>' in page


def test_html_tables_are_labelled_for_screen_readers(stored: Results) -> None:
    for identifier in TABLES.shown(stored.configuration):
        page = Page(str(to_html(TABLES.build(stored, identifier))))
        headings = [attributes for tag, attributes in page.tags if tag == "th"]
        assert {attributes.get("scope") for attributes in headings} == {"col", "row"}
        assert sum(tag == "caption" for tag, _ in page.tags) == 1


def test_every_score_links_to_what_made_it(stored: Results) -> None:
    table = TABLES.build(stored, "embedded")
    links = Page(str(to_html(table, root=""))).all("href", "a")
    # The best possible order is no system's.
    assert len(links) == (len(table.rows) - 1) * 3
    assert links[:3] == [
        "runs/news/bm25/first-stage.html", "runs/code/bm25/first-stage.html", "comparisons/embedded.html",
    ]  # fmt: skip


def test_rows_and_columns_must_match() -> None:
    with pytest.raises(ValueError, match="do not match"):
        Table("t", "t", (Column("s", "text"),), ((Cell("x"), Cell(1.0)),))


def test_a_table_without_rows_says_why_it_is_empty() -> None:
    columns = (Column("system", "text"),)
    empty = to_html(Table("t", "Systems", columns, (), ("A note.",)))
    assert "No results." in empty
    assert "A note." in empty
    assert "No results" not in to_html(Table("t", "Systems", columns, ((Cell("bm25"),),)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=8,
)


@given(VALUES)
@example("</script><script>alert(1)</script>")
@example({"<!--": ["<script>", "\u2028\u2029", "]]>", "&lt;/script>"]})
def test_any_value_comes_back_and_is_no_markup(value: object) -> None:
    block = str(embed("some-data", value))
    assert extract(f"<p>before</p>{block}<p>after</p>", "some-data") == value
    assert block.count("<") == block.count(">") == 2
    assert block.isascii()
    assert extract(block, "other-data") is None
