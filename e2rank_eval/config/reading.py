"""Reads and checks a configuration file, with one clear error for what is wrong in it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from e2rank_eval.config.experiment import Configuration, choose
from e2rank_eval.config.selection import selected
from e2rank_eval.config.systems import REGISTERED, Strict
from e2rank_eval.config.training import TrainingFile
from e2rank_eval.config.yaml_files import line_of, load_mapping
from e2rank_eval.errors import InputError

_NO_KEYS = ("[key]", "constrained-str", "RowSettings", "ColumnSettings")
"""Parts of pydantic's locations that no file has."""

_TAGS = {"runs": "objective"}
"""Sections whose entries are of several kinds, and the key that says which."""

Kind = TypeVar("Kind", bound=Strict)

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def parse_configuration(values: dict[str, Any], path: Path | str) -> Configuration:
    """Check a configuration already read from ``path``, and return what its lists select.

    Raises
    ------
    InputError
        Naming the file, the line where ``path`` is one file, the key and what is wrong with it.
    """
    configuration = _parsed(Configuration, values, path)
    configuration._origin = str(path)
    return selected(configuration)


def with_chosen(values: dict[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    """Return ``values``, where a list for ``datasets`` or ``systems`` selects from what ``paths`` define.

    ``values`` are the files' own, merged, and changed on Snakemake's command line; see :func:`choose`.
    """
    defined: dict[str, dict[str, Any]] = {
        section: {} for section in ("datasets", "systems") if not isinstance(values.get(section, {}), dict)
    }
    for file in map(load_mapping, paths if defined else ()):
        for section, entries in defined.items():
            given = file.get(section)
            entries |= given if isinstance(given, dict) else {}
    return choose(values, defined)


def read_configuration(path: Path) -> Configuration:
    """Read and check a YAML configuration file.

    Raises
    ------
    InputError
        When the file is missing, is not a YAML mapping, repeats a key, or fails a check.
    """
    return parse_configuration(load_mapping(path), path)


def read_training(path: Path) -> TrainingFile:
    """Read and check a file of training runs; raises as :func:`read_configuration` does."""
    return read_strictly(TrainingFile, path)


def read_strictly(kind: type[Kind], path: Path) -> Kind:
    """Read and check a YAML file of settings of any kind; raises as :func:`read_configuration` does."""
    return _parsed(kind, load_mapping(path), path)


def _parsed(kind: type[Kind], values: dict[str, Any], path: Path | str) -> Kind:
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        # Where a name or a mapping is allowed, pydantic tries both: what is wrong in the mapping tells more.
        detailed = [one for one in error.errors() if one["loc"][-1:] != ("constrained-str",)]
        first = (detailed or error.errors())[0]
        place, problem = _explain(first)
        hint = _fix(first, kind, values)
        raise InputError(problem, path=path, line=line_of(path, place), hint=hint) from error


def _explain(error: Any) -> tuple[list[str | int], str]:
    """Keys from the file's top to what is wrong, and the problem in words."""
    place = [part for part in error["loc"] if part not in _NO_KEYS]
    kind, context = error["type"], error.get("ctx", {})
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
        return place, f"{key}: unknown {tag} {context['tag']!r}"
    message = error["msg"].removeprefix("Value error, ")
    if not place:  # a check of the whole file, whose message begins with the key
        return message.split(":")[0].split("."), message
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return place, f"{key}: {message}{shown}"


def _fix(error: Any, file: type[Strict], values: dict[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if "hint" in context:
        return str(context["hint"])
    if kind == "extra_forbidden":
        fields = _fields(error["loc"], file, values)
        close = get_close_matches(str(error["loc"][-1]), fields, n=1)
        return f"did you mean {close[0]!r}?" if close else f"remove it; known: {', '.join(fields)}"
    if kind == "union_tag_invalid":
        return f"known: {context['expected_tags'].replace(chr(39), '')}"
    if kind == "union_tag_not_found":
        return f"add it; known: {', '.join(_members(error['loc'][0], file))}"
    if kind == "missing":
        return "add it"
    if kind == "literal_error":
        return "choose one of these"
    if kind == "string_pattern_mismatch":
        return "use letters, digits, dots, underscores and hyphens"
    bound = next((name for name in _BOUNDS if name in context), None)
    return f"give {_BOUNDS[bound]} {context[bound]}" if bound else "fix this key"


def _fields(place: tuple[str | int, ...], file: type[Strict], values: dict[str, Any]) -> list[str]:
    """The known keys beside an unknown one at ``place``, pydantic's location of it."""
    if len(place) == 1:
        return list(file.model_fields)
    if place[0] in REGISTERED:
        key, registry = REGISTERED[str(place[0])]
        return list(registry[values[place[0]][place[1]][key]].model_fields)
    section, tagged = str(place[0]), place[0] in _TAGS
    entry = _members(section, file)[str(place[2])] if tagged else _settings_in(file, section)
    for part in place[3 if tagged else 2 : -1]:
        if isinstance(part, str):
            entry = _settings_in(entry, part)
    return list(entry.model_fields)


def _settings_in(settings: Any, field: str) -> Any:
    """The type of the settings that a field holds, be it optional, in a list or in a mapping."""
    open_types = [settings.model_fields[field].annotation]
    for one in open_types:
        if isinstance(one, type) and issubclass(one, Strict):
            return one
        open_types += get_args(one)
    raise LookupError(field)


def _members(section: str, file: type[Strict]) -> dict[str, Any]:
    """The settings of each kind of entry in a section of several kinds, by name."""
    settings = get_args(file.model_fields[section].annotation)[1]
    members = get_args(get_args(settings)[0])
    return {get_args(one.model_fields[_TAGS[section]].annotation)[0]: one for one in members}
