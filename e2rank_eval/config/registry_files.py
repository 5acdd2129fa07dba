"""Registry files: a packaged YAML file of named entries, merged with the user's overlays and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from e2rank_eval.config.reading import checked
from e2rank_eval.config.systems import Strict
from e2rank_eval.config.yaml_files import load_mapping

Entry = TypeVar("Entry", bound=Strict)


def read_entries(schema: type[Entry], paths: Sequence[Path]) -> dict[str, Entry]:
    """Return the entries of the files by name; a later file replaces those of an earlier one by name.

    Files that do not exist are skipped. A name that begins with ``x-`` is not an entry but what entries merge
    by a YAML anchor. What was read is kept until a file changes.

    Raises
    ------
    InputError
        Naming file and line: not a YAML mapping, or a wrong key.
    """
    found = [(path.resolve(), path, path.stat()) for path in paths if path.exists()]
    return _read(schema, tuple((real, path, s.st_mtime_ns, s.st_size) for real, path, s in found))


@cache
def _read(schema: type[Entry], files: tuple[tuple[Path, Path, int, int], ...]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for _, path, *_ in files:
        values = {name: one for name, one in load_mapping(path).items() if not str(name).startswith("x-")}
        entries |= checked_entries(schema, values, path)
    return entries


def checked_entries(
    schema: type[Entry], values: Mapping[str, Any], path: Path | str, within: Sequence[str] = ()
) -> dict[str, Entry]:
    """Return the entries in ``values``, which were read from ``path``, below its keys ``within``.

    Raises
    ------
    InputError
        Naming file, line and key: a wrong key, or a value of the wrong kind.
    """
    return {name: checked(schema, value, path, [*within, name]) for name, value in values.items()}
