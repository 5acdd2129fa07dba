"""Loopback servers that speak as a Python package index and as a model hub do."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from e2rank_eval.datasets.sources.kinds import HubSource, PackageSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Loopback:
    """Serves ``answers[path]`` (status, body, headers) on loopback, counting requests by path."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        self.requests: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.split("?")[0]
                outer.requests.append(path)
                status, body, headers = outer.answers.get(path, (404, b"", {}))
                self.send_response(status)
                for key, value in ({"Content-Length": str(len(body))} | headers).items():
                    self.send_header(key, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET  # noqa: N815 - the name that http.server asks for

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class PackageIndex:
    """A PEP 503 index of archives that a test makes."""

    def __init__(self, server: Loopback) -> None:
        self.server = server

    def publish(self, name: str, filename: str, content: bytes, **headers: str) -> None:
        link = f"/files/{filename}"
        page = f'<!DOCTYPE html><html><body><a href="{link}">{filename}</a></body></html>'
        self.server.answers[f"/simple/{name}/"] = (200, page.encode(), {"Content-Type": "text/html"})
        self.server.answers[link] = (200, content, headers)


def wheel(files: Mapping[str, bytes]) -> bytes:
    """A wheel of distribution ``toy`` 1.0 that holds ``files``."""
    information = {
        "toy-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n",
        "toy-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "toy-1.0.dist-info/RECORD": b"",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (information | dict(files)).items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def source_archive(files: Mapping[str, bytes], build: str = "") -> bytes:
    """A source archive of ``toy`` 1.0 whose build backend runs ``build`` and needs nothing else."""
    backend = f"""
import os
{build}
def get_requires_for_build_wheel(config_settings=None):
    return []
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.mkdir(os.path.join(folder, "toy-1.0.dist-info"))
    with open(os.path.join(folder, "toy-1.0.dist-info", "METADATA"), "w") as metadata:
        metadata.write("Metadata-Version: 2.1\\nName: toy\\nVersion: 1.0\\n")
    return "toy-1.0.dist-info"
"""
    project = b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    contents = {"PKG-INFO": b"Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n", "pyproject.toml": project}
    contents |= {"backend.py": backend.encode()} | dict(files)
    return tar({f"toy-1.0/{name}": content for name, content in contents.items()})


def tar(files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return buffer.getvalue()


def package_source(content: bytes, members: Mapping[str, str], archive: str = "wheel") -> PackageSource:
    return PackageSource.model_validate(
        {
            "kind": "package",
            "name": "toy",
            "version": "1.0",
            "archive": archive,
            "sha256": hashlib.sha256(content).hexdigest(),
            "members": dict(members),
        }
    )


class Hub:
    """A hub with one model repository, ``people/toy``, at one commit."""

    def __init__(self, server: Loopback) -> None:
        self.server = server
        self.files: dict[str, bytes] = {}

    def publish(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        tree = [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}
            for name, content in files.items()
        ]
        for revision in ("main", COMMIT):
            siblings = [{"rfilename": name} for name in files]
            info = {
                "id": "people/toy",
                "modelId": "people/toy",
                "sha": COMMIT,
                "siblings": siblings,
                "tags": [],
            }
            self._answer(f"/api/models/people/toy/revision/{revision}", json.dumps(info).encode())
            self._answer(f"/api/models/people/toy/tree/{revision}", json.dumps(tree).encode())
        self._answer("/", b"")
        for name, content in files.items():
            tag = hashlib.sha1(content).hexdigest()
            self._answer(f"/people/toy/resolve/{COMMIT}/{name}", content, ETag=f'"{tag}"')

    def _answer(self, path: str, body: bytes, **headers: str) -> None:
        facts = {"Content-Type": "application/json", "X-Repo-Commit": COMMIT}
        self.server.answers[path] = (200, body, facts | headers)


def hub_source(revision: str | None = None, files: tuple[str, ...] = ()) -> HubSource:
    return HubSource(kind="hub", repository="people/toy", revision=revision, files=list(files))
