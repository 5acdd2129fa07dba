"""What the operating system refuses is one line with the file's name and exit code 2, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _refused(*arguments: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "e2rank_eval", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.run").write_text("q1 Q0 d1 1 2 t\n")
    (tmp_path / "qrels.txt").write_text("q1 0 d1 1\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def test_a_folder_given_as_a_file(folder: Path) -> None:
    told = _refused("evaluate", "a.run", "folder", cwd=folder)
    assert told == "error: folder: Is a directory; name a file instead of a folder\n"


def test_a_file_where_a_folder_must_be(folder: Path) -> None:
    told = _refused("evaluate", "a.run/b.run", "qrels.txt", cwd=folder)
    assert told == "error: a.run/b.run: Not a directory; name a folder instead of a file\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(folder: Path) -> None:
    (folder / "a.run").chmod(0)
    assert "a.run: Permission denied; change its permissions" in _refused(
        "evaluate", "a.run", "qrels.txt", cwd=folder
    )
