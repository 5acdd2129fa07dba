"""The graph of a configuration: every job and file that the workflow's rules read off it."""

import os
import sys
from pathlib import Path

from e2rank_eval.graph.whole import FIGURE_SUFFIXES, Graph

__all__ = ["FIGURE_SUFFIXES", "Graph", "lead"]


def lead(*, elsewhere: bool) -> None:
    """Let shell lines find the e2rank-eval beside this Python, and die with the process that leads them.

    ``elsewhere``: a scheduler started this job, maybe on another machine, so it leads itself.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if elsewhere or "E2RANK_EVAL_LEADER" not in os.environ:
        os.environ["E2RANK_EVAL_LEADER"] = str(os.getpid())
