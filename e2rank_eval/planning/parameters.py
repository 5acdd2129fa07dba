"""How many weights a registry model has."""

from __future__ import annotations

import re

from e2rank_eval.config.entries import ModelEntry
from e2rank_eval.errors import InputError

_SCALE = {"K": 1e3, "M": 1e6, "B": 1e9}


def parameters(entry: ModelEntry) -> float:
    """The number behind an entry's ``parameters``: ``22.7M`` is 22,700,000.

    Raises
    ------
    InputError
        When the entry states it otherwise.
    """
    match = re.fullmatch(r"([0-9.]+)([KMB])", entry.parameters)
    if match is None:
        raise InputError(
            f"{entry.title}: parameters {entry.parameters!r} is no size", hint="write 0.6B or 22.7M"
        )
    return float(match[1]) * _SCALE[match[2]]
