"""What the columns of the published tables mean (``tables.yaml``), and how near a value must come."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import Field, model_validator

from e2rank_eval.config import Strict

Verdict = Literal["reproduced", "near", "differs", "not run", "not published"]


class Tolerance(Strict):
    """Distances between our value and the published one, in the table's unit."""

    reproduced: float = Field(gt=0)
    near: float = Field(gt=0)

    def verdict(
        self, ours: float | None, published: float | None, interval: tuple[float, float] | None = None
    ) -> Verdict:
        """Compare two values in one unit.

        ``reproduced`` needs a distance of at most ``self.reproduced`` and, where our bootstrap
        interval is given, that it holds the published value (to within the same tolerance, since
        that value is rounded); ``near`` needs a distance of at most ``self.near``.

        >>> Tolerance(reproduced=0.1, near=1.0).verdict(72.9, 72.95)
        'reproduced'
        """
        if ours is None:
            return "not run"
        if published is None:
            return "not published"
        # Published values are decimal: a distance of exactly the tolerance must not fail by binary rounding.
        distance = round(abs(ours - published), 9)
        inside = (
            interval is None or interval[0] - self.reproduced <= published <= interval[1] + self.reproduced
        )
        if distance <= self.reproduced and inside:
            return "reproduced"
        return "near" if distance <= self.near else "differs"


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
    """What one table measures, and which of its columns average others."""

    title: str
    setting: str = Field(description="what was ranked, by what first stage")
    columns: dict[str, ColumnMeaning] = Field({}, description="columns that differ from the setting")
    systems: dict[str, SystemMeaning] = Field({}, description="rows that differ from the setting")
    averages: dict[str, str] = Field({}, description="column -> name of its parts")
    tolerance: Tolerance


class Structure(Strict):
    """Every table by its number, and the parts of every average by name."""

    parts: dict[str, dict[str, int]] = Field(description="name -> weight of each column in the average")
    tables: dict[str, TableStructure]

    @model_validator(mode="after")
    def _parts_are_known(self) -> Structure:
        for identifier, table in self.tables.items():
            if unknown := set(table.averages.values()) - self.parts.keys():
                raise ValueError(f"table {identifier} names unknown parts {', '.join(sorted(unknown))}")
        return self


@cache
def structure() -> Structure:
    """Return the structure of the paper's tables."""
    packaged = resources.files("e2rank_eval.paper") / "tables.yaml"
    return Structure.model_validate(yaml.safe_load(packaged.read_text(encoding="utf-8")))
