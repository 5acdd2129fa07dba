"""A transfer that breaks off goes on where it broke, there or at a mirror, and never with other bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time

import pytest
from fetched import cuts, is_whole, left_in, source_of
from file_server import Fault

from e2rank_eval.datasets.sources import download
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.errors import UnavailableError


def test_cut_connections_are_resumed_where_they_broke(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = cuts(1000, 0, 2000, 0, 0, 4000)
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, texts)
    asked = [headers.get("Range") for headers in server.gets("/texts.zip")]
    assert asked == [None, *(f"bytes={n}-" for n in (1000, 1000, 3000, 3000, 3000, 7000))]
    assert server.gets("/texts.zip")[1]["If-Range"] == server.files["/texts.zip"].etag


def test_another_process_resumes_what_one_had_to_leave(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = cuts(7000, 0, 0, 0, 0, 0)
    source = source_of(url, content=archive)
    with pytest.raises(
        UnavailableError, match=r"the connection was cut at 7000 of \d+ bytes, 5 times in a row"
    ):
        fetch("texts", [source], tmp_path / "texts", {})
    assert left_in(tmp_path) == []
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert server.gets("/texts.zip")[-1]["Range"] == "bytes=7000-"
    assert list((tmp_path / ".partial").glob("*.zip*")) == list((tmp_path / ".partial").glob("*.lock"))


@pytest.mark.parametrize("known", [True, False], ids=["with a hash", "without"])
def test_a_file_that_changed_in_between_is_fetched_from_its_start(known, server, archive, texts, tmp_path):
    old = b"another state of it" * 5000
    url = server.publish("/texts.zip", old)
    server.faults["/texts.zip"] = cuts(1000, 0, 0, 0, 0, 0)
    source = source_of(url, content=archive if known else None)
    with pytest.raises(UnavailableError):
        fetch("texts", [source], tmp_path / "texts", {})
    server.publish("/texts.zip", archive)
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)


def test_a_part_that_was_whole_already_is_taken_as_it_is(server, archive, texts, tmp_path):
    """As a process leaves it that dies between its last byte and the check."""
    url = server.publish("/texts.zip", archive)
    source = source_of(url, content=archive)
    part = tmp_path / ".partial" / f"{hashlib.md5(archive).hexdigest()[:16]}-texts.zip"
    part.parent.mkdir()
    part.write_bytes(archive)
    state = {"url": url, "validator": server.files["/texts.zip"].etag}
    part.with_name(part.name + ".state.json").write_text(json.dumps(state))
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert [headers["Range"] for headers in server.gets("/texts.zip")] == [f"bytes={len(archive)}-"]


def test_a_server_that_announces_too_many_bytes_ends(server, archive, texts, tmp_path):
    """Where it can resume, it says itself that no more is to come; else it is given up."""
    wrong = {"Content-Length": str(len(archive) + 100)}
    source = source_of(server.publish("/texts.zip", archive, headers=wrong), content=archive)
    server.faults["/texts.zip"] = cuts(10**9)
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    server.publish("/texts.zip", archive, headers=wrong, ranges=False)
    server.faults["/texts.zip"] = cuts(*[10**9] * 99)
    with pytest.raises(UnavailableError, match="in a row"):
        fetch("again", [source], tmp_path / "again", {})
    assert len(server.gets("/texts.zip")) < 12
    assert not (tmp_path / "again").exists()


FETCH = """
import json, sys
from pathlib import Path
from e2rank_eval.datasets.sources.kinds import UrlSource
from e2rank_eval.datasets.sources.fetch import fetch
fetch("texts", [UrlSource.model_validate_json(sys.argv[1])], Path(sys.argv[2]), {})
"""


def test_a_killed_process_leaves_nothing_but_a_part_to_go_on_from(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("stall", at=5000)]
    source = source_of(url, content=archive)
    command = [sys.executable, "-c", FETCH, source.model_dump_json(), str(tmp_path / "texts")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while sum(p.stat().st_size for p in tmp_path.glob(".partial/*.zip")) < 5000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert not (tmp_path / "texts").exists()
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert server.gets("/texts.zip")[-1]["Range"] == "bytes=5000-"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == [".partial"]


def test_a_server_that_cannot_resume_sends_it_all_again(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive, ranges=False)
    server.faults["/texts.zip"] = cuts(1000, 2000)
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, texts)


def test_a_mirror_goes_on_where_the_publisher_broke_off(server, archive, texts, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror/texts.zip", archive)]
    server.faults["/texts.zip"] = cuts(3000, 0, 0, 0, 0, 0)
    assert is_whole(fetch("texts", [source_of(*urls, content=archive)], tmp_path / "texts", {}).path, texts)
    assert [h.get("Range") for h in server.gets("/mirror/texts.zip")] == ["bytes=3000-"]


def test_a_mirror_of_another_file_is_not_glued_on(server, archive, texts, tmp_path):
    other = server.publish("/other.zip", b"x" * len(archive))
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = cuts(3000, 0, 0, 0, 0, 0)
    source = source_of(url, other, content=archive)
    with pytest.raises(UnavailableError, match=r"other\.zip: md5 is [0-9a-f]{32} instead of"):
        fetch("texts", [source], tmp_path / "texts", {})
    assert left_in(tmp_path) == []
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)


def test_a_wrong_file_in_pieces_is_refused_in_the_end(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive[::-1])
    server.faults["/texts.zip"] = [Fault("cut", at=1000), Fault("ignore-range")] * 20
    with pytest.raises(UnavailableError, match="md5 is"):
        fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {})
    assert len(server.gets("/texts.zip")) == 4
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("known", [True, False], ids=["with a hash", "without"])
def test_a_server_that_resumes_at_another_place_is_not_believed(known, server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("cut", at=1000), Fault("shift-range")]
    source = source_of(url, content=archive if known else None)
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert len(server.gets("/texts.zip")) == 3


def test_trickling_and_silent_servers_are_asked_again(server, archive, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SLOWEST", (1024, 0.3))
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("slow", at=2000), Fault("stall", at=3000), Fault("stall", at=0)]
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, texts)
    assert all(int(h["Range"][6:-1]) >= 2000 for h in server.gets("/texts.zip")[1:])
