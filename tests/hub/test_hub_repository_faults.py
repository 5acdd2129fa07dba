"""A faulty hub: client and suite recover, or report the error."""

from __future__ import annotations

import hashlib
import time

import published
import pytest
from file_server import Fault, File

from e2rank_eval.datasets.sources import hub
from e2rank_eval.datasets.sources.fetch import fetch
from e2rank_eval.datasets.sources.kinds import HubSource
from e2rank_eval.errors import UnavailableError

CORPUS = "corpus.jsonl"


@pytest.fixture
def files(texts) -> dict[str, bytes]:
    return published.mteb_repository(texts)


@pytest.fixture
def waited(monkeypatch) -> list[float]:
    """The waits requested by the hub's client or the suite; tests do not wait."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def _source(**kept) -> HubSource:
    facts = {"kind": "hub", "repository": "people/texts", "repository_type": "dataset", "revision": None}
    return HubSource.model_validate(facts | kept)


def _whole(fetched, files) -> bool:
    return all((fetched.path / name).read_bytes() == content for name, content in files.items())


def test_cut_downloads_are_resumed(hub_server, files, waited, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)  # what it keeps comes in such pieces
    hub_server.publish("datasets", "people/texts", files)
    path = hub_server.path("datasets", "people/texts", CORPUS)
    hub_server.server.faults[path] = [Fault("cut", at=3000), Fault("cut", at=4000)]
    assert _whole(fetch("texts", [_source()], tmp_path / "texts", {}), files)
    ranges = [headers.get("Range") or headers.get("range") for headers in hub_server.server.gets(path)]
    assert len(ranges) == 3
    assert ranges[0] is None
    assert [int(value.removeprefix("bytes=").split("-")[0]) for value in ranges[1:]] == [3000, 7000]


@pytest.mark.parametrize("fault", [Fault("status", 500), Fault("status", 429, retry_after="2")])
@pytest.mark.parametrize("where", ["api", "file"])
def test_temporary_refusals_are_retried(fault, where, hub_server, files, waited, tmp_path):
    hub_server.publish("datasets", "people/texts", files)
    api = "/api/datasets/people/texts/revision/main"
    path = api if where == "api" else hub_server.path("datasets", "people/texts", CORPUS)
    hub_server.server.faults[path] = [fault] * 3
    assert _whole(fetch("texts", [_source()], tmp_path / "texts", {}), files)
    assert len(hub_server.server.gets(path)) >= 4
    assert waited


def test_permanent_refusals_are_reported(hub_server, files, waited, tmp_path):
    hub_server.publish("datasets", "people/texts", files)
    api = "/api/datasets/people/texts/revision/main"
    hub_server.server.faults[api] = [Fault("status", 503)] * 999
    with pytest.raises(UnavailableError, match=r"hub people/texts: .*503"):
        fetch("texts", [_source()], tmp_path / "texts", {})
    assert not (tmp_path / "texts").exists()


@pytest.mark.parametrize("name", [CORPUS, "README.md"], ids=["large", "small"])
def test_corrupt_content_is_refused_and_not_taken_from_the_cache(name, hub_server, files, waited, tmp_path):
    hub_server.publish("datasets", "people/texts", files)
    path = hub_server.path("datasets", "people/texts", name)
    hub_server.server.faults[path] = [Fault("corrupt")]
    with pytest.raises(
        UnavailableError, match=rf"people/texts/{name}: not the content that the hub announced"
    ):
        fetch("texts", [_source()], tmp_path / "texts", {})
    assert not (tmp_path / "texts").exists()
    assert _whole(fetch("texts", [_source()], tmp_path / "texts", {}), files)


def test_content_that_the_registry_does_not_describe_is_refused(hub_server, files, waited, tmp_path):
    """A stale mirror of the hub: consistent, but with another version of the data."""
    right = {CORPUS: hashlib.sha256(files[CORPUS]).hexdigest()}
    hub_server.publish("datasets", "people/texts", files | {CORPUS: files[CORPUS] + b"\n"})
    with pytest.raises(UnavailableError, match=r"corpus\.jsonl: sha256 is \w+ instead of \w+"):
        fetch("texts", [_source()], tmp_path / "texts", right)
    hub_server.publish("datasets", "people/texts", files)
    assert _whole(fetch("texts", [_source()], tmp_path / "texts", right), files)


def test_a_hub_without_the_pinned_revision_is_named(hub_server, files, waited, tmp_path):
    hub_server.publish("datasets", "people/texts", files)
    with pytest.raises(UnavailableError, match=r"hub people/texts: .*RevisionNotFound"):
        fetch("texts", [_source(revision="0" * 40)], tmp_path / "texts", {})


def test_a_log_in_page_in_place_of_json_is_reported(hub_server, files, waited, tmp_path):
    hub_server.publish("datasets", "people/texts", files)
    api = "/api/datasets/people/texts/revision/main"
    hub_server.server.faults[api] = [Fault("html")] * 99
    with pytest.raises(UnavailableError, match=r"JSON.*perhaps a log-in page, check HF_ENDPOINT"):
        fetch("texts", [_source()], tmp_path / "texts", {})
    hub_server.server.faults[api].clear()
    assert _whole(fetch("texts", [_source()], tmp_path / "texts", {}), files)


def test_a_log_in_page_in_place_of_a_file_is_not_data(hub_server, files, waited, tmp_path):
    hub_server.publish("datasets", "people/texts", files)
    path = hub_server.path("datasets", "people/texts", CORPUS)
    hub_server.server.files[path] = File(b"<html>Sign in</html>", {"Content-Type": "text/html"})
    with pytest.raises(UnavailableError, match="hub people/texts"):
        fetch("texts", [_source()], tmp_path / "texts", {})
    assert not (tmp_path / "texts").exists()


def test_without_the_hub_its_cache_is_used(hub_server, files, waited, tmp_path, monkeypatch):
    commit = hub_server.publish("datasets", "people/texts", files)
    fetch("texts", [_source(revision=commit)], tmp_path / "texts", {})
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(hub_server.server.requests)
    again = fetch("again", [_source(revision=commit)], tmp_path / "again", {})
    assert _whole(again, files)
    assert again.revision == commit
    assert len(hub_server.server.requests) == asked
    with pytest.raises(UnavailableError, match="its cache lacks it"):
        fetch("other", [_source(revision="1" * 40)], tmp_path / "other", {})


def test_a_hub_that_drops_its_first_connections_is_still_found(hub_server, files, monkeypatch):
    monkeypatch.setattr(hub, "PATIENCE", 2.0)
    from huggingface_hub import get_session

    session, calls = get_session(), []
    real = session.head

    def head(*arguments, **kept):
        calls.append(arguments)
        if len(calls) < 3:
            raise ConnectionError("dropped")
        return real(*arguments, **kept)

    monkeypatch.setattr(session, "head", head)
    assert hub.reachable()
    assert len(calls) == 3
