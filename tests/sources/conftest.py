"""An index and a hub on loopback as the only ones that pip and the hub's client see."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from loopback import Hub, Loopback, PackageIndex

from e2rank_eval.datasets.sources import hub, package


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.close()


@pytest.fixture
def package_index(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> PackageIndex:
    """The only index that pip sees; attempts follow each other at once."""
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{loopback.address}/simple")
    monkeypatch.setattr(package, "BACK_OFF", (0.0, 0.0))
    return PackageIndex(loopback)


@pytest.fixture
def hub_server(
    loopback: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Hub:
    """The hub that ``HF_ENDPOINT`` names, with an empty cache of the client's."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_ENDPOINT", loopback.address)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub-cache")))
    hub.answers.cache_clear()
    monkeypatch.setattr(hub, "BACK_OFF", (0.0,))
    return Hub(loopback)
