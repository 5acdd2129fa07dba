"""The command line: one function per command; a known error becomes one line and exit code 2."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module

_MODULES = ("running", "pipeline", "scoring", "reporting", "training", "knowledge")
"""Modules that register their commands when they are imported; help lists the commands in this order."""

_HINTS = {
    errno.EACCES: "change its permissions, or name another path",
    errno.EPERM: "change its permissions, or name another path",
    errno.EROFS: "work in a folder that can be written to",
    errno.EISDIR: "name a file instead of a folder",
    errno.ENOTDIR: "name a folder instead of a file",
    errno.ENOENT: "check the path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ENOSPC: "free some disk space and run again",
    errno.EDQUOT: "free some disk space and run again",
}
"""Error number of the operating system -> hint."""


def main() -> None:
    """Run the command line; end when the process ``E2RANK_EVAL_LEADER``, a workflow manager, ends."""
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
    except (SuiteError, OSError) as error:
        sys.stderr.write(f"error: {_line(error) if isinstance(error, OSError) else error}\n")
        raise SystemExit(2) from error


def _line(error: OSError) -> str:
    """Return an error of the operating system as one line: the file, the reason and a hint."""
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    where = "" if error.filename is None else f"{error.filename}: "
    hint = _HINTS.get(error.errno or 0)
    return f"{where}{reason}" + (f"; {hint}" if hint else "")
