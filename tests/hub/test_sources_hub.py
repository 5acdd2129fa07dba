"""Taking files from a hub: the real client against a hub on loopback, and against none."""

from __future__ import annotations

import socket
import time

import pytest
from hub_server import Hub
from packages import COMMIT, contents, hub_source

from e2rank_eval.datasets.sources import hub
from e2rank_eval.errors import InputError, UnavailableError

FILES = {"config.json": b"{}", "weights": b"w" * 5000, "1_Pooling/config.json": b"[]"}


def test_takes_the_files_of_a_pinned_revision(hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", FILES, commit=COMMIT)
    assert hub.take(hub_source(COMMIT), tmp_path) == COMMIT
    assert contents(tmp_path) == FILES


def test_resolves_and_returns_the_revision_where_none_is_pinned(hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", FILES, commit=COMMIT)
    assert hub.take(hub_source(None), tmp_path) == COMMIT


def test_takes_only_the_declared_patterns_even_after_a_wider_download(hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", FILES, commit=COMMIT)
    hub.take(hub_source(COMMIT), tmp_path / "all")
    hub.take(hub_source(COMMIT, ("*/config.json", "weights")), tmp_path / "some")
    assert sorted(contents(tmp_path / "some")) == ["1_Pooling/config.json", "weights"]


def test_patterns_that_match_nothing_are_an_error(hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", FILES, commit=COMMIT)
    with pytest.raises(InputError, match=r"^no file matches \['\*\.safetensors'\]"):
        hub.take(hub_source(COMMIT, ("*.safetensors",)), tmp_path)


def test_an_unknown_repository_is_named(hub_server: Hub, tmp_path):
    hub_server.publish("models", "people/toy", FILES, commit=COMMIT)
    hub_server.repositories.clear()
    with pytest.raises(UnavailableError, match=r"404 .*people/toy"):
        hub.take(hub_source(None), tmp_path)
    assert not contents(tmp_path)


def test_without_a_hub_a_partial_cache_does_not_serve(hub_server: Hub, tmp_path, monkeypatch):
    hub_server.publish("models", "people/toy", FILES, commit=COMMIT)
    hub.take(hub_source(COMMIT, ("config.json",)), tmp_path / "first")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnavailableError, match=r"does not answer .*HF_HUB_OFFLINE"):
        hub.take(hub_source(COMMIT), tmp_path / "second")


def test_a_hub_that_refuses_connections_fails_fast(hub_server: Hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    for _ in range(3):
        with pytest.raises(UnavailableError, match=r"^http://127\.0\.0\.1:9 does not answer"):
            hub.take(hub_source(COMMIT), tmp_path)
    assert time.monotonic() - start < hub.PATIENCE + 2


def test_an_unresponsive_hub_is_waited_for_once(hub_server: Hub, tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(hub, "PATIENCE", 0.5)
        start = time.monotonic()
        for _ in range(4):
            with pytest.raises(UnavailableError, match="does not answer"):
                hub.take(hub_source(COMMIT), tmp_path)
        assert 0.5 <= time.monotonic() - start < 1.5
