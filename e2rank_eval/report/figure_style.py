"""One look for all figures: colours that the colour-blind can tell apart, type, and bytes that repeat."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from e2rank_eval.config import RerankerSettings

INK, MUTED, RULE, PAPER = "#1b1f24", "#5c6570", "#d4d8dd", "#ffffff"
"""Text, secondary text, grid lines and ground; the site swaps them for its own in the dark."""

GAIN, LOSS = "#0072b2", "#d55e00"

_BY_FAMILY = {
    "e2rank": "#0072b2", "query-only": "#7f8790", "feedback": "#009e73", "listwise": "#d55e00",
    "pointwise-llm": "#cc79a7", "cross-encoder": "#b58900",
}  # fmt: skip
"""From the palette of Okabe and Ito, which stays apart under the common colour deficiencies."""

_RC: Any = {
    "font.family": "sans-serif", "font.sans-serif": ["DejaVu Sans"], "font.size": 9,
    "text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "e2rank-eval",
    "text.color": INK, "axes.labelcolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "axes.edgecolor": RULE, "axes.linewidth": 0.8, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.grid.axis": "y", "axes.axisbelow": True,
    "grid.color": RULE, "grid.linewidth": 0.6,
    "xtick.major.size": 3, "ytick.major.size": 0, "xtick.major.width": 0.8,
    "figure.facecolor": PAPER, "axes.facecolor": "none", "savefig.facecolor": PAPER,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with its data and, for those who cannot see it, what it shows in words."""

    id: str
    title: str
    description: str
    figure: Figure
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int, ...], ...]


@contextmanager
def style() -> Iterator[None]:
    """The settings under which a figure must be both drawn and saved."""
    with mpl.rc_context(_RC):
        yield


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of ``width`` by ``height`` inches with its title at the upper left."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.03, hspace=0.05)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(fill(title, int(9 * width)), x=0.012, ha="left", fontsize=11, fontweight="bold")
    return figure


def colour(settings: RerankerSettings) -> str:
    """A system's colour by its family; E2Rank without its listwise prompt has one of its own."""
    if getattr(settings, "prompt", None) == "query-only":
        return _BY_FAMILY["query-only"]
    return _BY_FAMILY.get(settings.family, MUTED)


def panel_title(axes: Axes, text: str, remark: str = "") -> None:
    """A panel's heading above its left edge, with a quieter remark in the line below."""
    axes.annotate(remark, (0, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points",
                  fontsize=8, color=MUTED, va="bottom")  # fmt: skip
    axes.set_title(text, loc="left", fontsize=9, pad=18 if remark else 6)


def forms(drawing: Drawing) -> dict[str, bytes]:
    """The figure's data and the figure, by file ending: csv, svg, png. To be called under :func:`style`."""
    data = csv_text(drawing.columns, drawing.rows).encode()
    return {"csv": data, "svg": svg_bytes(drawing), "png": png_bytes(drawing)}


def svg_bytes(drawing: Drawing) -> bytes:
    return _bytes(drawing.figure, "svg", metadata={"Date": None, "Creator": None, "Title": drawing.title})


def png_bytes(drawing: Drawing) -> bytes:
    return _bytes(drawing.figure, "png", dpi=200, metadata={"Software": None})


def _bytes(figure: Figure, form: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=form, **options)
    return buffer.getvalue()


def csv_text(columns: Sequence[str], rows: Sequence[Sequence[str | float | int]]) -> str:
    """The figure's data; floats to 6 significant digits after the point."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([f"{value:.6f}" if isinstance(value, float) else value for value in row] for row in rows)
    return buffer.getvalue()
