"""Puts names beside points so that no name covers a point, an interval or another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from e2rank_eval.report.drawing import INK, MUTED

_DISTANCES = (7.0, 14.0, 24.0, 38.0, 56.0)
_DIRECTIONS = ((1, 0), (1, 1), (1, -1), (-1, 0), (-1, 1), (-1, -1), (0, 1), (0, -1))
"""Right first, then its neighbours: text reads from left to right."""


@dataclass(frozen=True, slots=True)
class Label:
    """``text`` to be put near the data point (``x``, ``y``)."""

    text: str
    x: float
    y: float


def place_labels(axes: Axes, labels: Sequence[Label], obstacles: Sequence[Bbox]) -> None:
    """Draw each label at the free place nearest to its point; limits and scales must be final.

    ``obstacles`` are boxes in display coordinates. Where no place is free, the one with the least
    overlap is taken. A label that had to move away gets a thin line to its point.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    points = figure.dpi / 72
    frame = axes.get_window_extent()
    taken = list(obstacles)
    for label in labels:
        measured = axes.annotate(label.text, (label.x, label.y), fontsize=8.5, color=INK)
        size = measured.get_window_extent()
        measured.remove()
        centre = axes.transData.transform((label.x, label.y)).tolist()
        places = [
            (distance, direction, _box(centre, size, direction, distance * points))
            for distance, direction in product(_DISTANCES, _DIRECTIONS)
        ]
        distance, direction, box = min(places, key=lambda one: _cost(one[2], taken, frame))
        taken.append(box.padded(2 * points))
        offset = (direction[0] * distance, direction[1] * distance)
        axes.annotate(
            label.text, (label.x, label.y), xytext=offset, textcoords="offset points",
            fontsize=8.5, color=INK,
            ha=("right", "center", "left")[direction[0] + 1],
            va=("top", "center", "bottom")[direction[1] + 1],
            arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.5, "shrinkA": 1, "shrinkB": 3}
            if distance > _DISTANCES[1] else None,
        )  # fmt: skip


def _box(centre: Sequence[float], size: Bbox, direction: tuple[int, int], distance: float) -> Bbox:
    """Return the text's box ``distance`` display units away in ``direction``."""
    horizontal, vertical = direction
    left = centre[0] + horizontal * distance + (-size.width, -size.width / 2, 0.0)[horizontal + 1]
    low = centre[1] + vertical * distance + (-size.height, -size.height / 2, 0.0)[vertical + 1]
    return Bbox.from_bounds(left, low, size.width, size.height)


def _cost(box: Bbox, taken: Sequence[Bbox], frame: Bbox) -> float:
    """Covered area, in display units squared; leaving the frame costs as much as covering something."""
    inside = Bbox.intersection(box, frame)
    outside = box.width * box.height - (inside.width * inside.height if inside else 0.0)
    covered = 0.0
    for other in taken:
        both = Bbox.intersection(box, other)
        covered += both.width * both.height + 1.0 if both else 0.0
    return outside + covered
