"""Runs notebooks on stored results and keeps the executed copies apart from the stripped sources."""

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


def main(arguments: list[str]) -> int:
    """``SOURCES TARGET``: execute every notebook of one folder and write it, with outputs, into the other."""
    source, target = map(Path, arguments)
    for path in sorted(source.glob("*.ipynb")):
        text: str = nbformat.writes(execute(path))  # type: ignore[no-untyped-call]
        write_text(target / path.name, text)
        say(f"{target / path.name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
