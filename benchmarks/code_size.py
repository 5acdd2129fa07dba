"""Count code lines and import reach: `python benchmarks/code_size.py`.

A code line is a line with a token other than a comment or a docstring. The reach of a module is the set of
modules of the package that its import statements, at any place in the file, lead to, including itself.
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "e2rank_eval"
WATCHED = ("cli.pipeline", "rerankers.execution", "report.tables")
_NO_CODE = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER
}  # fmt: skip


def code_lines(path: Path) -> int:
    """Return the number of lines of a Python file without blank lines, comments and docstrings."""
    source = path.read_text(encoding="utf-8")
    documented: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            text = first.value if isinstance(first, ast.Expr) else None
            if first is not None and isinstance(text, ast.Constant) and isinstance(text.value, str):
                documented.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


def module_name(path: Path) -> str:
    """Return the dotted name of a file of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, modules: set[str]) -> set[str]:
    """Return the package's modules that the import statements of a file name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found & modules


def reach(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Return every module that ``start`` leads to, itself included."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen.add(module)
            waiting.extend(graph[module])
    return seen


def main() -> None:
    """Print code lines by package, modules, import reach, and the code lines of the tests."""
    files = {module_name(path): path for path in sorted((ROOT / PACKAGE).rglob("*.py"))}
    sizes: dict[str, list[int]] = {}
    for name, path in files.items():
        parts = name.split(".")
        entry = sizes.setdefault(
            parts[1] if len(parts) > 1 and path.parent.name != PACKAGE else "(top)", [0, 0]
        )
        entry[0] += code_lines(path)
        entry[1] += 1
    print(f"{'package':<14}{'code lines':>12}{'modules':>9}")
    for name, (lines, modules) in sizes.items():
        print(f"{name:<14}{lines:>12,}{modules:>9}")
    print(f"{'together':<14}{sum(one for one, _ in sizes.values()):>12,}{len(files):>9}")
    graph = {name: imports(path, set(files)) for name, path in files.items()}
    for name in WATCHED:
        print(f"{name} reaches {len(reach(f'{PACKAGE}.{name}', graph))} modules")
    tests = sum(code_lines(path) for path in (ROOT / "tests").rglob("*.py"))
    print(f"tests: {tests:,} code lines")


if __name__ == "__main__":
    main()
