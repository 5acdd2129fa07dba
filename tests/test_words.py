"""Words that were replaced by terms of the field do not return to code, documents, tests or messages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("e2rank_eval", "tests", "benchmarks", "config", "docs", "notebooks", "profiles", "workflow")
SUFFIXES = {".py", ".md", ".yaml", ".smk", ".js", ".css", ".html", ".ipynb", ".rst"}
FILES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "Makefile", "Snakefile", "pyproject.toml")),
    *(path for name in FOLDERS for path in sorted((ROOT / name).rglob("*")) if path.suffix in SUFFIXES),
]
WORDS = {
    "hint, fix or repair": r"\bmend(s|ed|ing)?\b",
    "training list": r"\bslates?\b",
    "setwise": r"\btournament",
    "truncated or corrupt": r"(?<!strife-)\btorn\b",
    "command": r"\bverbs?\b",
    "is not a": r"\b(?<!there )is no (number|integer|string|permutation|whole|finite|callable|file|terminal)",
    "skipped or excluded": r"\b(passed over|left out)\b",
    "named or logged": r"\b(told|spoken)\b",
    "is stored in": r"\blies\b",
    "takes precedence over": r"\bgo(es)? before\b",
    "output file, or paper table": r"\bartefact",
    "throughput": r"\bpace\b",
    "smoke test, or fake": r"\bstand-in",
    "closest prior work": r"\bancestor",
    "exit code": r"\brc [0-9]",
    "package, module, data flow": r"\bway of the data\b",
    "macro-average": r"\bmean over collections\b",
    "no reranking": r"\bfirst stage as it is\b",
    "not part of the cache key": r"\bdecides? no byte",
    "minimum detectable difference": r"\bsmallest difference that\b",
    "resumes": r"\bgo(es)? on where\b",
    "atomic": r"\bwritten whole\b",
    "a speed-up of": r"\btimes as fast\b",
    "oracle teacher": r"\bteacher who\b",
    "a sentence": r'^\s*r?"""Of\b',
    "concurrent": r"\b(queries|requests) under way\b",
    "probe": r"\bknock",
}
"""What to write -> what not to."""
# Their subject is English verbs, and this list.
EXEMPT = {"lucene.py", "test_retrieval_analysis.py", "test_words.py"}


@pytest.mark.parametrize("instead", WORDS)
def test_a_word_does_not_return(instead: str) -> None:
    pattern = re.compile(WORDS[instead], re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        if path.name not in EXEMPT
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == [], f"write {instead!r}"
