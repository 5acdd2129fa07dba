"""Seed one-line faults into the package and see which the fast tests catch: `python tests/faults.py`.

Run by hand: every fault runs its package's tests in a copy of the tree. A survivor is a fault that changes
nothing that matters, or a test that is missing; its diff is printed so that a reader can tell.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import os
import queue
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "e2rank_eval"
TIMEOUT = 900
# Folders of tests whose name is not their package's.
TESTS = {
    "cli": ["test_cli.py"],
    "config": ["configuration"],
    "datasets": ["datasets", "hub"],
    "graph": ["workflow"],
    "models": ["encoders", "language_models", "models", "test_checkpoints.py", "test_vllm_engine.py"],
    "rerankers": ["rerankers", "prompts"],
    "top": ["test_cli.py", "store", "evaluation"],
}
_OTHER_OPERATOR: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Add: ast.Sub,
    ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.And: ast.Or,
    ast.Or: ast.And,
}  # fmt: skip
_OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Fault:
    """One change: ``new`` is the whole file with it."""

    path: Path
    line: int
    old: str
    new: str

    @property
    def package(self) -> str:
        """The subpackage that the fault is in; ``top`` for top-level modules."""
        parts = self.path.relative_to(PACKAGE).parts
        return parts[0] if len(parts) > 1 else "top"

    @property
    def diff(self) -> str:
        """The changed lines, as a unified diff without context."""
        name = str(self.path.relative_to(ROOT))
        return "\n".join(
            difflib.unified_diff(self.old.splitlines(), self.new.splitlines(), name, name, lineterm="", n=0)
        )


def faults(path: Path) -> Iterator[Fault]:
    """Yield every fault that can be seeded into a file, one expression of one line each."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in _expressions(ast.parse(source)):
        changed = _changed(node)
        if changed is not None and node.lineno == node.end_lineno:
            line = lines[node.lineno - 1].encode()
            text = (
                line[: node.col_offset].decode() + ast.unparse(changed) + line[node.end_col_offset :].decode()
            )
            new = "".join([*lines[: node.lineno - 1], text, *lines[node.lineno :]])
            yield Fault(path, node.lineno, source, new)


def _expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Walk the code without annotations and ``strict=``, which decide nothing, and without messages."""
    for name, value in ast.iter_fields(node):
        if name not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                strict = isinstance(child, ast.keyword) and child.arg == "strict"
                if (
                    isinstance(child, ast.AST)
                    and not isinstance(child, ast.JoinedStr | ast.Raise)
                    and not strict
                ):
                    if isinstance(child, ast.expr):
                        yield child
                    yield from _expressions(child)


def _changed(node: ast.expr) -> ast.expr | None:
    new = deepcopy(node)
    match new:
        case ast.Compare(ops=[operator]):
            new.ops = [_OTHER_OPERATOR[type(operator)]()]  # type: ignore[list-item]
        case ast.BinOp(op=operator) if type(operator) in _OTHER_OPERATOR and not _has_text(new):
            new.op = _OTHER_OPERATOR[type(operator)]()  # type: ignore[assignment]
        case ast.BoolOp(op=operator):
            new.op = _OTHER_OPERATOR[type(operator)]()  # type: ignore[assignment]
        case ast.UnaryOp(op=ast.Not()):
            return new.operand
        case ast.Constant(value=bool()):
            new.value = not new.value
        case ast.Constant(value=int()):
            new.value += 1
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_FUNCTION:
            new.func = ast.Name(_OTHER_FUNCTION[name])
        case ast.IfExp():
            new.test = ast.UnaryOp(ast.Not(), new.test)
        case _:
            return None
    return new


def _has_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(one, ast.JoinedStr | ast.List | ast.Tuple)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str))
        for one in ast.walk(node)
    )


def chosen(count: int, seed: int, only: Sequence[str]) -> list[Fault]:
    """Return ``count`` faults, spread evenly over the packages; the same ones for a seed and a tree."""
    rng = random.Random(seed)
    found: dict[str, list[Fault]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for fault in faults(path):
            if not only or fault.package in only:
                found.setdefault(fault.package, []).append(fault)
    for waiting in found.values():
        rng.shuffle(waiting)
    picked: list[Fault] = []
    while len(picked) < count and any(found.values()):
        picked += [waiting.pop() for waiting in found.values() if waiting]
    return picked[:count]


def tests_of(fault: Fault) -> list[str]:
    """Return the tests of the fault's package, and any other file of tests that imports its module."""
    module = ".".join(fault.path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    named = re.compile(rf"{re.escape(module)}\b(?!\.)")
    folders = [ROOT / "tests" / name for name in TESTS.get(fault.package, [fault.package])]
    direct = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if named.search(path.read_text("utf-8")) and not any(map(path.is_relative_to, folders))
    ]
    return [str(path.relative_to(ROOT)) for path in [*folders, *direct] if path.exists()]


def copy_tree(target: Path) -> Path:
    """Copy the tracked files; models and data that tests need are linked, not copied."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (target / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / "tree" / name)
    for source, link in ((ROOT / "cache", "tree/cache"), (ROOT.parent / "shared", "shared")):
        if source.exists():
            (target / link).symlink_to(source)
    return target / "tree"


def passes(tree: Path, tests: Sequence[str]) -> bool:
    """Return whether the fast tests pass in a tree; a run that does not end counts as failed."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, timeout=TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode in (0, 5)  # 5: nothing was collected


def main() -> None:
    """Seed the chosen faults, one after the other in each job's tree, and print which were caught."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--only", nargs="*", default=[], metavar="PACKAGE", help="such as rerankers")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    picked = chosen(options.count, options.seed, options.only)
    survived: list[Fault] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.jobs) as pool:
        trees: queue.Queue[Path] = queue.Queue()
        for number in range(options.jobs):
            trees.put(copy_tree(Path(folder) / str(number)))
        # A test that fails without a fault would catch every one.
        everything = dict.fromkeys(one for fault in picked for one in tests_of(fault))
        if not passes(trees.queue[0], list(everything)):
            parser.exit(1, "the tests fail without a fault: make test\n")

        def try_one(fault: Fault) -> None:
            started, tree = time.monotonic(), trees.get()
            name = fault.path.relative_to(ROOT)
            (tree / name).write_text(fault.new, encoding="utf-8")
            try:
                passed = passes(tree, tests_of(fault))
            finally:
                (tree / name).write_text(fault.old, encoding="utf-8")
                trees.put(tree)
            seconds = f"{time.monotonic() - started:.0f} s"
            print("SURVIVED" if passed else "caught", f"{name}:{fault.line}", seconds, flush=True)
            if passed:
                survived.append(fault)
                print(fault.diff, flush=True)

        list(pool.map(try_one, picked))
        for package in sorted({fault.package for fault in picked}):
            mine = [fault for fault in picked if fault.package == package]
            lost = sum(fault.package == package for fault in survived)
            print(f"{package:<14}{len(mine) - lost:>4} caught{lost:>4} survived")


if __name__ == "__main__":
    main()
