"""Whatever a server does, a fetched folder is whole or not there, and the reason is told."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import published
import pytest
from file_server import Fault, File

from e2rank_eval.errors import UnavailableError
from e2rank_eval.registry.entries import UrlSource
from e2rank_eval.sources import download
from e2rank_eval.sources.fetch import fetch


@pytest.fixture(scope="session")
def archive(texts) -> bytes:
    return published.beir_zip(texts, "texts")


def _source(*urls: str, content: bytes | None, **kept) -> UrlSource:
    one = {"urls": list(urls), "md5": None if content is None else hashlib.md5(content).hexdigest()}
    members = {"texts/corpus.jsonl": "corpus.jsonl", "texts/qrels/test.tsv": "qrels/test.tsv"}
    return UrlSource.model_validate({"kind": "url", "downloads": [one | ({"members": members} | kept)]})


def _whole(folder: Path, texts) -> bool:
    expected = published.beir_files(texts)
    return all((folder / n).read_bytes() == expected[n] for n in ("corpus.jsonl", "qrels/test.tsv"))


def _left(folder: Path) -> list[str]:
    """What a failure leaves that something could take for data."""
    waiting = {path for path in folder.rglob("*") if ".partial" in path.parts or path.suffix == ".lock"}
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path not in waiting)


def _cut(*places: int) -> list[Fault]:
    return [Fault("cut", at=place) for place in places]


def test_cut_connections_are_resumed_where_they_broke(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = _cut(1000, 0, 2000, 0, 0, 4000)
    assert _whole(fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {}).path, texts)
    asked = [headers.get("Range") for headers in server.gets("/texts.zip")]
    assert asked == [None, *(f"bytes={n}-" for n in (1000, 1000, 3000, 3000, 3000, 7000))]
    assert server.gets("/texts.zip")[1]["If-Range"] == server.files["/texts.zip"].etag


def test_another_process_resumes_what_one_had_to_leave(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = _cut(7000, 0, 0, 0, 0, 0)
    source = _source(url, content=archive)
    with pytest.raises(
        UnavailableError, match=r"the connection was cut at 7000 of \d+ bytes, 5 times in a row"
    ):
        fetch("texts", [source], tmp_path / "texts", {})
    assert _left(tmp_path) == []
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert server.gets("/texts.zip")[-1]["Range"] == "bytes=7000-"
    assert list((tmp_path / ".partial").glob("*.zip*")) == list((tmp_path / ".partial").glob("*.lock"))


@pytest.mark.parametrize("known", [True, False], ids=["with a hash", "without"])
def test_a_file_that_changed_in_between_is_fetched_from_its_start(known, server, archive, texts, tmp_path):
    old = b"another state of it" * 5000
    url = server.publish("/texts.zip", old)
    server.faults["/texts.zip"] = _cut(1000, 0, 0, 0, 0, 0)
    source = _source(url, content=archive if known else None)
    with pytest.raises(UnavailableError):
        fetch("texts", [source], tmp_path / "texts", {})
    server.publish("/texts.zip", archive)
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)


def test_a_part_that_was_whole_already_is_taken_as_it_is(server, archive, texts, tmp_path):
    """As a process leaves it that dies between its last byte and the check."""
    url = server.publish("/texts.zip", archive)
    source = _source(url, content=archive)
    part = tmp_path / ".partial" / f"{hashlib.md5(archive).hexdigest()[:16]}-texts.zip"
    part.parent.mkdir()
    part.write_bytes(archive)
    state = {"url": url, "validator": server.files["/texts.zip"].etag}
    part.with_name(part.name + ".state.json").write_text(json.dumps(state))
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert [headers["Range"] for headers in server.gets("/texts.zip")] == [f"bytes={len(archive)}-"]


def test_a_server_that_announces_too_many_bytes_ends(server, archive, texts, tmp_path):
    """Where it can resume, it says itself that no more is to come; else it is given up."""
    wrong = {"Content-Length": str(len(archive) + 100)}
    source = _source(server.publish("/texts.zip", archive, headers=wrong), content=archive)
    server.faults["/texts.zip"] = _cut(10**9)
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    server.publish("/texts.zip", archive, headers=wrong, ranges=False)
    server.faults["/texts.zip"] = _cut(*[10**9] * 99)
    with pytest.raises(UnavailableError, match="in a row"):
        fetch("again", [source], tmp_path / "again", {})
    assert len(server.gets("/texts.zip")) < 12
    assert not (tmp_path / "again").exists()


FETCH = """
import json, sys
from pathlib import Path
from e2rank_eval.registry.entries import UrlSource
from e2rank_eval.sources.fetch import fetch
fetch("texts", [UrlSource.model_validate_json(sys.argv[1])], Path(sys.argv[2]), {})
"""


def test_a_killed_process_leaves_nothing_but_a_part_to_go_on_from(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("stall", at=5000)]
    source = _source(url, content=archive)
    command = [sys.executable, "-c", FETCH, source.model_dump_json(), str(tmp_path / "texts")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while sum(p.stat().st_size for p in tmp_path.glob(".partial/*.zip")) < 5000:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    assert not (tmp_path / "texts").exists()
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert server.gets("/texts.zip")[-1]["Range"] == "bytes=5000-"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == [".partial"]


def test_a_server_that_cannot_resume_sends_it_all_again(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive, ranges=False)
    server.faults["/texts.zip"] = _cut(1000, 2000)
    assert _whole(fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {}).path, texts)


def test_a_mirror_goes_on_where_the_publisher_broke_off(server, archive, texts, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror/texts.zip", archive)]
    server.faults["/texts.zip"] = _cut(3000, 0, 0, 0, 0, 0)
    assert _whole(fetch("texts", [_source(*urls, content=archive)], tmp_path / "texts", {}).path, texts)
    assert [h.get("Range") for h in server.gets("/mirror/texts.zip")] == ["bytes=3000-"]


def test_a_mirror_of_another_file_is_not_glued_on(server, archive, texts, tmp_path):
    other = server.publish("/other.zip", b"x" * len(archive))
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = _cut(3000, 0, 0, 0, 0, 0)
    source = _source(url, other, content=archive)
    with pytest.raises(UnavailableError, match=r"other\.zip: md5 is [0-9a-f]{32} instead of"):
        fetch("texts", [source], tmp_path / "texts", {})
    assert _left(tmp_path) == []
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)


def test_a_wrong_file_in_pieces_is_refused_in_the_end(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive[::-1])
    server.faults["/texts.zip"] = [Fault("cut", at=1000), Fault("ignore-range")] * 20
    with pytest.raises(UnavailableError, match="md5 is"):
        fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {})
    assert len(server.gets("/texts.zip")) == 4
    assert _left(tmp_path) == []


@pytest.mark.parametrize("known", [True, False], ids=["with a hash", "without"])
def test_a_server_that_resumes_at_another_place_is_not_believed(known, server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("cut", at=1000), Fault("shift-range")]
    source = _source(url, content=archive if known else None)
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert len(server.gets("/texts.zip")) == 3


def test_a_corrupt_transfer_is_refused_and_a_mirror_taken(server, archive, texts, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror.zip", archive)]
    server.faults["/texts.zip"] = [Fault("corrupt")]
    assert _whole(fetch("texts", [_source(*urls, content=archive)], tmp_path / "texts", {}).path, texts)
    server.faults["/texts.zip"] = [Fault("corrupt")]
    with pytest.raises(
        UnavailableError, match=r"texts\.zip: md5 is .* instead of .*do not trust this address"
    ):
        fetch("again", [_source(urls[0], content=archive)], tmp_path / "again", {})
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("asked", ["7", "date"])
def test_retry_after_is_honoured(asked, server, archive, texts, tmp_path, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(download.time, "sleep", waited.append)
    url = server.publish("/texts.zip", archive)
    value = formatdate(time.time() + 8, usegmt=True) if asked == "date" else asked
    server.faults["/texts.zip"] = [Fault("status", status=429, retry_after=value)]
    assert _whole(fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {}).path, texts)
    assert len(waited) == 1
    assert 5 < waited[0] <= 8


def test_a_server_that_asks_for_an_hour_is_left_for_its_mirror(server, archive, texts, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror.zip", archive)]
    server.faults["/texts.zip"] = [Fault("status", status=429, retry_after="3600")] * 2
    assert _whole(fetch("texts", [_source(*urls, content=archive)], tmp_path / "texts", {}).path, texts)
    with pytest.raises(UnavailableError, match=r"HTTP 429 Too Many Requests, and asks to wait 3600 s"):
        fetch("again", [_source(urls[0], content=archive)], tmp_path / "again", {})


def test_three_server_errors_pass_and_lasting_ones_are_told(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("status", status=500)] * 3
    assert _whole(fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {}).path, texts)
    server.faults["/texts.zip"] = [Fault("status", status=503)] * 99
    with pytest.raises(UnavailableError, match="HTTP 503 Service Unavailable, 5 times in a row"):
        fetch("again", [_source(url, content=archive)], tmp_path / "again", {})
    assert len(server.gets("/texts.zip")) == 4 + 5


def test_a_missing_file_is_not_asked_for_again(server, archive, tmp_path):
    with pytest.raises(UnavailableError, match=r"gone\.zip: HTTP 404 Not Found"):
        fetch("texts", [_source(f"{server.address}/gone.zip", content=archive)], tmp_path / "texts", {})
    assert len(server.gets("/gone.zip")) == 1


def test_trickling_and_silent_servers_are_asked_again(server, archive, texts, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "SLOWEST", (1024, 0.3))
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("slow", at=2000), Fault("stall", at=3000), Fault("stall", at=0)]
    assert _whole(fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {}).path, texts)
    assert all(int(h["Range"][6:-1]) >= 2000 for h in server.gets("/texts.zip")[1:])


def test_a_stale_mirror_of_the_user_s_is_passed_over(server, archive, texts, tmp_path, monkeypatch):
    url = server.publish("/BEIR/texts.zip", archive)
    path = f"/mirror/{url.removeprefix('http://')}"
    server.publish(path, published.beir_zip(texts, "texts", **{"texts/README": b"an older release"}))
    monkeypatch.setenv("E2RANK_MIRROR", f"{server.address}/mirror/")
    source = _source(url, content=archive)
    assert _whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert [len(server.gets(p)) for p in (path, "/BEIR/texts.zip")] == [1, 1]
    server.publish(path, archive)
    fetch("again", [source], tmp_path / "again", {})
    assert len(server.gets("/BEIR/texts.zip")) == 1


@pytest.mark.parametrize("name", ["../evil", "texts/../../evil", "/evil"])
def test_a_zip_that_climbs_out_is_refused(name, server, texts, tmp_path):
    climbing = published.beir_zip(texts, "texts", **{name: b"evil"})
    url = server.publish("/texts.zip", climbing)
    with pytest.raises(UnavailableError, match=r"member '.*evil' would leave its folder"):
        fetch("texts", [_source(url, content=climbing)], tmp_path / "deep" / "texts", {})
    assert _left(tmp_path) == []
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("disguised", [False, True])
def test_a_log_in_page_is_no_data(disguised, server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    page = File(b"<html><body>Sign in</body></html>", {} if disguised else {"Content-Type": "text/html"})
    server.files["/texts.zip"] = page
    for content in (None, archive):
        with pytest.raises(UnavailableError, match="HTML page"):
            fetch("texts", [_source(url, content=content)], tmp_path / "texts", {})
    assert _left(tmp_path) == []
    server.publish("/texts.zip", archive)
    assert _whole(fetch("texts", [_source(url, content=archive)], tmp_path / "texts", {}).path, texts)


def test_a_zip_without_a_known_hash_must_at_least_be_whole(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive[:-100])
    with pytest.raises(UnavailableError, match="not a whole archive"):
        fetch("texts", [_source(url, content=None)], tmp_path / "texts", {})
    server.publish("/texts.zip", archive)
    fetched = fetch("texts", [_source(url, content=None)], tmp_path / "texts", {})
    assert _whole(fetched.path, texts)
    assert fetched.files.keys() == {"corpus.jsonl", "qrels/test.tsv"}


def test_two_at_once_fetch_once(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("slow", at=len(archive) - 6)]
    source = _source(url, content=archive)
    folders: list[Path] = []
    threads = [
        threading.Thread(target=lambda: folders.append(fetch("texts", [source], tmp_path / "texts", {}).path))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 4
    assert len(server.gets("/texts.zip")) == 1
    assert _whole(folders[0], texts)


def test_the_offline_switch_asks_no_server(server, archive, tmp_path, monkeypatch):
    url = server.publish("/texts.zip", archive)
    source = _source(url, content=archive)
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    with pytest.raises(UnavailableError, match="E2RANK_OFFLINE is set"):
        fetch("texts", [source], tmp_path / "texts", {})
    assert server.requests == []
    monkeypatch.delenv("E2RANK_OFFLINE")
    fetch("texts", [source], tmp_path / "texts", {})
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    assert fetch("texts", [source], tmp_path / "texts", {}).files
