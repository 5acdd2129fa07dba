"""References to models: a name of the registry, an id of the hub with or without a commit, or a folder."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HUB = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[\w.-]+)(@(?P<commit>[^@/]*))?", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FOLDER = re.compile(r"(\.{1,2}|~)?(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A parsed reference; ``name`` is a registry name, an id ``org/name`` of the hub, or a path."""

    kind: Literal["registry", "hub", "folder"]
    name: str
    commit: str | None = None

    @property
    def folder(self) -> Path:
        return Path(self.name).expanduser()

    def __str__(self) -> str:
        return f"{self.name}@{self.commit}" if self.commit else self.name


def parse_reference(reference: str) -> ModelReference:
    """Parse a reference to a model.

    >>> parse_reference("BAAI/bge-reranker-v2-m3").kind, parse_reference("./checkpoints/mine").kind
    ('hub', 'folder')

    Raises
    ------
    ValueError
        When it has none of the three forms, or its commit is abbreviated.
    """
    if reference and _FOLDER.fullmatch(reference):
        return ModelReference("folder", reference)
    if _NAME.fullmatch(reference):
        return ModelReference("registry", reference)
    found = _HUB.fullmatch(reference)
    if found is None:
        raise ValueError(
            f"{reference!r} is not a model: write a registry name, org/name of the hub, or ./folder"
        )
    commit = found["commit"]
    if commit is not None and not _COMMIT.fullmatch(commit):
        raise ValueError(f"{commit!r} is not a commit: write all 40 hexadecimal digits after @")
    return ModelReference("hub", found["id"], commit)


def _checked(reference: str) -> str:
    parse_reference(reference)
    return reference


Reference = Annotated[str, AfterValidator(_checked)]
"""A field of a configuration that names a model."""


def file_name(reference: str) -> str:
    """Return a file name for a reference: without path separators, and different for each model.

    A registry name is returned as it is; names of hub ids contain ``+``, and names of folders ``~``, so that
    they cannot equal a registry name.

    >>> file_name("BAAI/bge-reranker-v2-m3")
    'BAAI+bge-reranker-v2-m3'
    >>> file_name("./checkpoints/mine") == file_name("checkpoints/../checkpoints/mine/")
    True
    """
    if _NAME.fullmatch(reference):
        return reference
    if _HUB.fullmatch(reference):
        return reference.replace("/", "+")
    path = os.path.normpath(Path(reference).expanduser())
    last = re.sub(r"[^A-Za-z0-9._-]", "_", Path(path).name) or "folder"
    return f"{last}~{hashlib.sha256(path.encode()).hexdigest()[:12]}"
