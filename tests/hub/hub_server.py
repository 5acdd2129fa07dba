"""A hub on loopback: the API and addresses that its clients use, for models and data sets, without Xet."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from file_server import File, FileServer

LARGE = 4096
"""Bytes from which on a file is one of git LFS: named by its SHA-256 and served from another address."""


@dataclass(frozen=True)
class Repository:
    kind: str
    name: str
    commit: str
    files: Mapping[str, bytes]

    def entry(self, path: str) -> dict[str, Any]:
        content = self.files[path]
        entry = {"type": "file", "path": path, "size": len(content), "oid": git_hash(content)}
        if len(content) >= LARGE:
            pointer = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 134}
            entry["lfs"] = pointer
        return entry


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """Repositories by kind (models, datasets) and name, each at one commit that ``main`` points to."""

    def __init__(self, server: FileServer) -> None:
        self.server = server
        self.repositories: dict[tuple[str, str], Repository] = {}
        server.routes += [self._api, self._resolve]
        server.files["/"] = File(b"")

    def publish(self, kind: str, name: str, files: Mapping[str, bytes], commit: str | None = None) -> str:
        """Serve the files and return their commit, which is ``commit`` if given."""
        own = hashlib.sha1(b"".join(sorted(git_hash(c).encode() for c in files.values()))).hexdigest()
        commit = commit or own
        self.repositories[kind, name] = Repository(kind, name, commit, dict(files))
        for content in files.values():
            address = hashlib.sha256(content).hexdigest()
            self.server.files[f"/lfs/{address}"] = File(content, {"ETag": f'"{address}"'})
        return commit

    def path(self, kind: str, name: str, file: str) -> str:
        """The path to which a GET of the file is redirected."""
        repository = self.repositories[kind, name]
        content = repository.files[file]
        if len(content) >= LARGE:
            return f"/lfs/{hashlib.sha256(content).hexdigest()}"
        return f"{'/datasets' if kind == 'datasets' else ''}/{name}/resolve/{repository.commit}/{file}"

    def _api(self, method: str, target: str, body: bytes) -> File | None:
        parts = unquote(urlsplit(target).path).strip("/").split("/")
        if parts[:1] != ["api"] or len(parts) < 4:
            return None
        repository = self.repositories.get((parts[1], "/".join(parts[2:4])))
        if repository is None:
            return _error("RepositoryNotFound", "Repository not found")
        action, *rest = parts[4:] or ["revision", "main"]
        revision, path = (rest or ["main"])[0], "/".join(rest[1:])
        if revision not in ("main", repository.commit):
            return _error("RevisionNotFound", f"Invalid rev id: {revision}")
        if action == "revision":
            return _json(self._information(repository))
        if action == "tree":
            recursive = parse_qs(urlsplit(target).query).get("recursive", ["false"])[0].lower() == "true"
            return _json(_tree(repository, path, recursive))
        if action == "paths-info":
            return _json(_information_of(repository, _paths(body)))
        return _error("EntryNotFound", f"no such thing as {action}")

    def _information(self, repository: Repository) -> dict[str, Any]:
        return {
            "id": repository.name,
            "modelId": repository.name,
            "author": repository.name.split("/")[0],
            "sha": repository.commit,
            "lastModified": "2025-01-01T00:00:00.000Z",
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
            "siblings": [{"rfilename": path} for path in repository.files],
        }

    def _resolve(self, method: str, target: str, body: bytes) -> File | None:
        parts = unquote(urlsplit(target).path).strip("/").split("/")
        kind = "datasets" if parts[0] == "datasets" else "models"
        parts = parts[1:] if kind == "datasets" else parts
        if len(parts) < 5 or parts[2] != "resolve":
            return None
        repository, path = self.repositories.get((kind, "/".join(parts[:2]))), "/".join(parts[4:])
        if repository is None:
            return _error("RepositoryNotFound", "Repository not found")
        if parts[3] not in ("main", repository.commit):
            return _error("RevisionNotFound", f"Invalid rev id: {parts[3]}")
        if path not in repository.files:
            return _error("EntryNotFound", "Entry not found", **{"X-Repo-Commit": repository.commit})
        content = repository.files[path]
        headers = {"X-Repo-Commit": repository.commit}
        if len(content) < LARGE:
            return File(content, headers | {"ETag": f'"{git_hash(content)}"'})
        address = hashlib.sha256(content).hexdigest()
        # Another host, as the hub's store is: the client trusts the headers of what points there.
        headers |= {"X-Linked-ETag": f'"{address}"', "X-Linked-Size": str(len(content))}
        location = f"{self.server.address.replace('127.0.0.1', 'localhost')}/lfs/{address}"
        return File(b"", headers | {"Location": location}, status=302)


def _tree(repository: Repository, folder: str, recursive: bool) -> list[dict[str, Any]]:
    prefix = f"{folder}/" if folder else ""
    below = [path for path in sorted(repository.files) if path.startswith(prefix)]
    found = [repository.entry(path) for path in below if recursive or "/" not in path[len(prefix) :]]
    folders = {prefix + path[len(prefix) :].split("/")[0] for path in below if "/" in path[len(prefix) :]}
    return found + [_folder(path) for path in sorted(folders)]


def _folder(path: str) -> dict[str, Any]:
    return {"type": "directory", "path": path, "size": 0, "oid": hashlib.sha1(path.encode()).hexdigest()}


def _information_of(repository: Repository, paths: list[str]) -> list[dict[str, Any]]:
    found = [repository.entry(path) for path in paths if path in repository.files]
    folders = [p for p in paths if any(path.startswith(f"{p}/") for path in repository.files)]
    return found + [_folder(path) for path in folders]


def _paths(body: bytes) -> list[str]:
    text = body.decode()
    given = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text)["paths"]
    return [given] if isinstance(given, str) else list(given)


def _json(value: Any) -> File:
    return File(json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"}, ranges=False)


def _error(code: str, message: str, **headers: str) -> File:
    facts = {"X-Error-Code": code, "X-Error-Message": message, "Content-Type": "application/json"}
    return File(json.dumps({"error": message}).encode(), facts | headers, status=404)
