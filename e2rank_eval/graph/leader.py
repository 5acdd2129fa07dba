"""Which process leads a workflow: the one whose jobs die with it and see what it saw."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_LEADER = "E2RANK_EVAL_LEADER"


def lead(*, elsewhere: bool = False) -> None:
    """Make this process the leader: shell lines find the e2rank-eval beside this Python, and die with it.

    ``elsewhere`` tells a job that a scheduler started, maybe on another machine: there the process
    that asked for it is no leader, and its number may be nobody's.
    """
    beside = str(Path(sys.executable).parent)
    os.environ["PATH"] = f"{beside}{os.pathsep}{os.environ['PATH']}"
    if elsewhere:
        os.environ[_LEADER] = str(os.getpid())
    else:
        os.environ.setdefault(_LEADER, str(os.getpid()))


def led() -> bool:
    """Whether another process leads this one."""
    return os.environ.get(_LEADER, str(os.getpid())) != str(os.getpid())
