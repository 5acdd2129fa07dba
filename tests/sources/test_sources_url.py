"""A file at an address arrives once, whole and as the registry names it, or not at all."""

from __future__ import annotations

import hashlib

import pytest
from loopback import wheel

from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import UrlSource
from e2rank_eval.errors import UnavailableError

CONTENT = b"q1 0 d1 1\n" * 5000


def _source(*addresses: str, content: bytes = CONTENT, **kept: object) -> UrlSource:
    download = {"urls": addresses, "sha256": hashlib.sha256(content).hexdigest()}
    return UrlSource.model_validate({"kind": "url", "downloads": [download | kept]})


def test_fetches_once(loopback, tmp_path):
    loopback.answers["/qrels.txt"] = (200, CONTENT, {})
    source = _source(f"{loopback.address}/qrels.txt", name="qrels.txt")
    for _ in range(2):
        fetched = fetch("dl", [source], tmp_path / "dl", {})
    assert (fetched.path / "qrels.txt").read_bytes() == CONTENT
    assert list(fetched.files) == ["qrels.txt"]
    assert loopback.requests == ["/qrels.txt"]


def test_another_file_is_refused_and_the_mirror_is_asked(loopback, tmp_path):
    loopback.answers |= {"/changed.txt": (200, CONTENT + b"x", {}), "/qrels.txt": (200, CONTENT, {})}
    changed, right = f"{loopback.address}/changed.txt", f"{loopback.address}/qrels.txt"
    fetched = fetch("dl", [_source(changed, right, name="qrels.txt")], tmp_path / "dl", {})
    assert (fetched.path / "qrels.txt").read_bytes() == CONTENT
    with pytest.raises(UnavailableError, match=r"changed\.txt: sha256 is [0-9a-f]{64} instead of"):
        fetch("dl", [_source(changed, name="qrels.txt")], tmp_path / "only", {})
    assert not (tmp_path / "only").exists()


def test_members_are_taken_out_of_an_archive(loopback, tmp_path):
    archive = wheel({"set/qrels.txt": CONTENT, "set/other.txt": b""})
    loopback.answers["/set.zip"] = (200, archive, {})
    source = _source(f"{loopback.address}/set.zip", content=archive, members={"set/qrels.txt": "qrels.txt"})
    fetched = fetch("dl", [source], tmp_path / "dl", {})
    assert list(fetched.files) == ["qrels.txt"]
    assert (fetched.path / "qrels.txt").read_bytes() == CONTENT
