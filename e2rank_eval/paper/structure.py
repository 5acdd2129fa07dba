"""What the columns of the published tables mean, read from ``tables.yaml``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from e2rank_eval.config import Strict
from e2rank_eval.errors import InputError

PATH = Path(__file__).with_name("tables.yaml")


class Tolerance(Strict):
    """Distances between our value and the published one, in the table's unit."""

    reproduced: float = Field(gt=0)
    near: float = Field(gt=0)


class ColumnMeaning(Strict):
    """Where one column of a table departs from the table's setting or names."""

    setting: str | None = None
    column: str | None = Field(None, description="the same quantity's name in other tables")
    systems: dict[str, str] = Field({}, description="system here -> its name in other tables")


class SystemMeaning(Strict):
    """Where one row of a table departs from the table's setting or names."""

    setting: str | None = None
    system: str | None = None


class TableStructure(Strict):
    title: str
    setting: str = Field(description="what was ranked, by what first stage")
    columns: dict[str, ColumnMeaning] = Field({}, description="columns that differ from the setting")
    systems: dict[str, SystemMeaning] = Field({}, description="rows that differ from the setting")
    averages: dict[str, str] = Field({}, description="column -> name of its parts")
    sums: dict[str, list[str]] = Field({}, description="column -> the columns that it adds up")
    profile: str | None = Field(None, description="parts whose difficulty all systems of the table share")
    tolerance: Tolerance


class Structure(Strict):
    parts: dict[str, dict[str, int]] = Field(description="name -> weight of each column in the average")
    tables: dict[str, TableStructure]

    @model_validator(mode="after")
    def _parts_are_known(self) -> Structure:
        for identifier, table in self.tables.items():
            for name in [*table.averages.values(), *([table.profile] if table.profile else [])]:
                if name not in self.parts:
                    raise ValueError(f"table {identifier} names unknown parts {name!r}")
        return self


def read_structure(path: Path = PATH) -> Structure:
    """Read and check a structure file.

    Raises
    ------
    InputError
        Naming the file and the first wrong key.
    """
    try:
        return Structure.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{key}: {first['msg']}", path=path, hint="fix this key") from error


@cache
def structure() -> Structure:
    """The structure of the paper's tables."""
    return read_structure()
