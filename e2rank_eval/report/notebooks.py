"""Runs notebooks on stored results; strips their sources, and keeps executed copies apart from them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from e2rank_eval.progress import say
from e2rank_eval.store.files import write_text

_TIMEOUT = 300
"""Seconds per cell; opening stored results takes a few."""


def execute(path: Path, results: Path | None = None) -> NotebookNode:
    """The notebook with its outputs, run in the folder above its own.

    ``results`` is the folder it opens (variable ``E2RANK_RESULTS``); the notebook's default where None.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        When a cell fails.
    """
    notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    environment = dict(os.environ)
    if results is not None:
        environment["E2RANK_RESULTS"] = str(results.resolve())
    working_folder = {"metadata": {"path": str(path.resolve().parent.parent)}}
    client = NotebookClient(notebook, timeout=_TIMEOUT, kernel_name="python3", resources=working_folder)
    client.execute(env=environment)
    return notebook


def stripped(notebook: NotebookNode) -> NotebookNode:
    """The notebook as it is committed: no outputs, no counts, no metadata that an editor left."""
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return notebook


def strip(folder: Path, *, check: bool = False) -> list[Path]:
    """The notebooks of ``folder`` that were not :func:`stripped`; ``check`` leaves them as they are."""
    found = []
    for path in sorted(folder.glob("*.ipynb")):
        text = _text(stripped(nbformat.read(path, as_version=4)))  # type: ignore[no-untyped-call]
        if text != path.read_text(encoding="utf-8"):
            found.append(path)
            if not check:
                write_text(path, text)
    return found


def _text(notebook: NotebookNode) -> str:
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    return text.rstrip("\n") + "\n"


def main(arguments: list[str]) -> int:
    """``run SOURCES TARGET``, ``strip FOLDER`` or ``check FOLDER``.

    ``run`` executes every notebook of one folder and writes it, with outputs, into the other. The
    exit code is 1 where a check fails, 2 for an unknown verb.
    """
    match arguments:
        case ["run", source, target]:
            for path in sorted(Path(source).glob("*.ipynb")):
                write_text(Path(target) / path.name, _text(execute(path)))
                say(f"{Path(target) / path.name}")
        case ["strip", folder]:
            for path in strip(Path(folder)):
                say(f"stripped {path}")
        case ["check", folder]:
            for path in (dirty := strip(Path(folder), check=True)):
                say(f"{path} holds outputs or an editor's marks; run make notebooks-strip")
            return 1 if dirty else 0
        case _:
            say("usage: run SOURCES TARGET | strip FOLDER | check FOLDER")
            return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
