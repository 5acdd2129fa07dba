"""The LaTeX of every table compiles with any text, and its caption states queries and tests."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from e2rank_eval.report.collect import Results
from e2rank_eval.report.render import to_latex
from e2rank_eval.report.table import Cell, Column, Mark, Table
from e2rank_eval.report.tables import TABLES

HOSTILE = r"50 % of $x_1$ & #1 {y} ~ ^ \end{table} \input{/etc/passwd} <a> -- ``q'' é × ↑ – [z]"

# Two columns to a page, as in most proceedings: the narrowest place that a table has to go into.
PAPER = r"""\documentclass[twocolumn]{article}
\usepackage{booktabs,graphicx}
\begin{document}
%s
\end{document}
"""


def _compile(folder: Path, tables: list[str]) -> str:
    """The log of pdflatex, which stops at the first error; skips where there is no TeX."""
    program = shutil.which("pdflatex")
    if program is None:
        pytest.skip("no pdflatex on this machine")
    (folder / "paper.tex").write_text(PAPER % "\n\\clearpage\n".join(tables), encoding="utf-8")
    command = [program, "-halt-on-error", "-interaction=nonstopmode", "-no-shell-escape", "paper.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
    return (folder / "paper.log").read_text(encoding="utf-8", errors="replace")


@pytest.mark.slow
def test_every_table_compiles_and_none_is_wider_than_its_column(stored: Results, tmp_path: Path) -> None:
    ids = TABLES.shown(stored.configuration)
    log = _compile(tmp_path, [to_latex(TABLES.build(stored, identifier)) for identifier in ids])
    assert "Overfull" not in log
    pages = re.search(r"Output written on paper\.pdf \((\d+) page", log)
    assert pages is not None
    assert int(pages[1]) == len(ids)


@pytest.mark.slow
def test_hostile_texts_compile_too(tmp_path: Path) -> None:
    best = Cell(70.1, (68.0, -72.5), (Mark("a", True), Mark("b", False)), rank="best", letter="c")
    columns = (Column(f"system {HOSTILE}", "text"), Column("lee", "score", 50))
    rows = ((Cell(HOSTILE, tags=("untrained",)), best), (Cell(f"[{HOSTILE}"), Cell(None, rank="second")))
    table = Table("hostile", HOSTILE, columns, rows, (HOSTILE,), groups=("one", "two"))
    assert "passwd" not in _compile(tmp_path, [to_latex(table)]).split("Output written")[1]


def test_the_caption_says_how_many_queries_and_which_test(stored: Results) -> None:
    latex = to_latex(TABLES.build(stored, "embedded"))
    caption = latex[latex.index("\\caption{") : latex.index("\\label{")]
    assert "randomisation test, 100,000 permutations, Holm's correction over" in caption
    assert "bootstrap 95 \\% interval" in caption
    assert "number of judged queries" in caption
    assert "($n=40$)" in latex
    assert "($n=30$)" in latex
