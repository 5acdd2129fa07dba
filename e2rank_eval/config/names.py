"""Names by which the parts of a configuration refer to each other."""

from __future__ import annotations

from collections.abc import Collection


def known(where: str, names: Collection[str], entries: Collection[str]) -> None:
    """Raises ValueError for a name that no entry has; lists those there are."""
    for name in names:
        if name not in entries:
            raise ValueError(f"{where}: unknown name {name!r} (known: {', '.join(entries)})")


def distinct(names: list[str]) -> list[str]:
    """``names``; raises ValueError where one stands twice."""
    repeated = next((name for position, name in enumerate(names) if name in names[:position]), None)
    if repeated is not None:
        raise ValueError(f"{repeated!r} is named twice")
    return names
