"""A chat-completions server on loopback, and the HTTP model that asks it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from chat_server import ChatServer, served

from e2rank_eval.models.engines.openai_http import HttpModel


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def model(server: ChatServer) -> Iterator[HttpModel]:
    model = HttpModel("tiny", served(server), first_wait=0.01)
    yield model
    model.close()
