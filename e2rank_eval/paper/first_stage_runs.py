"""Published first-stage runs and judgements: from a folder of the user's, else from their public source."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

from e2rank_eval.config.entries import UrlSource
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.errors import InputError
from e2rank_eval.paper import runs as registry
from e2rank_eval.paper.runs import FileCopy
from e2rank_eval.store.files import read_jsonl
from e2rank_eval.store.trec import Qrels, Run, read_qrels, read_run

VARIABLE = "E2RANK_RUNS"
_FOLDERS = ("", "runs", "qrels")


def load_run(name: str, cache: Path, runs_from: Path | None = None) -> Run:
    """One run of the registry.

    ``runs_from``, else the folder that ``E2RANK_RUNS`` names, is searched (itself, its ``runs`` and
    ``qrels``) for the registry's copy, plain or gzipped; without such a folder the public source is
    fetched below ``cache``.

    Raises
    ------
    InputError
        For an unknown name, or a file that is missing from the folder, is not the registry's or is
        malformed.
    UnavailableError
        When the public source cannot be had.
    """
    entry = registry.run(name)
    copy = _local(entry.local_copy, runs_from)
    if copy is not None:
        return read_run(copy)
    return read_candidate_lists(_fetched(name, entry.sources, cache))


def load_judgements(name: str, cache: Path, runs_from: Path | None = None) -> Qrels:
    """One set of judgements of the registry; found and raising as :func:`load_run` does."""
    entry = registry.judgements(name)
    return read_qrels(_local(entry.local_copy, runs_from) or _fetched(name, entry.sources, cache))


def read_candidate_lists(path: Path) -> Run:
    """A JSONL file of RankLLM's: a line per query with its ``query.qid`` and ``candidates`` (docid, score).

    Raises
    ------
    InputError
        Naming file and line: a missing key, a repeated query or document.
    """
    scores: dict[str, dict[str, float]] = {}
    for line, row in read_jsonl(path):
        try:
            query_id = str(row["query"]["qid"])
            candidates: list[dict[str, Any]] = row["candidates"]
            ranking = {str(candidate["docid"]): float(candidate["score"]) for candidate in candidates}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"no candidate list ({type(error).__name__}: {error})", path=path, line=line,
                hint="give RankLLM's form: query.qid, candidates with docid and score",
            ) from error  # fmt: skip
        if query_id in scores or len(ranking) != len(candidates):
            what = f"query {query_id!r}" if query_id in scores else "a document"
            raise InputError(f"{what} appears twice", path=path, line=line, hint="remove one")
        scores[query_id] = ranking
    return Run(scores)


def _local(copy: FileCopy, runs_from: Path | None) -> Path | None:
    folder = runs_from or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if folder is None:
        return None
    names = [copy.name, f"{copy.name}.gz"]
    for path in (folder / sub / name for sub in _FOLDERS for name in names):
        if path.is_file():
            _check(path, copy)
            return path
    raise InputError(
        f"neither {copy.name} nor {copy.name}.gz is there", path=folder,
        hint=f"put it there, or give no folder (--runs-from, {VARIABLE}) to fetch it",
    )  # fmt: skip


def _check(path: Path, copy: FileCopy) -> None:
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise InputError(f"not a whole gzip file ({error})", path=path, hint="copy it again") from error
    found = hashlib.sha256(content).hexdigest()
    if found != copy.sha256:
        raise InputError(
            f"sha256 is {found} instead of {copy.sha256}", path=path, hint="give the registry's file"
        )


def _fetched(name: str, sources: list[UrlSource], cache: Path) -> Path:
    fetched = fetch(name, sources, cache / "downloads" / "runs" / name, {})
    (only,) = fetched.files
    return fetched.path / only
