"""An OpenAI-compatible server on loopback that answers as told, misbehaviour included."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tiny_chat_models import entry

from e2rank_eval.models.language_models.http_model import HttpModel
from e2rank_eval.models.registry import ModelEntry

CHAT = [{"role": "user", "content": "hello"}]

Behaviour = Callable[["Handler", dict[str, Any]], None]


def completion(text: str | None = "fine", *, reason: str = "stop", **changes: Any) -> dict[str, Any]:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 3}
    return {"choices": [choice], "usage": usage} | changes


def first_token(**logprobs: float) -> dict[str, Any]:
    top = [{"token": token, "logprob": value} for token, value in logprobs.items()]
    answer = completion("x", reason="length")
    answer["choices"][0]["logprobs"] = {"content": [{"token": "x", "top_logprobs": top}]}
    return answer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append((self.path, self.headers.get("Authorization"), body))
            self.server.under_way += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.under_way)
            behaviour = self.server.script.pop(0) if self.server.script else self.server.usual
        try:
            behaviour(self, body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with self.server.lock:
                self.server.under_way -= 1

    def answer(self, body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments: Any) -> None:
        pass


class ChatServer(ThreadingHTTPServer):
    """Plays ``script`` request by request, then behaves as ``usual``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.script: list[Behaviour] = []
        self.usual: Behaviour = says(completion())
        self.requests: list[tuple[str, str | None, dict[str, Any]]] = []
        self.under_way = self.most_at_once = 0
        self.base_url = f"http://127.0.0.1:{self.server_address[1]}/v1"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


def says(answer: Any, *, status: int = 200, **headers: str) -> Behaviour:
    content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return lambda handler, _: handler.answer(content, status=status, **headers)


def is_slow(seconds: float) -> Behaviour:
    def behave(handler: Handler, _: dict[str, Any]) -> None:
        time.sleep(seconds)
        handler.answer(json.dumps(completion("late")).encode())

    return behave


def drips(handler: Handler, _: dict[str, Any]) -> None:
    """A byte at a time, each well within a limit on single reads, and never done."""
    handler.answer(b"", length=10_000)
    for _ in range(200):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def sends(content: bytes, *, pause: float = 0.0) -> Behaviour:
    """The very bytes, headers and all: at once, or one by one with a ``pause`` after each."""

    def behave(handler: Handler, _: dict[str, Any]) -> None:
        handler.close_connection = True
        for start in range(len(content)) if pause else [0]:
            handler.wfile.write(content[start : start + 1] if pause else content)
            handler.wfile.flush()
            time.sleep(pause)

    return behave


def resets(handler: Handler, _: dict[str, Any]) -> None:
    """Ends the connection as a machine does that goes down."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def is_cut(handler: Handler, _: dict[str, Any]) -> None:
    content = json.dumps(completion("cut")).encode()
    handler.answer(content[:20], length=len(content))
    handler.close_connection = True


def hangs_up(handler: Handler, _: dict[str, Any]) -> None:
    handler.close_connection = True


def talks_nonsense(handler: Handler, _: dict[str, Any]) -> None:
    handler.wfile.write(b"220 mail.example ESMTP ready\r\n")
    handler.close_connection = True


def writes_chunks(handler: Handler, _: dict[str, Any]) -> None:
    _chunked(handler, json.dumps(completion("in chunks")).encode())
    handler.wfile.write(b"0\r\n\r\n")


def breaks_its_chunks(handler: Handler, _: dict[str, Any]) -> None:
    _chunked(handler, json.dumps(completion("in chunks")).encode()[:30])
    handler.wfile.write(b"zz\r\n")
    handler.close_connection = True


def _chunked(handler: Handler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for start in range(0, len(content), 10):
        part = content[start : start + 10]
        handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")


def served(server: ChatServer, **options: Any) -> ModelEntry:
    where = {"base_url": server.base_url, "model": "tiny", "timeout": 5.0, "attempts": 3} | options
    return entry(format="openai-http", sources=[], server=where)


def texts(model: HttpModel, count: int = 1) -> list[str]:
    return [one.text for one in model.generate([CHAT] * count, max_new_tokens=5)]
