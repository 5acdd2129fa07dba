"""Strict reading of YAML files: values are checked, and errors name file, line and key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from e2rank_eval.config.systems import Strict
from e2rank_eval.errors import InputError

Kind = TypeVar("Kind", bound=Strict)

_MERGE = "tag:yaml.org,2002:merge"

_TAGS = {"runs": "objective"}
"""Sections whose entries are of several kinds, and the key that names the kind."""

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}

_HINTS = {
    "missing": "add it",
    "union_tag_not_found": "add it",
    "literal_error": "choose one of these",
    "string_pattern_mismatch": "use letters, digits, dots, underscores and hyphens",
}


class _NoRepeats(yaml.SafeLoader):
    """Refuses a repeated key; PyYAML's loader would drop the first value silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} appears twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)


def load_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file, which is empty for an empty file.

    Raises
    ------
    InputError
        When the file is missing, not UTF-8, not YAML or not a mapping, or a key appears twice.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = yaml.load(text, _NoRepeats)
    except FileNotFoundError as error:
        raise InputError("no such file", path=path, hint="check the path; config/ has examples") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 ({error.reason})", path=path, line=error.object.count(b"\n", 0, error.start) + 1,
            hint="convert the file to UTF-8",
        ) from error  # fmt: skip
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        twice = "appears twice" in str(error.problem)
        raise InputError(
            str(error.problem) if twice else f"not YAML: {error.problem}", path=path, line=line,
            hint="remove one of the two" if twice else "fix the syntax there or on the line before",
        ) from error  # fmt: skip
    except yaml.reader.ReaderError as error:
        raise InputError(
            f"not YAML: {error.reason} (U+{error.character:04X})", path=path,
            line=text.count("\n", 0, error.position) + 1, hint="remove the character",
        ) from error  # fmt: skip
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError("not a mapping of keys to values", path=path, hint="write key: value lines")
    return values


def line_of(path: Path | str, place: Sequence[str | int]) -> int | None:
    """Return the line, from 1, of the innermost key on the key path ``place`` that a YAML file has.

    Keys that the file lacks are skipped. None where no key is found, or ``path`` is not a file.
    """
    if not Path(path).is_file():
        return None
    node = yaml.compose(Path(path).read_text(encoding="utf-8-sig"), yaml.SafeLoader)
    line: int | None = None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                    node, line = value, key.start_mark.line + 1
                    break
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def read_settings(kind: type[Kind], path: Path) -> Kind:
    """Read and check a YAML file of settings.

    Raises
    ------
    InputError
        When the file is missing, is not a YAML mapping, repeats a key, or fails a check.
    """
    return checked(kind, load_mapping(path), path)


def checked(kind: type[Kind], values: Any, path: Path | str, within: Sequence[str] = ()) -> Kind:
    """Return ``values`` as settings; errors locate them in ``path``, below its keys ``within``.

    Raises
    ------
    InputError
        Naming the file, the line where ``path`` is one file, the key and what is wrong with it.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place, problem = _explain(first, within)
        raise InputError(problem, path=path, line=line_of(path, place), hint=_hint(first)) from error


def read_entries(schema: type[Kind], paths: Sequence[Path]) -> dict[str, Kind]:
    """Return the named entries of registry files; a later file replaces those of an earlier one by name.

    Files that do not exist are skipped, and so are names that begin with ``x-``: they hold YAML anchors that
    entries merge. The result is cached until a file changes.

    Raises
    ------
    InputError
        Naming file and line: not a YAML mapping, or a wrong key.
    """
    found = [(path.resolve(), path, path.stat()) for path in paths if path.exists()]
    return _read(schema, tuple((real, path, s.st_mtime_ns, s.st_size) for real, path, s in found))


@cache
def _read(schema: type[Kind], files: tuple[tuple[Path, Path, int, int], ...]) -> dict[str, Kind]:
    entries: dict[str, Kind] = {}
    for _, path, *_ in files:
        values = {name: one for name, one in load_mapping(path).items() if not str(name).startswith("x-")}
        entries |= checked_entries(schema, values, path)
    return entries


def checked_entries(
    schema: type[Kind], values: Mapping[str, Any], path: Path | str, within: Sequence[str] = ()
) -> dict[str, Kind]:
    """Return the checked entries in ``values``; errors locate them in ``path``, below its keys ``within``.

    Raises
    ------
    InputError
        Naming file, line and key: a wrong key, or a value of the wrong kind.
    """
    return {name: checked(schema, value, path, [*within, name]) for name, value in values.items()}


def _explain(error: Any, within: Sequence[str]) -> tuple[list[str | int], str]:
    """Return the key path from the file's top level to the wrong value, and the problem in words."""
    place = [part for part in (*within, *error["loc"]) if part != "[key]"]
    kind = error["type"]
    tag = _TAGS.get(str(place[0])) if place else None
    if tag is not None and len(place) > 2:
        del place[2]  # pydantic names the kind that it checked against; the file has no such level
    if kind.startswith("union_tag"):
        place.append(str(tag))
    key = ".".join(str(part) for part in place)
    if kind == "extra_forbidden":
        return place, f"unknown key {key!r}"
    if kind in ("missing", "union_tag_not_found"):
        return place, f"{key} is missing"
    if kind == "union_tag_invalid":
        return place, f"{key}: unknown {tag} {error['ctx']['tag']!r}"
    if error["loc"][-1:] == ("[key]",) and not isinstance(error["input"], str):
        read = "a boolean" if isinstance(error["input"], bool) else "a number"
        section = place[:-1]
        return section, f"{'.'.join(map(str, section))}: YAML read a name as {read} ({error['input']!r})"
    message = error["msg"].removeprefix("Value error, ")
    if not place:  # a check of the whole file, whose message begins with the key
        return message.split(":")[0].split("."), message
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return place, f"{key}: {message}{shown}"


def _hint(error: Any) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if "hint" in context:
        return str(context["hint"])
    if error["loc"][-1:] == ("[key]",) and not isinstance(error["input"], str):
        return "write the name in quotes"
    if kind == "union_tag_invalid":
        return f"known: {context['expected_tags'].replace(chr(39), '')}"
    bound = next((name for name in _BOUNDS if name in context), None)
    return f"give {_BOUNDS[bound]} {context[bound]}" if bound else _HINTS.get(kind, "fix this key")
