"""Reads and checks a configuration file, with one clear error for what is wrong in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from e2rank_eval.configuration.experiment import Configuration
from e2rank_eval.errors import InputError


def parse_configuration(values: dict[str, Any], path: Path | str) -> Configuration:
    """Check a configuration already read from ``path``.

    Raises
    ------
    InputError
        Naming the file, the key and what is wrong with it.
    """
    try:
        return Configuration.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(_explain(first), path=path, mend=_mend(first)) from error


def read_configuration(path: Path) -> Configuration:
    """Read and check a YAML configuration file.

    Raises
    ------
    InputError
        When the file is missing, is no YAML mapping, or fails a check.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("no such configuration", path=path, mend="see config/ for examples") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise InputError(f"not YAML: {error.problem}", path=path, line=line) from error
    if not isinstance(values, dict):
        raise InputError("not a mapping of settings", path=path, mend="see config/demo.yaml")
    return parse_configuration(values, path)


def _explain(error: Any) -> str:
    place = list(error["loc"])
    if place[:1] == ["rerankers"] and len(place) > 3:
        del place[2]  # pydantic names the family that it checked against; the file has no such level
    key = ".".join(str(part) for part in place) or "configuration"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}"
    message = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    shown = f" (given: {given!r})" if isinstance(given, str | int | float) else ""
    return f"{key}: {message}{shown}"


def _mend(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "remove it or mend its spelling"
    return "mend this key"
