"""HTTP connections that are shut once their time is up, whatever the server still sends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_current = threading.local()


class Deadline:
    """The time limit of one exchange, answer included.

    A limit on single reads, which is what sockets have, lets a server send one byte after another for ever.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._pass)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connected: socket.socket | None) -> None:
        """The answer comes over ``connected``, which is shut when the time is up."""
        with self._lock:
            self._socket = connected
            if self.passed:
                self._shut()

    def end(self) -> None:
        """The exchange is over: its connection may serve another one."""
        self._timer.cancel()
        self.watch(None)

    def _pass(self) -> None:
        with self._lock:
            self.passed = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # the server has closed it already
                self._socket.shutdown(socket.SHUT_RDWR)  # unlike close, it wakes a thread that reads


@contextmanager
def deadline(seconds: float) -> Iterator[Deadline]:
    """This thread's exchange over a connection of :func:`pool_manager` is cut off after ``seconds``."""
    limit = _current.deadline = Deadline(seconds)
    try:
        yield limit
    finally:
        limit.end()
        _current.deadline = None


def pool_manager(**options: Any) -> urllib3.PoolManager:
    """A pool of connections that heed :func:`deadline`."""
    manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return manager


class _Connection(HTTPConnection):
    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]  # as urllib3's own
        limit: Deadline | None = getattr(_current, "deadline", None)
        if limit is not None:
            limit.watch(self.sock)
        return super().getresponse()


class _SecureConnection(_Connection, HTTPSConnection):
    pass


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
