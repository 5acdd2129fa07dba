"""Registry files: a packaged YAML file of named entries, merged with the user's overlays and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from e2rank_eval.config.systems import Strict
from e2rank_eval.config.yaml_files import line_of, load_mapping
from e2rank_eval.errors import InputError

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
    entries: dict[str, Entry] = {}
    for name, value in values.items():
        try:
            entries[name] = schema.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in [*within, name, *first["loc"]])
            raise InputError(
                f"{key}: {first['msg']}", path=path,
                line=line_of(path, [*within, name, *first["loc"]]), hint="fix this key",
            ) from error  # fmt: skip
    return entries


def entry_named(entries: Mapping[str, Entry], name: str, *, kind: str, command: str) -> Entry:
    """Return one entry of a ``kind`` of thing that ``command`` lists.

    Raises
    ------
    InputError
        When there is none of that name; names the nearest.
    """
    if name not in entries:
        near = get_close_matches(name, entries, n=3)
        meant = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(f"unknown {kind} {name!r}", hint=f"{meant}see {command}")
    return entries[name]
