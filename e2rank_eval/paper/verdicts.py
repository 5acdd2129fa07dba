"""The verdict on one cell: how near our value is to the published one."""

from __future__ import annotations

from typing import Literal

from e2rank_eval.paper.structure import Tolerance

Verdict = Literal["reproduced", "near", "differs", "not run", "not published"]


def verdict(
    ours: float | None,
    published: float | None,
    tolerance: Tolerance,
    interval: tuple[float, float] | None = None,
) -> Verdict:
    """Compare two values in one unit.

    ``reproduced`` needs a distance of at most ``tolerance.reproduced`` and, where our bootstrap
    interval is given, that it holds the published value (to within the same tolerance, since that
    value is rounded); ``near`` a distance of at most ``tolerance.near``.

    >>> verdict(72.9, 72.95, Tolerance(reproduced=0.1, near=1.0))
    'reproduced'
    """
    if ours is None:
        return "not run"
    if published is None:
        return "not published"
    # Published values are decimal: a distance of exactly the tolerance must not fail by binary rounding.
    distance = round(abs(ours - published), 9)
    inside = interval is None or (
        interval[0] - tolerance.reproduced <= published <= interval[1] + tolerance.reproduced
    )
    if distance <= tolerance.reproduced and inside:
        return "reproduced"
    return "near" if distance <= tolerance.near else "differs"


def equal_to_the_digit(ours: float, printed: str) -> bool:
    """Whether our value, rounded as the published one is, shows the same digits."""
    return f"{ours:.{len(printed.partition('.')[2])}f}" == printed
