"""Real texts for rerankers: a user's lists, or docstrings of the standard library."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import random
from collections.abc import Iterable
from pathlib import Path

from e2rank_eval.errors import InputError
from e2rank_eval.evaluation.samples import Work
from e2rank_eval.records import Candidate, CandidateList, Document, Query
from e2rank_eval.store.files import read_jsonl

MODULES = (
    "asyncio",
    "collections",
    "concurrent",
    "email",
    "http",
    "logging",
    "unittest",
    "xml",
    "urllib",
    "json",
)


def docstrings(count: int) -> list[str]:
    """A seeded sample of the standard library's docstrings, 1 to several hundred words each."""
    found: set[str] = set()
    for package_name in MODULES:
        package = importlib.import_module(package_name)
        for info in pkgutil.walk_packages(package.__path__, f"{package_name}."):
            if info.name.endswith("__main__"):
                continue
            try:
                module = importlib.import_module(info.name)
            except ImportError:  # parts of the library for other systems
                continue
            things = [module, *vars(module).values()]
            members = [
                member for thing in things if inspect.isclass(thing) for member in vars(thing).values()
            ]
            documented = (getattr(thing, "__doc__", None) for thing in (*things, *members))
            found |= {text for text in documented if isinstance(text, str) and text}
    return random.Random(13).sample(sorted(found), count)


def work_of(lists: Path | None, queries: int, candidates: int) -> list[Work]:
    """Return the queries and their candidates: the first of ``lists``, lines of training lists
    (``{"query": text, "document": [text, ...]}``), or else docstrings with other docstrings as candidates.

    Raises InputError where the file has fewer.
    """
    if lists is None:
        texts, each = docstrings(queries * (candidates + 1)), candidates + 1
        rows = [texts[start : start + each] for start in range(0, len(texts), each)]
    else:
        read = ([line["query"], *line["document"]] for _, line in read_jsonl(lists))
        rows = [row[: candidates + 1] for row in read if len(row) > candidates][:queries]
    if len(rows) < queries:
        raise InputError(f"{len(rows)} lists of {candidates} documents", path=lists, hint="ask for fewer")
    work: list[Work] = []
    for number, (text, *others) in enumerate(rows):
        query = Query(str(number), text)
        work.append((query, candidate_list(query.id, others)))
    return work


def candidate_list(query_id: str, texts: Iterable[str]) -> CandidateList:
    """Return the texts as the candidates of a query, in their order."""
    documents = (Document(f"{query_id}-{place}", text) for place, text in enumerate(texts))
    return CandidateList(query_id, tuple(Candidate(one, -float(n)) for n, one in enumerate(documents)))
