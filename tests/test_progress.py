"""Progress on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from contextlib import suppress

NESTED = """
import time
from e2rank_eval.progress import track
for _ in track(range(2), description="outer"):
    for _ in track(range(2), description="inner"):
        time.sleep(0.2)
"""


def test_a_nested_progress_bar_has_its_own_line() -> None:
    terminal, end = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen([sys.executable, "-c", NESTED], stderr=end, env=environment) as process:
        os.close(end)
        shown = b""
        with suppress(OSError):  # the terminal's other end is closed
            while True:
                shown += os.read(terminal, 4096)
    os.close(terminal)
    assert process.returncode == 0
    one_line_up = b"\x1b[1A"
    assert one_line_up in shown
