"""A figure with its data, and the common style of figures: colour-blind safe, with reproducible bytes.

matplotlib is imported only when a figure is drawn, since the workflow needs only the figures' ids.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from e2rank_eval.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

INK, MUTED, RULE, PAPER = "#1b1f24", "#5c6570", "#d4d8dd", "#ffffff"
"""Colours of text, secondary text, grid lines and background."""

_COLOURS = {INK: "var(--ink)", MUTED: "var(--muted)", RULE: "var(--rule)", PAPER: "var(--paper)"}
"""Colour in a figure -> colour of the page that replaces it, which differs in dark mode."""

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900", "#7f8790")
"""From the colour-blind safe palette of Okabe and Ito."""

GAIN, LOSS = PALETTE[:2]

MARKERS = "osD^vP"

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
    """A figure, with the data that it shows."""

    title: str
    figure: Figure
    data: pd.DataFrame
    id: str = ""


@contextmanager
def style() -> Iterator[None]:
    """Apply the settings under which a figure must be both drawn and saved."""
    import matplotlib as mpl

    with mpl.rc_context(_RC):
        yield


def new_figure(width: float, height: float, title: str) -> Figure:
    """Return an empty figure of ``width`` by ``height`` inches with its title at the upper left."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.03, hspace=0.05)
    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    figure.suptitle(fill(title, int(9 * width)), x=0.012, ha="left", fontsize=11, fontweight="bold")
    return figure


def panel_title(axes: Axes, text: str, remark: str = "") -> None:
    """Put a heading above a panel's left edge, with a remark in smaller, grey text below it."""
    axes.annotate(remark, (0, 1), xytext=(0, 4), xycoords="axes fraction", textcoords="offset points",
                  fontsize=8, color=MUTED, va="bottom")  # fmt: skip
    axes.set_title(text, loc="left", fontsize=9, pad=18 if remark else 6)


def interval_ends(values: ArrayLike, lows: ArrayLike, highs: ArrayLike) -> NDArray[np.float64]:
    """Return the lengths [2, n] of error bars below and above ``values``.

    None is negative: of a set of equal values, mean and interval differ by rounding.
    """
    import numpy as np

    ends: NDArray[np.float64] = np.maximum(0.0, [np.subtract(values, lows), np.subtract(highs, values)])
    return ends


def legend_below(figure: Figure, axes: Axes) -> None:
    """Draw the legend of ``axes`` below all panels, in two columns where the labels are short enough."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if max(map(len, labels)) <= 5.5 * figure.get_figwidth() else 1
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8)


def time_axis(axis: Axis, low: float, high: float) -> None:
    """Label a logarithmic axis from ``low`` to ``high`` seconds with round times: 1, 2, 5 of each decade."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(EngFormatter("s"))


def forms(drawing: Drawing) -> dict[str, bytes]:
    """Return the figure's data and the figure, by file ending: csv, svg, png.

    Floats of the data have 6 digits after the point.
    """
    return {
        "csv": drawing.data.to_csv(index=False, float_format="%.6f", lineterminator="\n").encode(),
        "svg": image_bytes(drawing, "svg"),
        "png": image_bytes(drawing, "png"),
    }


def image_bytes(drawing: Drawing, form: str) -> bytes:
    """Return the figure as ``svg`` or ``png``, without date and version, so that bytes are reproducible."""
    options: dict[str, dict[str, Any]] = {
        "svg": {"metadata": {"Date": None, "Creator": None, "Title": drawing.title}},
        "png": {"metadata": {"Software": None}, "dpi": 200},
    }
    buffer = io.BytesIO()
    with style():
        drawing.figure.savefig(buffer, format=form, **options[form])
    return buffer.getvalue()


def inline_svg(path: Path, identifier: str, title: str) -> Markup:
    """Return the ``<svg>`` element of a file that `e2rank-eval figure` wrote, for use in a page.

    Ids are prefixed with ``identifier``, so that figures of one page have different ids. Colours become
    those of the page, so that figures are readable in dark mode.

    Raises
    ------
    InputError
        When the file is missing or holds no SVG.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("no such file", path=path, hint="run the step that makes it first") from error
    match = re.search(r"<svg\b[^>]*>(.*)</svg>", text, re.DOTALL)
    box = re.search(r'viewBox="([\d. ]+)"', text)
    if match is None or box is None:
        raise InputError("the file holds no SVG", path=path, hint="draw the figure again")
    body = re.sub(r"<(metadata|title|style)\b.*?</\1>\s*", "", match[1], flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{identifier}-', body)
    body = re.sub(r'(xlink:href="#|url\(#)', rf"\1{identifier}-", body).replace("xlink:href", "href")
    body = body.replace("font-family: 'DejaVu Sans', sans-serif", "font-family: var(--sans)")
    for colour, variable in _COLOURS.items():
        body = body.replace(colour, variable)
    return Markup(
        f'<svg viewBox="{box[1]}" role="img" aria-label="{escape(title)}" xmlns="http://www.w3.org/2000/svg">'
        f"{body}</svg>"
    )
