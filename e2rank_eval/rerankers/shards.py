"""Resumable work: a few queries' rankings under a key that everything deciding them goes into."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from e2rank_eval.progress import say
from e2rank_eval.records import CandidateList, Query
from e2rank_eval.store.files import sha256_json, write_json


def shard_key(
    fingerprint: str, on_error: str, queries: Sequence[Query], lists: Sequence[CandidateList]
) -> str:
    """Hex SHA-256 over the reranker's fingerprint, the queries' texts and the candidates' texts in order.

    Queries of one shard are ranked together, so they share one key: a change to any of them makes
    the whole shard new.
    """
    return sha256_json(
        {
            "fingerprint": fingerprint,
            "on_error": on_error,
            "queries": [[query.id, query.text] for query in queries],
            "candidates": [[[d.id, _text_hash(d.contents)] for d in one.documents] for one in lists],
        }
    )


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class ShardStore:
    """Finished shards below one folder, each an atomically written file that holds its own hash."""

    folder: Path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.json"

    def read(self, key: str) -> list[dict[str, Any]] | None:
        """The rows of a finished shard; None where there is none, or where it is torn (which is said)."""
        path = self._path(key)
        try:
            shard = json.loads(path.read_bytes())
            rows: list[dict[str, Any]] = shard["rows"]
            intact = shard["sha256"] == sha256_json(rows)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            intact = False
        if not intact:
            say(f"{path}: torn or changed, redoing it")
            return None
        return rows

    def write(self, key: str, rows: list[dict[str, Any]]) -> None:
        write_json(self._path(key), {"rows": rows, "sha256": sha256_json(rows)})
