"""The command line: one function per verb; a known error becomes one line and exit code 2."""

from __future__ import annotations

import os
import sys
from importlib import import_module

_MODULES = ("pipeline", "scoring", "reporting", "knowledge")
"""Each adds its verbs when it is imported; help lists them in this order."""


def main() -> None:
    """Entry point. Under a workflow manager (``E2RANK_EVAL_LEADER``), die when it dies."""
    from e2rank_eval.cli.common import app
    from e2rank_eval.errors import SuiteError

    for module in _MODULES:
        import_module(f"{__name__}.{module}")
    leader = os.environ.get("E2RANK_EVAL_LEADER")
    if leader:
        from e2rank_eval.store.locks import die_with

        die_with(int(leader))
    try:
        app()
    except SuiteError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(2) from error
