"""The job graph of a configuration, which the workflow's rules use: jobs, their files and settings."""

import os
import sys
from pathlib import Path

from e2rank_eval.graph.whole import Graph

__all__ = ["Graph", "lead"]


def lead(*, elsewhere: bool) -> None:
    """Let jobs find the e2rank-eval of this Python, and end with this process, their leader.

    ``elsewhere``: a scheduler started this process, possibly on another node than an earlier leader, so it
    replaces that leader.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    if elsewhere or "E2RANK_EVAL_LEADER" not in os.environ:
        os.environ["E2RANK_EVAL_LEADER"] = str(os.getpid())
