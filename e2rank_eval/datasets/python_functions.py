"""Functions of Python source files as pairs of description and code, by the CodeSearchNet recipe."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass

_FEWEST_WORDS = 3
_FEWEST_LINES = 3


@dataclass(frozen=True, slots=True)
class Function:
    """``id`` is ``module:qualified name``; ``description`` the docstring's first paragraph on one line;
    ``code`` the source as written, decorators included, without the lines of the docstring."""

    id: str
    description: str
    code: str


def functions(source: str, module: str) -> Iterator[Function]:
    """The functions and methods of one module that can serve as documents (nothing is imported).

    As in CodeSearchNet (Husain et al. 2019, section 2), left out are: functions without docstring;
    first paragraphs of fewer than 3 words; code of fewer than 3 lines; special methods such as
    ``__init__``; names that contain "test". Also left out here: functions inside functions; bodies
    that are nothing but the docstring; docstrings that share a line with code; code that repeats
    the description, which would give the answer away.

    Raises
    ------
    SyntaxError
        When ``source`` is no Python of this version.
    """
    # Python ends lines here alone; str.splitlines would also split at form feeds.
    lines = source.split("\n")
    for name, node in _definitions(ast.parse(source), ""):
        if "test" in node.name.lower() or (node.name.startswith("__") and node.name.endswith("__")):
            continue
        description = _description(node)
        code = _code_without_docstring(node, lines)
        if description is None or code is None or len(description.split()) < _FEWEST_WORDS:
            continue
        if len([line for line in code.split("\n") if line.strip()]) < _FEWEST_LINES:
            continue
        if description in " ".join(code.split()):
            continue
        yield Function(f"{module}:{name}", description, code)


_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def _definitions(parent: ast.AST, prefix: str) -> Iterator[tuple[str, _Definition]]:
    """Functions at the level of the module or of a class, also those under ``if``, ``try`` and the like."""
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, _Definition):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from _definitions(node, f"{prefix}{node.name}.")
        elif isinstance(node, ast.stmt | ast.ExceptHandler):
            yield from _definitions(node, prefix)


def _description(node: _Definition) -> str | None:
    docstring = ast.get_docstring(node, clean=False)
    if docstring is None:
        return None
    paragraph: list[str] = []
    for line in inspect.cleandoc(docstring).split("\n"):
        if not line.strip():
            break
        paragraph += line.split()
    return " ".join(paragraph)


def _code_without_docstring(node: _Definition, lines: list[str]) -> str | None:
    docstring = node.body[0]
    if len(node.body) == 1 or docstring.end_lineno is None or node.end_lineno is None:
        return None
    # The columns of ast count UTF-8 bytes.
    before = lines[docstring.lineno - 1].encode()[: docstring.col_offset]
    after = lines[docstring.end_lineno - 1].encode()[docstring.end_col_offset :]
    if before.strip() or after.strip():
        return None
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    kept = lines[first - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : node.end_lineno]
    return "\n".join(kept)
