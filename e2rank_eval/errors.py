"""Errors that a user can fix: each names what is wrong, where, and what to do about it."""

from __future__ import annotations

from pathlib import Path


class SuiteError(Exception):
    """Base class of the errors that the command line prints as one line, with exit code 2."""


class InputError(SuiteError):
    """Bad input: what is wrong, the file and line where known, and how to fix it.

    >>> str(InputError("grade is 'two', not a whole number", path="qrels.tsv", line=3, hint="write 2"))
    "qrels.tsv:3: grade is 'two', not a whole number; write 2"
    """

    def __init__(
        self,
        problem: str,
        *,
        path: Path | str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        self.problem, self.path, self.line, self.hint = problem, path, line, hint
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(where + problem + (f"; {hint}" if hint else ""))


class UnavailableError(SuiteError):
    """Something that the work needs is not available: a network, a package, a device, disk space."""


class QueryError(SuiteError):
    """One query could not be ranked; ``query_id`` is its id."""

    def __init__(self, query_id: str, cause: BaseException) -> None:
        self.query_id = query_id
        problem = str(cause) if isinstance(cause, SuiteError) else f"{type(cause).__name__}: {cause}"
        super().__init__(f"query {query_id!r} could not be ranked: {problem}")
