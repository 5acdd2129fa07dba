"""A Python package index on the loopback server, and sources of a small package and repository."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from file_server import FileServer

from e2rank_eval.datasets.sources.kinds import HubSource, PackageSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class PackageIndex:
    """A PEP 503 index of archives that a test makes."""

    def __init__(self, server: FileServer) -> None:
        self.server = server

    def publish(self, name: str, filename: str, content: bytes, **headers: str) -> None:
        link = f"/files/{filename}"
        page = f'<!DOCTYPE html><html><body><a href="{link}">{filename}</a></body></html>'
        self.server.publish(f"/simple/{name}/", page.encode(), headers={"Content-Type": "text/html"})
        self.server.publish(link, content, headers=headers)


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


def hub_source(revision: str | None = None, files: tuple[str, ...] = ()) -> HubSource:
    return HubSource(kind="hub", repository="people/toy", revision=revision, files=list(files))


def contents(folder: Path) -> dict[str, bytes]:
    """The files below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
