"""Figures: one look for all pictures of the lab, readable from the last row of a lecture hall."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import plots
from ..serialize import replacing

__all__ = [
    "BLACK", "BLUE", "COLORS", "GREEN", "GREY", "MARKERS", "ORANGE", "PURPLE", "RED", "SKY", "drawn", "legend",
    "legend_below", "mosaic", "panels", "save", "whiskers", "write",
]  # fmt: skip

# Okabe and Ito's colours (2008, "Color universal design"), told apart with any kind of colour vision.
BLUE, RED, GREEN, PURPLE, ORANGE, SKY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"
BLACK, GREY = "#1a1a1a", "#767676"
COLORS = (BLUE, RED, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = "osD^vPX"  # beside the colours, so that nothing is told by colour alone

_TEXT = 13


def panels(rows: int = 1, columns: int = 1, *, width: float = 6.0, height: float = 4.4, **options: Any) -> Any:
    """A Figure, and the list of its axes row by row, each ``width`` x ``height`` inches.

    Raises ImportError if matplotlib is not installed.
    """
    figure = _figure(width * columns, height * rows)
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel().tolist()
    for each in axes:
        _style(each)
    return figure, axes


def mosaic(layout: str, *, width: float, height: float, **options: Any) -> Any:
    """A Figure of this size in inches, and its axes by the letters of ``layout``: ``"ab;cc"`` has c below a and b."""
    figure = _figure(width, height)
    axes = figure.subplot_mosaic(layout, **options)
    for each in axes.values():
        _style(each)
    return figure, axes


def _figure(width: float, height: float) -> Any:
    figure = plots._figure(figsize=(width, height))
    figure.get_layout_engine().set(hspace=0.06, wspace=0.04)
    return figure


def _style(axes: Any) -> None:
    axes.tick_params(labelsize=_TEXT - 1)
    axes.xaxis.label.set_size(_TEXT)
    axes.yaxis.label.set_size(_TEXT)
    axes.title.set_size(_TEXT + 1)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def legend(axes: Any, **options: Any) -> None:
    """A legend whose words no line crosses."""
    axes.legend(**{"fontsize": _TEXT - 1, "edgecolor": "none", "framealpha": 0.85, **options})


def legend_below(axes: Any) -> None:
    """A legend of two columns under the axes, for those in which it would hide something."""
    legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)


def whiskers(middles: Sequence[float], intervals: Iterable[tuple[float, float]]) -> np.ndarray:
    """Intervals as ``errorbar`` takes them: how far their ends are below and above the middles.

    >>> whiskers([1.0, 5.0], [(0.0, 3.0), (5.0, 6.0)]).tolist()
    [[1.0, 0.0], [2.0, 1.0]]
    """
    return abs(np.array(list(intervals)).T - middles)


def drawn(figure: Any) -> dict[str, bytes]:
    """The figure as an SVG, whose bytes are the same each time, and as a PNG of 150 dots an inch, by file ending."""
    svg = plots.as_svg(figure)  # first: the layout of what was drawn before, in other dots, would show
    png = io.BytesIO()
    plots.write(figure, png, format="png", dpi=150)
    return {".svg": svg, ".png": png.getvalue()}


def save(figure: Any, path: str | Path) -> list[Path]:
    """Write the figure as PATH.svg and PATH.png; both paths."""
    return write(drawn(figure), path)


def write(files: dict[str, bytes], path: str | Path) -> list[Path]:
    """Write each of these as PATH and its ending, whole or not at all; the paths."""
    paths = []
    for ending, content in files.items():
        paths.append(Path(f"{path}{ending}"))
        with replacing(paths[-1]) as file:
            file.write(content)
    return paths
