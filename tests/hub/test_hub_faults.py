"""Whatever a server does, a fetched folder is whole or not there, and the reason is told."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate
from pathlib import Path

import published
import pytest
from fetched import is_whole, left_in, source_of
from file_server import Fault, File

from e2rank_eval.datasets.sources import download
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.errors import UnavailableError


def test_a_corrupt_transfer_is_refused_and_a_mirror_taken(server, archive, texts, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror.zip", archive)]
    server.faults["/texts.zip"] = [Fault("corrupt")]
    assert is_whole(fetch("texts", [source_of(*urls, content=archive)], tmp_path / "texts", {}).path, texts)
    server.faults["/texts.zip"] = [Fault("corrupt")]
    with pytest.raises(
        UnavailableError, match=r"texts\.zip: md5 is .* instead of .*do not trust this address"
    ):
        fetch("again", [source_of(urls[0], content=archive)], tmp_path / "again", {})
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("asked", ["7", "date"])
def test_retry_after_is_honoured(asked, server, archive, texts, tmp_path, monkeypatch):
    waited: list[float] = []
    monkeypatch.setattr(download.time, "sleep", waited.append)
    url = server.publish("/texts.zip", archive)
    value = formatdate(time.time() + 8, usegmt=True) if asked == "date" else asked
    server.faults["/texts.zip"] = [Fault("status", status=429, retry_after=value)]
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, texts)
    assert len(waited) == 1
    assert 5 < waited[0] <= 8


def test_a_server_that_asks_for_an_hour_is_left_for_its_mirror(server, archive, texts, tmp_path):
    urls = [server.publish("/texts.zip", archive), server.publish("/mirror.zip", archive)]
    server.faults["/texts.zip"] = [Fault("status", status=429, retry_after="3600")] * 2
    assert is_whole(fetch("texts", [source_of(*urls, content=archive)], tmp_path / "texts", {}).path, texts)
    with pytest.raises(UnavailableError, match=r"HTTP 429 Too Many Requests, and asks to wait 3600 s"):
        fetch("again", [source_of(urls[0], content=archive)], tmp_path / "again", {})


def test_three_server_errors_pass_and_lasting_ones_are_told(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    server.faults["/texts.zip"] = [Fault("status", status=500)] * 3
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, texts)
    server.faults["/texts.zip"] = [Fault("status", status=503)] * 99
    with pytest.raises(UnavailableError, match="HTTP 503 Service Unavailable, 5 times in a row"):
        fetch("again", [source_of(url, content=archive)], tmp_path / "again", {})
    assert len(server.gets("/texts.zip")) == 4 + 5


def test_a_missing_file_is_not_asked_for_again(server, archive, tmp_path):
    with pytest.raises(UnavailableError, match=r"gone\.zip: HTTP 404 Not Found"):
        fetch("texts", [source_of(f"{server.address}/gone.zip", content=archive)], tmp_path / "texts", {})
    assert len(server.gets("/gone.zip")) == 1


def test_a_stale_mirror_of_the_user_s_is_passed_over(server, archive, texts, tmp_path, monkeypatch):
    url = server.publish("/BEIR/texts.zip", archive)
    path = f"/mirror/{url.removeprefix('http://')}"
    server.publish(path, published.beir_zip(texts, "texts", **{"texts/README": b"an older release"}))
    monkeypatch.setenv("E2RANK_MIRROR", f"{server.address}/mirror/")
    source = source_of(url, content=archive)
    assert is_whole(fetch("texts", [source], tmp_path / "texts", {}).path, texts)
    assert [len(server.gets(p)) for p in (path, "/BEIR/texts.zip")] == [1, 1]
    server.publish(path, archive)
    fetch("again", [source], tmp_path / "again", {})
    assert len(server.gets("/BEIR/texts.zip")) == 1


@pytest.mark.parametrize("name", ["../evil", "texts/../../evil", "/evil"])
def test_a_zip_that_climbs_out_is_refused(name, server, texts, tmp_path):
    climbing = published.beir_zip(texts, "texts", **{name: b"evil"})
    url = server.publish("/texts.zip", climbing)
    with pytest.raises(UnavailableError, match=r"member '.*evil' would leave its folder"):
        fetch("texts", [source_of(url, content=climbing)], tmp_path / "deep" / "texts", {})
    assert left_in(tmp_path) == []
    assert not list(tmp_path.rglob("*evil*"))


@pytest.mark.parametrize("disguised", [False, True])
def test_a_log_in_page_is_no_data(disguised, server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive)
    page = File(b"<html><body>Sign in</body></html>", {} if disguised else {"Content-Type": "text/html"})
    server.files["/texts.zip"] = page
    for content in (None, archive):
        with pytest.raises(UnavailableError, match="HTML page"):
            fetch("texts", [source_of(url, content=content)], tmp_path / "texts", {})
    assert left_in(tmp_path) == []
    server.publish("/texts.zip", archive)
    assert is_whole(fetch("texts", [source_of(url, content=archive)], tmp_path / "texts", {}).path, texts)


def test_a_zip_without_a_known_hash_must_at_least_beis_whole(server, archive, texts, tmp_path):
    url = server.publish("/texts.zip", archive[:-100])
    with pytest.raises(UnavailableError, match="not a whole archive"):
        fetch("texts", [source_of(url, content=None)], tmp_path / "texts", {})
    server.publish("/texts.zip", archive)
    fetched = fetch("texts", [source_of(url, content=None)], tmp_path / "texts", {})
    assert is_whole(fetched.path, texts)
    assert fetched.files.keys() == {"corpus.jsonl", "qrels/test.tsv"}


def test_two_at_once_fetch_once(server, archive, texts, tmp_path):
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
    assert is_whole(folders[0], texts)


def test_the_offline_switch_asks_no_server(server, archive, tmp_path, monkeypatch):
    url = server.publish("/texts.zip", archive)
    source = source_of(url, content=archive)
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    with pytest.raises(UnavailableError, match="E2RANK_OFFLINE is set"):
        fetch("texts", [source], tmp_path / "texts", {})
    assert server.requests == []
    monkeypatch.delenv("E2RANK_OFFLINE")
    fetch("texts", [source], tmp_path / "texts", {})
    monkeypatch.setenv("E2RANK_OFFLINE", "1")
    assert fetch("texts", [source], tmp_path / "texts", {}).files
