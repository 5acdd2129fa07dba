"""Whatever a server does, a download is complete and correct, or absent; interrupted ones resume."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path

import published
import pytest
from fetched import cuts, is_whole, left_in, source_of
from file_server import Fault, File

from e2rank_eval.datasets.sources import download
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.errors import UnavailableError


def test_a_corrupt_transfer_is_refused_and_a_mirror_taken(server, archive, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror.zip", archive)]
    server.faults["/texts.zip"] = [Fault("corrupt")]
    assert is_whole(fetch("texts", [source_of(*urls, content=archive)], tmp_path / "texts", {}).path, archive)
    server.faults["/texts.zip"] = [Fault("corrupt")]
    with pytest.raises(
        UnavailableError, match=r"texts\.zip: md5 is .* instead of .*do not trust this address"
    ):
        fetch("again", [source_of(urls[0], content=archive)], tmp_path / "again", {})
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("asked", ["7", "date"])
def test_retry_after_is_honoured(asked, server, archive, tmp_path, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(download.time, "sleep", waited.append)
    url = server.publish("/texts.zip", archive)
    value = formatdate(time.time() + 8, usegmt=True) if asked == "date" else asked
    server.faults["/texts.zip"] = [Fault("status", status=429, retry_after=value)]
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)
    assert len(waited) == 1
    assert 5 < waited[0] <= 8


def test_a_server_that_asks_for_an_hour_is_replaced_by_its_mirror(server, archive, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror.zip", archive)]
    server.faults["/texts.zip"] = [Fault("status", status=429, retry_after="3600")]
    assert is_whole(fetch("texts", [source_of(*urls, content=archive)], tmp_path / "texts", {}).path, archive)


@pytest.mark.parametrize(("status", "gets"), [(503, 5), (404, 1)])
def test_permanent_refusals_are_named_and_temporary_ones_retried(status, gets, server, archive, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("status", status=status)] * 99
    with pytest.raises(UnavailableError, match=rf"texts\.zip: {status} "):
        fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {})
    assert len(server.gets("/texts.zip")) == gets
    server.faults["/texts.zip"] = [Fault("status", status=500)] * 3
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)


def test_a_stale_mirror_of_the_user_s_is_skipped(server, archive, texts, tmp_path, monkeypatch):
    url = server.publish("/BEIR/texts.zip", archive)
    path = f"/mirror/{url.removeprefix('http://')}"
    server.publish(path, published.beir_zip(texts, "texts", **{"texts/README": b"an older release"}))
    monkeypatch.setenv("E2RANK_MIRROR", f"{server.address}/mirror/")
    source = source_of(url, content=archive)
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, archive)
    assert [len(server.gets(p)) for p in (path, "/BEIR/texts.zip")] == [1, 1]
    server.publish(path, archive)
    fetch("again", [source], tmp_path / "again", {})
    assert len(server.gets("/BEIR/texts.zip")) == 1


def test_a_local_name_that_climbs_out_is_refused(server, archive, tmp_path):
    source = source_of(server.publish("/texts.zip", archive), content=archive, name="../evil")
    with pytest.raises(UnavailableError, match=r"the local name '../evil' is outside its folder"):
        fetch("texts", [source], tmp_path / "deep" / "texts", {})
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("disguised", [False, True])
@pytest.mark.parametrize("hashed", [False, True])
def test_a_log_in_page_is_not_data(hashed, disguised, server, archive, tmp_path):
    url = f"{server.address}/texts.zip"
    page = File(b"<html><body>Sign in</body></html>", {} if disguised else {"Content-Type": "text/html"})
    server.files["/texts.zip"] = page
    with pytest.raises(UnavailableError, match="HTML page"):
        fetch("texts", [source_of(url, content=archive if hashed else None)], tmp_path / "texts", {})
    assert left_in(tmp_path) == []


def test_a_file_without_a_known_hash_is_never_resumed(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = cuts(1000)
    fetched = fetch("texts", [source_of(url, content=None)], tmp_path / "texts", {})
    assert is_whole(fetched.path, archive)
    assert not any("Range" in headers for headers in server.gets("/texts.zip"))


def test_two_concurrent_fetches_download_once(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("slow", at=len(archive) - 6)]
    source = source_of(url, content=archive)
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
    assert is_whole(folders[0], archive)


def test_cut_connections_are_resumed_where_they_broke(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = cuts(1000, 0, 2000, 0, 0, 4000)
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)
    asked = [headers.get("Range") for headers in server.gets("/texts.zip")]
    assert asked == [None, *(f"bytes={n}-" for n in (1000, 1000, 3000, 3000, 3000, 7000))]


def test_silent_servers_are_retried(server, archive, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.5)
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("stall", at=3000), Fault("stall", at=0)]
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)
    assert all(headers["Range"] == "bytes=3000-" for headers in server.gets("/texts.zip")[1:])


def test_a_server_that_is_down_is_named_once(tmp_path, archive, monkeypatch):
    monkeypatch.setattr(download, "BACK_OFF", (0.0,))
    url = "http://127.0.0.1:9/texts.zip"
    with pytest.raises(
        UnavailableError, match=r"\(http://127.*: Failed to .* Connection refused, 2 times in a row\);"
    ) as failure:
        fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {})
    assert str(failure.value).count("127.0.0.1") == 1


def test_a_file_that_changed_in_between_is_fetched_from_its_start(server, archive, tmp_path):
    url = server.publish("/texts.zip", b"another state of it" * 5000)
    server.faults["/texts.zip"] = cuts(1000, 0, 0, 0, 0, 0)
    source = source_of(url, content=archive)
    with pytest.raises(UnavailableError, match="5 times in a row"):
        fetch("texts", [source], tmp_path / "texts", {})
    assert left_in(tmp_path) == []
    server.publish("/texts.zip", archive)
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, archive)
    assert [headers.get("Range") for headers in server.gets("/texts.zip")][-2:] == ["bytes=1000-", None]
    assert not list((tmp_path / ".partial").glob("*.zip"))


def test_a_part_that_was_complete_already_is_taken_as_it_is(server, archive, tmp_path):
    """The state that a process leaves when it is killed between the last byte and the check."""
    url = server.publish("/texts.zip", archive)
    part = tmp_path / ".partial" / f"{hashlib.md5(archive).hexdigest()[:16]}-texts.zip"
    part.parent.mkdir()
    part.write_bytes(archive)
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)
    assert [headers["Range"] for headers in server.gets("/texts.zip")] == [f"bytes={len(archive)}-"]


FETCH = """
import sys
from pathlib import Path
from e2rank_eval.datasets.sources.kinds import UrlSource
from e2rank_eval.datasets.sources.fetch import fetch
fetch("texts", [UrlSource.model_validate_json(sys.argv[1])], Path(sys.argv[2]), {})
"""


@pytest.mark.slow
def test_another_process_resumes_what_a_killed_one_left(server, archive, tmp_path):
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
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, archive)
    assert server.gets("/texts.zip")[-1]["Range"] == "bytes=5000-"
    assert [p.name for p in tmp_path.iterdir() if "part" in p.name] == [".partial"]


def test_a_server_that_cannot_resume_sends_it_all_again(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive, ranges=False)
    server.faults["/texts.zip"] = cuts(1000, 2000)
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)


def test_a_mirror_resumes_what_the_publisher_began_if_it_is_the_same_file(server, archive, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror/texts.zip", archive)]
    server.faults["/texts.zip"] = cuts(3000, 0, 0, 0, 0, 0)
    assert is_whole(fetch("texts", [source_of(*urls, content=archive)], tmp_path / "texts", {}).path, archive)
    assert [h.get("Range") for h in server.gets("/mirror/texts.zip")] == ["bytes=3000-"]
    server.faults["/texts.zip"] = cuts(3000, 0, 0, 0, 0, 0)
    source = source_of(urls[0], server.publish("/other.zip", b"x" * len(archive)), content=archive)
    with pytest.raises(UnavailableError, match=r"other\.zip: md5 is [0-9a-f]{32} instead of"):
        fetch("again", [source], tmp_path / "again", {})
    assert not (tmp_path / "again").exists()


def test_a_server_that_resumes_at_another_offset_is_refused(server, archive, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("cut", at=1000), Fault("shift-range")]
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, archive)
    assert len(server.gets("/texts.zip")) == 3
