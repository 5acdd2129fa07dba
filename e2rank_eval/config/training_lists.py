"""Settings of training lists made of docstrings (config/training-lists/*.yaml)."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from e2rank_eval.config.reading import read_strictly
from e2rank_eval.config.systems import Name, Strict
from e2rank_eval.errors import InputError


class PinnedPackage(Strict):
    """A package whose docstrings are read, exactly at this version."""

    version: str
    licence: str


class BlendSettings(Strict):
    """A teacher made of two models, the encoder that training lists are made with and a sparse one."""

    sparse: Name = Field(description="registry name of the sparse encoder")
    weight: float = Field(0.3, ge=0, description="of its scores beside the encoder's, both standardised")
    documents: int = Field(3, ge=1, description="first ones that the encoder's listwise prompt has")


class DocstringSettings(Strict):
    """Whose docstrings, how many of them, the seed of the choice, and the teacher."""

    packages: dict[str, PinnedPackage] | Path = Field(
        description="by name of the distribution; or another such file beside it, whose packages are meant",
    )
    docstrings: int = Field(1500, ge=1)
    seed: int = 11
    teacher: BlendSettings | None = Field(
        None, description="null: one who knows which documents are relevant"
    )

    @field_validator("packages")
    @classmethod
    def _some(cls, packages: dict[str, PinnedPackage] | Path) -> dict[str, PinnedPackage] | Path:
        if packages == {}:
            raise ValueError("no package is named")
        return packages

    @property
    def pinned(self) -> dict[str, PinnedPackage]:
        """The packages; they are resolved by :func:`read_docstring_settings`."""
        assert isinstance(self.packages, dict)
        return self.packages


def read_docstring_settings(path: Path) -> DocstringSettings:
    """The settings in ``path``, the packages of another file put where it names one.

    Raises
    ------
    InputError
        For a malformed file, or a file of packages that itself names a third.
    """
    settings = read_strictly(DocstringSettings, path)
    other = packages_file(path, settings)
    if other is None:
        return settings
    named = read_strictly(DocstringSettings, other)
    if not isinstance(named.packages, dict):
        raise InputError("names a further file of packages", path=other, hint=f"name that file in {path}")
    return settings.model_copy(update={"packages": named.packages})


def packages_file(path: Path, settings: DocstringSettings) -> Path | None:
    """The file, beside ``path`` or below, that it takes its packages from; None where it lists them."""
    return path.parent / settings.packages if isinstance(settings.packages, Path) else None


def list_sources(made_from: Path) -> list[Path]:
    """What training lists are made of: ``made_from``, a folder or settings, and the file that these build on.

    A file that is missing stands for itself: whoever makes the training lists says what is wrong with it.
    """
    if not made_from.is_file():
        return [made_from]
    other = packages_file(made_from, read_strictly(DocstringSettings, made_from))
    return [made_from] if other is None else [made_from, other]
