"""The registry of scored public runs and their judgements, read from a user's folder or downloaded."""

from __future__ import annotations

import gzip
import hashlib
import os
from functools import cache
from importlib import resources
from pathlib import Path

import yaml
from pydantic import Field

from e2rank_eval.config.systems import Strict
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import Sha256, UrlSource
from e2rank_eval.errors import InputError
from e2rank_eval.paper.published import Quantity
from e2rank_eval.registry import look_up
from e2rank_eval.store.hits import hits_as_run, read_hits
from e2rank_eval.store.trec import Qrels, Run, read_qrels, read_run

VARIABLE = "E2RANK_RUNS"
"""Environment variable that names a folder with local copies of the files."""

_FOLDERS = ("", "runs", "qrels")


class FileCopy(Strict):
    """A local copy of a source in a user's folder, plain or gzipped."""

    name: str
    sha256: Sha256 = Field(description="of the uncompressed bytes")


class JudgementsEntry(Strict):
    """The judgements of one data set, with their public sources and a user's local copy."""

    title: str
    queries: int = Field(description="judged queries")
    sources: list[UrlSource] = Field(min_length=1)
    local_copy: FileCopy


class RunEntry(Strict):
    """One public run, with its public sources and a user's local copy."""

    title: str
    dataset: str = Field(description="judgements that belong to the run")
    retriever: str
    depth: int = Field(description="documents per query")
    sources: list[UrlSource] = Field(min_length=1, description="candidate lists in RankLLM's JSONL")
    local_copy: FileCopy = Field(description="the lists as a TREC run")
    gives: Quantity | None = Field(None, description="published quantity that it reproduces")


class RunRegistry(Strict):
    """The content of ``runs.yaml``."""

    judgements: dict[str, JudgementsEntry]
    runs: dict[str, RunEntry]


@cache
def registry() -> RunRegistry:
    """Return the packaged registry."""
    packaged = resources.files("e2rank_eval.paper") / "runs.yaml"
    return RunRegistry.model_validate(yaml.safe_load(packaged.read_text(encoding="utf-8")))


def run_entry(name: str) -> RunEntry:
    """Return the entry of one run; raises :class:`InputError` for an unknown name."""
    return look_up(registry().runs, name, "run")


def load_run(name: str, cache: Path) -> Run:
    """Load one run of the registry.

    If ``E2RANK_RUNS`` names a folder, the local copy is read from it or its subfolders ``runs`` and
    ``qrels``, plain or gzipped. Otherwise the public source is downloaded into ``cache``.

    Raises
    ------
    InputError
        For an unknown name, or a local copy that is missing, malformed or has another SHA-256.
    UnavailableError
        When the public source cannot be fetched.
    """
    entry = run_entry(name)
    copy = _local(entry.local_copy)
    return read_run(copy) if copy else hits_as_run(read_hits(_fetched(name, entry.sources, cache)))


def load_judgements(name: str, cache: Path) -> Qrels:
    """Load the judgements of a data set of the registry; files and errors are as in :func:`load_run`."""
    entry = look_up(registry().judgements, name, "judgements")
    return read_qrels(_local(entry.local_copy) or _fetched(name, entry.sources, cache))


def _local(copy: FileCopy) -> Path | None:
    if not os.environ.get(VARIABLE):
        return None
    folder = Path(os.environ[VARIABLE])
    for path in (folder / sub / f"{copy.name}{end}" for sub in _FOLDERS for end in ("", ".gz")):
        if path.is_file():
            _check(path, copy)
            return path
    raise InputError(
        f"neither {copy.name} nor {copy.name}.gz is there", path=folder,
        hint=f"put it there, or unset {VARIABLE} to fetch it",
    )  # fmt: skip


def _check(path: Path, copy: FileCopy) -> None:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
    except (OSError, EOFError) as error:
        raise InputError(f"truncated or corrupt file ({error})", path=path, hint="copy it again") from error
    if found != copy.sha256:
        raise InputError(
            f"sha256 is {found} instead of {copy.sha256}", path=path, hint="give the registry's file"
        )


def _fetched(name: str, sources: list[UrlSource], cache: Path) -> Path:
    fetched = fetch(name, sources, cache / "downloads" / "runs" / name, {})
    (only,) = fetched.files
    return fetched.path / only
