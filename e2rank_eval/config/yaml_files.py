"""YAML files that people write: read strictly, and the line of a key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from e2rank_eval.errors import InputError

_MERGE = "tag:yaml.org,2002:merge"


class _NoRepeats(yaml.SafeLoader):
    """Refuses a repeated key, whose first value YAML's own loader would drop without a word."""

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
    """Return the mapping in a YAML file; an empty file gives an empty one.

    Raises
    ------
    InputError
        Naming file and line: missing, not UTF-8, not YAML, a key that appears twice, no mapping.
    """
    try:
        values = yaml.load(path.read_text(encoding="utf-8-sig"), _NoRepeats)
    except FileNotFoundError as error:
        raise InputError("no such configuration", path=path, hint="see config/ for examples") from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"not UTF-8 ({error.reason})", path=path, hint="convert the file to UTF-8"
        ) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        twice = "appears twice" in str(error.problem)
        raise InputError(
            str(error.problem) if twice else f"not YAML: {error.problem}", path=path, line=line,
            hint="remove one of the two" if twice else "fix the syntax there or on the line before",
        ) from error  # fmt: skip
    except yaml.YAMLError as error:
        raise InputError(
            f"not YAML: {' '.join(str(error).split())}", path=path, hint="fix the syntax"
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError("not a mapping of keys to values", path=path, hint="write key: value lines")
    return values


def line_of(path: Path | str, place: Sequence[str | int]) -> int | None:
    """Return the line, from 1, of the innermost key of ``place`` that a YAML file has.

    Parts of ``place`` that the file lacks are skipped. None where no part is found, or ``path`` is not a
    file.
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
