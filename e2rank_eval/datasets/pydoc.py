"""Docstring-to-code retrieval over the running Python's own standard library."""

from __future__ import annotations

import hashlib
import platform
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from e2rank_eval.datasets.python_functions import Function, functions
from e2rank_eval.datasets.sampling import sample
from e2rank_eval.errors import UnavailableError
from e2rank_eval.progress import track
from e2rank_eval.records import Dataset, Document, Query
from e2rank_eval.store.files import canonical_json

_LEFT_OUT = frozenset(
    (
        "test",
        "tests",
        "idlelib",
        "turtledemo",
        "site-packages",
        "dist-packages",
        "sitecustomize.py",
        "usercustomize.py",
    )
)
"""Tests and demonstrations, and what is installed beside the standard library but no part of it."""


def load(*, seed: int, documents: int, queries: int) -> Dataset:
    """A seeded sample of ``documents`` functions, ``queries`` of which are sought by their description.

    Known-item retrieval: each query has one relevant document, of grade 1. The data set's id holds
    Python's version and the hash of the corpus, since both decide its numbers.

    Raises
    ------
    UnavailableError
        When this Python came without the sources of its standard library.
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
    """A query needs an id of its own: some evaluators drop documents whose id is the query's."""
    return f"{document_id}.__doc__"


def corpus_hash(corpus: Iterable[Document]) -> str:
    """Hex SHA-256 of the documents' ids and texts, in order."""
    digest = hashlib.sha256()
    for document in corpus:
        digest.update(canonical_json([document.id, document.text]).encode() + b"\n")
    return digest.hexdigest()


def distinct(found: Iterable[Function]) -> dict[str, Function]:
    """Functions by id; of those that share their id, description or code only the first is kept.

    Conditional definitions and property setters repeat ids; a repeated description ("Return a
    string.") would make a second, unjudged right answer.
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
    """Functions of every module of the standard library that is Python source, in order of the paths.

    Raises
    ------
    SyntaxError
        When a module is not of this Python's version.
    """
    paths = [path.relative_to(_root()) for path in _root().rglob("*.py")]
    modules = sorted(path for path in paths if not _LEFT_OUT & set(path.parts))
    for path in track(modules, description="reading the standard library"):
        with tokenize.open(_root() / path) as source:
            yield from functions(source.read(), _module(path))


def _root() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def _module(path: Path) -> str:
    """``json/__init__.py`` -> ``json``, ``json/decoder.py`` -> ``json.decoder``."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
