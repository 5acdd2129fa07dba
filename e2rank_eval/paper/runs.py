"""Published first-stage runs and judgements by name: their public sources and hashes."""

from __future__ import annotations

from functools import cache
from importlib import resources

import yaml
from pydantic import Field, ValidationError

from e2rank_eval.config import Strict
from e2rank_eval.config.entries import Sha256, UrlSource
from e2rank_eval.errors import InputError


class FileCopy(Strict):
    """The same data as a file in a folder of the user's, plain or gzipped."""

    name: str
    sha256: Sha256 = Field(description="of the uncompressed bytes")


class JudgementsEntry(Strict):
    title: str
    queries: int = Field(description="judged queries")
    sources: list[UrlSource] = Field(min_length=1)
    local_copy: FileCopy


class RunEntry(Strict):
    title: str
    dataset: str = Field(description="judgements that belong to the run")
    retriever: str
    depth: int = Field(description="documents per query")
    sources: list[UrlSource] = Field(min_length=1, description="candidate lists in RankLLM's JSONL")
    local_copy: FileCopy = Field(description="the lists as a TREC run")


class RunRegistry(Strict):
    judgements: dict[str, JudgementsEntry]
    runs: dict[str, RunEntry]


@cache
def registry() -> RunRegistry:
    """The packaged registry.

    Raises
    ------
    InputError
        Naming the first wrong key.
    """
    packaged = resources.files("e2rank_eval.paper") / "runs.yaml"
    try:
        return RunRegistry.model_validate(yaml.safe_load(packaged.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{key}: {first['msg']}", path="paper/runs.yaml", hint="fix this key") from error


def run(name: str) -> RunEntry:
    """One run; raises :class:`InputError` with the known names for any other."""
    known = registry().runs
    if name not in known:
        raise InputError(f"unknown run {name!r}", hint=f"known: {', '.join(known)}")
    return known[name]


def judgements(name: str) -> JudgementsEntry:
    """One set of judgements; raises as :func:`run` does."""
    known = registry().judgements
    if name not in known:
        raise InputError(f"unknown judgements {name!r}", hint=f"known: {', '.join(known)}")
    return known[name]
