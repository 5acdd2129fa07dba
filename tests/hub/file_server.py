"""A file server on loopback with validators and ranges, and with faults that a test sets for a path."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HTML = b"<!DOCTYPE html><html><body>Sign in to this network</body></html>"


@dataclass(frozen=True)
class File:
    """One answer: its body, further headers, and whether the server can resume it."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
    ranges: bool = True

    @property
    def etag(self) -> str:
        return self.headers.get("ETag", f'"{hashlib.md5(self.body).hexdigest()}"')


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one GET."""

    kind: str
    """status, html, cut, corrupt, slow, stall, ignore-range or shift-range."""
    status: int = 500
    retry_after: str | None = None
    at: int = 0
    """Bytes that still come before a cut, or a second between bytes begins."""


Route = Callable[[str, str, bytes], File | None]
"""From method, path with query, and body to an answer; ``None`` where the route has none."""


class FileServer:
    """Serves ``files[path]`` and the answers of ``routes``; each GET consumes one of ``faults[path]``."""

    def __init__(self) -> None:
        self.files: dict[str, File] = {}
        self.routes: list[Route] = []
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        serve = {"target": self.server.serve_forever, "kwargs": {"poll_interval": 0.02}, "daemon": True}
        threading.Thread(**serve).start()  # type: ignore[arg-type]

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def publish(self, path: str, body: bytes, **kept: Any) -> str:
        """Serve ``body`` at ``path`` and return its address."""
        self.files[path] = File(body, **kept)
        return self.address + path

    def gets(self, path: str) -> list[dict[str, str]]:
        """Headers of every GET of ``path``, in order."""
        return [headers for method, asked, headers in self.requests if (method, asked) == ("GET", path)]

    def count(self, path: str) -> int:
        """The number of requests for the path, of any method."""
        return [asked for _, asked, _ in self.requests].count(path)

    def answer(self, method: str, target: str, body: bytes) -> File | None:
        path = target.split("?")[0]
        if path in self.files:
            return self.files[path]
        return next((found for route in self.routes if (found := route(method, target, body))), None)

    def next_fault(self, method: str, path: str) -> Fault | None:
        with self._lock:
            return self.faults[path].pop(0) if method == "GET" and self.faults[path] else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _serve(self) -> None:
                path = self.path.split("?")[0]
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                outer.requests.append((self.command, path, dict(self.headers)))
                fault = outer.next_fault(self.command, path)
                if fault is not None and fault.kind in ("status", "html"):
                    self._refuse(fault)
                    return
                file = outer.answer(self.command, self.path, body)
                _send(self, file or File(b"", status=404), fault)

            do_GET = do_HEAD = do_POST = _serve  # noqa: N815 - the names that http.server asks for

            def _refuse(self, fault: Fault) -> None:
                page = fault.kind == "html"
                headers = {"Content-Type": "text/html; charset=utf-8" if page else "text/plain"}
                if fault.retry_after is not None:
                    headers["Retry-After"] = fault.retry_after
                _send(self, File(HTML if page else b"", headers, 200 if page else fault.status), None)

            def log_message(self, *arguments: Any) -> None:
                pass

        return Handler


def _send(handler: BaseHTTPRequestHandler, file: File, fault: Fault | None) -> None:
    kind = fault.kind if fault is not None else ""
    start, end = _asked_range(handler, file, kind)
    status = 206 if (start, end) != (0, len(file.body)) and file.status == 200 else file.status
    if start and start >= len(file.body):
        status, start = 416, len(file.body)
    body = file.body[start:end]
    handler.send_response(status)
    headers = {"Content-Type": "application/octet-stream", "ETag": file.etag} | dict(file.headers)
    if file.ranges:
        headers["Accept-Ranges"] = "bytes"
    if status == 206:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(file.body)}"
    if status == 416:
        headers |= {"Content-Range": f"bytes */{len(file.body)}", "Content-Length": "0"}
    for key, value in ({"Content-Length": str(len(body))} | headers).items():
        handler.send_header(key, value)
    handler.end_headers()
    if handler.command == "HEAD":
        return
    if kind == "corrupt" and body:
        middle = len(body) // 2
        body = body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
    _write(handler, body, fault)


def _asked_range(handler: BaseHTTPRequestHandler, file: File, kind: str) -> tuple[int, int]:
    asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
    whole = not asked or not file.ranges or kind == "ignore-range" or (condition and condition != file.etag)
    if whole or file.status != 200:  # a redirection is sent whatever part was asked for
        return 0, len(file.body)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    if kind == "shift-range":
        return int(first) + 1, len(file.body)
    return int(first), min(int(last) + 1, len(file.body)) if last else len(file.body)


def _write(handler: BaseHTTPRequestHandler, body: bytes, fault: Fault | None) -> None:
    try:
        if fault is None or fault.kind in ("corrupt", "ignore-range", "shift-range"):
            handler.wfile.write(body)
        elif fault.kind == "cut":
            handler.wfile.write(body[: fault.at])
            handler.wfile.flush()
            handler.close_connection = True
            handler.connection.close()
        else:
            handler.wfile.write(body[: fault.at])
            handler.wfile.flush()
            for position in range(fault.at, len(body)):
                time.sleep(0.05 if fault.kind == "slow" else 3600)
                handler.wfile.write(body[position : position + 1])
                handler.wfile.flush()
    except OSError:
        handler.close_connection = True
