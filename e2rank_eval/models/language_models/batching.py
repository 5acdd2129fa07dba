"""Grouping inputs of similar length under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Sequence


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Positions grouped so that rows x longest row stays within ``budget``, one row at least.

    Longest first: little padding within a group, and what does not fit in memory fails at once.
    Equal lengths keep their order, so the same lengths always give the same groups.

    >>> batches([3, 9, 4, 8], 16)
    [[1], [3, 2], [0]]
    """
    groups: list[list[int]] = []
    longest = 0
    for position in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if groups and (len(groups[-1]) + 1) * longest <= budget:
            groups[-1].append(position)
        else:
            groups.append([position])
            longest = lengths[position]
    return groups
