"""A loaded data set together with what its manifest tells about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2rank_eval.records import Dataset


@dataclass(frozen=True, slots=True)
class Collection:
    """A data set and its origin.

    ``source`` tells where it comes from, in terms that are the same on every machine; ``inputs``
    are the files that were read here; ``left_out`` counts what the loader dropped, by reason.
    """

    dataset: Dataset
    title: str
    licence: str
    show_text: bool
    source: Mapping[str, Any]
    inputs: tuple[Path, ...] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)
