"""Sources of one file on the loopback server, and what a fetch of it leaves in a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from file_server import Fault

from e2rank_eval.datasets.sources.kinds import UrlSource


def source_of(*urls: str, content: bytes | None, name: str = "texts.zip") -> UrlSource:
    """Any of ``urls`` for a file, whose hash is known where ``content`` is given."""
    md5 = None if content is None else hashlib.md5(content).hexdigest()
    return UrlSource.model_validate(
        {"kind": "url", "downloads": [{"urls": list(urls), "md5": md5, "name": name}]}
    )


def is_whole(folder: Path, content: bytes) -> bool:
    return (folder / "texts.zip").read_bytes() == content


def left_in(folder: Path) -> list[str]:
    """What a failure leaves that something could take for data."""
    waiting = {path for path in folder.rglob("*") if ".partial" in path.parts or path.suffix == ".lock"}
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path not in waiting)


def cuts(*places: int) -> list[Fault]:
    return [Fault("cut", at=place) for place in places]
