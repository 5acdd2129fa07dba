"""Sources of one zip on the loopback server, and what a fetch of it leaves in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import published
from file_server import Fault

from e2rank_eval.datasets.sources.kinds import UrlSource


def source_of(*urls: str, content: bytes | None, **kept) -> UrlSource:
    """Any of ``urls`` for a zip, whose hash is known where ``content`` is given."""
    one = {"urls": list(urls), "md5": None if content is None else hashlib.md5(content).hexdigest()}
    members = {"texts/corpus.jsonl": "corpus.jsonl", "texts/qrels/test.tsv": "qrels/test.tsv"}
    return UrlSource.model_validate({"kind": "url", "downloads": [one | ({"members": members} | kept)]})


def is_whole(folder: Path, texts) -> bool:
    expected = published.beir_files(texts)
    return all((folder / n).read_bytes() == expected[n] for n in ("corpus.jsonl", "qrels/test.tsv"))


def left_in(folder: Path) -> list[str]:
    """What a failure leaves that something could take for data."""
    waiting = {path for path in folder.rglob("*") if ".partial" in path.parts or path.suffix == ".lock"}
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path not in waiting)


def cuts(*places: int) -> list[Fault]:
    return [Fault("cut", at=place) for place in places]
