"""Run the notebooks on stored results, or strip their outputs.

    python workflow/scripts/notebooks.py run notebooks results/demo/notebooks
    python workflow/scripts/notebooks.py strip notebooks
    python workflow/scripts/notebooks.py check notebooks

`run` writes executed copies into another folder; `check` exits 1 where a source is not stripped.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

_TIMEOUT = 300
"""Seconds per cell; opening stored results takes a few."""


def execute(path: Path) -> NotebookNode:
    """Run a notebook in the parent of its folder, and return it with its outputs.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        When a cell fails.
    """
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    folder = {"metadata": {"path": str(path.resolve().parent.parent)}}
    NotebookClient(notebook, timeout=_TIMEOUT, kernel_name="python3", resources=folder).execute()
    return notebook


def stripped(path: Path) -> str:
    """Return the text of a notebook as it is committed: no outputs, no counts, no editor's metadata."""
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return text_of(notebook)


def text_of(notebook: NotebookNode) -> str:
    """Return a notebook as JSON text."""
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text.rstrip("\n") + "\n"


def main(command: str, source: str, target: str = "") -> int:
    """Run one command on every notebook of a folder; return the exit code."""
    spoilt = 0
    for path in sorted(Path(source).glob("*.ipynb")):
        if command == "run":
            Path(target, path.name).write_text(text_of(execute(path)), encoding="utf-8")
        elif (text := stripped(path)) != path.read_text(encoding="utf-8"):
            spoilt += 1
            sys.stderr.write(f"{path} holds outputs or an editor's metadata\n")
            if command == "strip":
                path.write_text(text, encoding="utf-8")
    return int(command == "check" and spoilt > 0)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
