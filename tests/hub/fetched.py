"""Sources of one file on the loopback server, and the files that a fetch leaves in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from file_server import Fault

from e2rank_eval.datasets.sources.kinds import UrlSource


def source_of(*urls: str, content: bytes | None, name: str = "texts.zip") -> UrlSource:
    """A source of a file at any of ``urls``, with a known hash if ``content`` is given."""
    md5 = None if content is None else hashlib.md5(content).hexdigest()
    return UrlSource.model_validate(
        {"kind": "url", "downloads": [{"urls": list(urls), "md5": md5, "name": name}]}
    )


def is_whole(folder: Path, content: bytes) -> bool:
    return (folder / "texts.zip").read_bytes() == content


def left_in(folder: Path) -> list[str]:
    """Return the files left by a failure that could be mistaken for data."""
    waiting = {path for path in folder.rglob("*") if ".partial" in path.parts or path.suffix == ".lock"}
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path not in waiting)


def cuts(*places: int) -> list[Fault]:
    return [Fault("cut", at=place) for place in places]
