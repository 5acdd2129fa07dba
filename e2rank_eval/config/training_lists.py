"""Settings of training lists made of docstrings, or of judged collections (config/training-lists/*.yaml)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import Name, Strict
from e2rank_eval.config.yaml_files import load_mapping
from e2rank_eval.errors import InputError


class PinnedPackage(Strict):
    """A package whose docstrings are read, exactly at this version."""

    version: str
    licence: str


class BlendSettings(Strict):
    """A teacher made of two models: the encoder that lists are made with, and a sparse one."""

    sparse: Reference = Field(description="the sparse encoder")
    weight: float = Field(0.3, ge=0, description="of its scores beside the encoder's, both standardised")
    documents: int = Field(3, ge=1, description="first ones that the encoder's listwise prompt has")


class DocstringSettings(Strict):
    """The packages, the number of docstrings, the seed of the choice, and the teacher."""

    packages: dict[str, PinnedPackage] | Path = Field(
        description="by name of the distribution; or another such file beside it, whose packages are meant"
    )
    docstrings: int = Field(1500, ge=1)
    seed: int = 11
    teacher: BlendSettings | None = Field(None, description="null: the oracle teacher")

    @field_validator("packages")
    @classmethod
    def _some(cls, packages: dict[str, PinnedPackage] | Path) -> dict[str, PinnedPackage] | Path:
        if packages == {}:
            raise ValueError("no package is named")
        return packages

    @property
    def pinned(self) -> dict[str, PinnedPackage]:
        """Return the packages, which :func:`read_docstring_settings` has resolved."""
        assert isinstance(self.packages, dict)
        return self.packages


class PinnedCollection(Strict):
    """A judged collection in BEIR layout, ``$E2RANK_DATA/<name>``, exactly as its files' SHA-256 say."""

    source: str = Field(description="what it was converted from: repository, commit, paths")
    licence: str = Field(description="of its texts")
    splits: list[str] = Field(min_length=1)
    files: dict[str, str] = Field(min_length=1, description="SHA-256 by path in the folder")
    easy: bool = Field(
        False,
        description="BM25 mostly finds the answer first: of such lists a fifth as many are kept as of others",
    )
    titles: bool = Field(
        False, description="more lists, whose queries are titles and whose positives their own texts"
    )


class MixSettings(Strict):
    """Collections whose lists are made together: each is searched in the texts of all."""

    collections: dict[Name, PinnedCollection] = Field(min_length=1)
    left_out: dict[str, list[str]] = Field(
        {}, description="splits by data set whose queries, and titles of relevant documents, make no list"
    )
    depth: int = Field(100, ge=2, description="BM25 candidates, among which a positive has to be")
    documents: int = Field(60, ge=2, description="of a list: its positives, then the first others")
    characters: int = Field(2000, ge=1, description="at which a document is cut, before a word")
    lists: int = Field(2500, ge=1, description="at most, of a collection, and of its titles")
    seed: int = 13


def read_list_settings(path: Path) -> DocstringSettings | MixSettings:
    """Read the settings in ``path``: of a mix where it names collections, else of docstrings.

    Raises
    ------
    InputError
        For a malformed file.
    """
    if "collections" in load_mapping(path):
        return read_settings(MixSettings, path)
    return read_docstring_settings(path)


def read_docstring_settings(path: Path) -> DocstringSettings:
    """Read the settings in ``path``, with the packages of the other file where it names one.

    Raises
    ------
    InputError
        For a malformed file, or a file of packages that itself names a third.
    """
    settings = read_settings(DocstringSettings, path)
    if isinstance(settings.packages, dict):
        return settings
    other = path.parent / settings.packages
    packages = read_settings(DocstringSettings, other).packages
    if not isinstance(packages, dict):
        raise InputError("names a further file of packages", path=other, hint=f"name that file in {path}")
    return settings.model_copy(update={"packages": packages})


def list_sources(made_from: Path) -> list[Path]:
    """Return the files that training lists are made of: ``made_from``, and the file that it builds on.

    A missing file is returned too: the command that makes the lists says what is wrong with it.
    """
    if not made_from.is_file():
        return [made_from]
    packages = load_mapping(made_from).get("packages")
    return [made_from, made_from.parent / packages] if isinstance(packages, str) else [made_from]
