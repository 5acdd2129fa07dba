"""Docstring-to-code retrieval over the standard library of the running Python, as in CodeSearchNet."""

from __future__ import annotations

import ast
import hashlib
import inspect
import platform
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from e2rank_eval.datasets.loaders import LOADERS, Loaded, Request
from e2rank_eval.datasets.slices import sample
from e2rank_eval.errors import UnavailableError
from e2rank_eval.progress import track
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.files import canonical_json

_SKIPPED = frozenset(
    ("test", "tests", "idlelib", "turtledemo", "site-packages", "dist-packages", "sitecustomize.py",
     "usercustomize.py")
)  # fmt: skip
"""Tests, demonstrations, and installed packages that are not part of the standard library."""


_FEWEST_WORDS = 3
_FEWEST_LINES = 3


@dataclass(frozen=True, slots=True)
class Function:
    """A documented function; ``id`` is ``module:qualified name``.

    ``description`` is the docstring's first paragraph on one line; ``code`` is the source with decorators,
    without the lines of the docstring.
    """

    id: str
    description: str
    code: str


def load(*, seed: int, documents: int, queries: int) -> Dataset:
    """Return a seeded sample of ``documents`` functions; the descriptions of ``queries`` of them are queries.

    This is known-item retrieval: each query has one relevant document, of grade 1. The data set's id holds
    Python's version and a hash of the corpus, since both affect results.

    Raises
    ------
    UnavailableError
        When this Python has no sources of its standard library.
    """
    found = distinct(standard_library())
    ids = sample(found, documents, seed=seed, purpose="pydoc documents")
    sought = sample(ids, queries, seed=seed, purpose="pydoc queries")
    if len(sought) < queries:
        raise UnavailableError(
            f"{_root()}: {len(found)} documented functions, {queries} needed; use a Python with its sources"
        )
    corpus = {i: Document(i, found[i].code) for i in ids}
    return Dataset(
        id=f"pydoc-{platform.python_version()}-{corpus_hash(corpus.values())[:8]}",
        corpus=corpus,
        queries={query_id(i): Query(query_id(i), found[i].description) for i in sought},
        qrels={query_id(i): {i: 1} for i in sought},
    )


def query_id(document_id: str) -> str:
    """Return the id of a query, unlike its document's: some evaluators drop documents with the query's id."""
    return f"{document_id}.__doc__"


def corpus_hash(corpus: Iterable[Document]) -> str:
    """Return the hexadecimal SHA-256 of the documents' ids and texts, in order."""
    digest = hashlib.sha256()
    for document in corpus:
        digest.update(canonical_json([document.id, document.text]).encode() + b"\n")
    return digest.hexdigest()


def distinct(found: Iterable[Function]) -> dict[str, Function]:
    """Return functions by id; of functions with the same id, description or code, only the first is kept.

    Conditional definitions and property setters repeat ids; a repeated description ("Return a string.") would
    have a second, unjudged relevant document.
    """
    kept: dict[str, Function] = {}
    seen: set[str] = set()
    for function in found:
        keys = {
            f"id {function.id}",
            f"description {function.description.lower()}",
            f"code {function.code.strip()}",
        }
        if not keys & seen:
            kept[function.id] = function
        seen |= keys
    return kept


def standard_library() -> Iterator[Function]:
    """Yield the functions of every Python source of the standard library, in order of the paths.

    Raises
    ------
    SyntaxError
        When a module does not parse with this Python version.
    """
    root = _root()
    paths = [path.relative_to(root) for path in root.rglob("*.py")]
    modules = sorted(path for path in paths if not _SKIPPED & set(path.parts))
    for path in track(modules, description="reading the standard library"):
        with tokenize.open(root / path) as source:
            yield from functions(source.read(), _module(path))


def _root() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _module(path: Path) -> str:
    """``json/__init__.py`` -> ``json``, ``json/decoder.py`` -> ``json.decoder``."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def functions(source: str, module: str) -> Iterator[Function]:
    """Yield the functions and methods of one module that can serve as documents (nothing is imported).

    As in CodeSearchNet (Husain et al. 2019, section 2), these are skipped: functions without docstring, with
    a first paragraph of fewer than 3 words, or with fewer than 3 lines of code; special methods such as
    ``__init__``; names that contain "test". This suite also skips nested functions, bodies that consist of
    the docstring, docstrings that share a line with code, and code that repeats the description, which would
    reveal the answer.

    Raises
    ------
    SyntaxError
        When ``source`` does not parse with this Python version.
    """
    # Not splitlines, which also splits at form feeds.
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
    """Yield the functions of the module and its classes, also those within ``if``, ``try`` and the like."""
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
    # Column offsets of ast count UTF-8 bytes.
    before = lines[docstring.lineno - 1].encode()[: docstring.col_offset]
    after = lines[docstring.end_lineno - 1].encode()[docstring.end_col_offset :]
    if before.strip() or after.strip():
        return None
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    kept = lines[first - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : node.end_lineno]
    return "\n".join(kept)


def _requested(request: Request) -> Loaded:
    return load(seed=request.seed, **request.options), {}


LOADERS.add("pydoc", _requested)
