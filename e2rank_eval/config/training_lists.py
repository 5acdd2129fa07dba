"""Settings of training lists made of docstrings (config/training-lists/*.yaml)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from e2rank_eval.config.reading import read_settings
from e2rank_eval.config.references import Reference
from e2rank_eval.config.systems import Strict
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
    packages = read_settings(DocstringSettings, made_from).packages
    return [made_from] if isinstance(packages, dict) else [made_from, made_from.parent / packages]
