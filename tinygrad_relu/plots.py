"""Pictures with matplotlib, which is needed only here: learning curves, and what a network decides in the plane."""

from __future__ import annotations

import base64
import importlib
import io
import os
import warnings
from html import escape
from typing import Any

import numpy as np

from .files import replacing
from .tensor import as_array

__all__ = ["curves", "decision_boundary"]

# Okabe and Ito's colours (2008, "Color universal design"), told apart with any kind of colour vision.
_TRAINING, _VALIDATION, _BEST = "#0072B2", "#D55E00", "#333333"
_CLASSES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_MARKERS = "osD^vPX"  # one fewer than colours, so that the pairs repeat only after 56 classes


def curves(
    history,
    path: str | os.PathLike[str] | None = None,
    *,
    title: str = "Training",
    validation: str = "validation",
    floor: float = 0.0,
) -> Any:
    """Loss and accuracy over the epochs, side by side, the best epoch marked: matplotlib's Figure, saved to ``path``.

    ``validation`` is what the rows that were not trained on are called. ``floor`` is what label smoothing does not let
    the loss fall below (the entropy of the smoothed targets); it is drawn as a line and said.

    Raises ImportError if matplotlib is not installed, ValueError for a history without epochs.
    """
    if not len(history):
        raise ValueError("curves: the history has no epochs to draw")
    names = [name for name in ("loss", "accuracy") if name in history.columns]
    figure = _figure(figsize=(5.2 * len(names), 3.9))
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        _curve(axes, history, name, validation)
        if name == "loss" and floor:
            least = f"cannot fall below {floor:.3f}"
            axes.axhline(floor, color=_BEST, linewidth=1, linestyle="--", zorder=0, label=least)
            axes.set_ylabel("loss (with label smoothing)")
        axes.legend(edgecolor="none", framealpha=0.85)  # so that no line runs through the words
    figure.suptitle(_plain(title))
    return _saved(figure, path)


def _curve(axes: Any, history, name: str, validation: str) -> None:
    epochs = history["epoch"]
    percent = 100 if name == "accuracy" else 1
    dots = {"marker": "o", "markersize": 3} if len(epochs) < 30 else {}
    for column, label, color in ((name, "training", _TRAINING), (f"val_{name}", validation, _VALIDATION)):
        if column in history.columns:
            axes.plot(epochs, percent * history[column], label=label, color=color, linewidth=1.8, **dots)
    best, watched = history.best_epoch, f"{validation} loss" if history.monitor == "val_loss" else "loss"
    axes.axvline(best, color=_BEST, linewidth=1, linestyle=":", zorder=0, label=f"lowest {watched}: epoch {best}")
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy (%)" if percent == 100 else "loss")
    if name == "loss" and (history[name] > 0).all() and history[name].max() > 30 * history[name].min():
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def decision_boundary(
    predict_classes,
    X,
    y,
    path: str | os.PathLike[str] | None = None,
    *,
    classes=None,
    axes=("x", "y"),
    title: str = "What was learned",
) -> Any:
    """Points in the plane, and behind them the class that ``predict_classes(points)`` gives to each place.

    ``X`` is (n, 2), ``y`` has the classes 0, 1, ...; ``classes`` are their names, ``axes`` those of the columns.
    A point of another class than the ground it stands on is a mistake. Returns matplotlib's Figure, saved to ``path``.
    Raises ImportError if matplotlib is not installed, ValueError if ``X`` has not two columns.
    """
    X, y = as_array(X, "decision_boundary: X"), as_array(y, "decision_boundary: y")
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"decision_boundary: only points in the plane can be drawn, X has shape {X.shape}")
    names = classes or [str(i) for i in range(int(y.max()) + 1)]
    low, high = X.min(axis=0).astype(float), X.max(axis=0).astype(float)
    margin = np.where(high > low, 0.08 * (high - low), 1 + 0.01 * abs(high))  # a constant column gets some room too
    most = np.finfo(X.dtype).max if X.dtype.kind == "f" else np.inf  # there is no ground beyond it
    low, high = np.maximum(low - margin, -most), np.minimum(high + margin, most)
    xs, ys = (np.linspace(a, b, 300) for a, b in zip(low, high))
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(X.dtype)
    ground = np.asarray(predict_classes(grid)).reshape(len(ys), len(xs))

    figure = _figure(figsize=(6.2, 5.2))
    plane = figure.add_subplot()
    colors = [_CLASSES[i % len(_CLASSES)] for i in range(len(names))]
    levels = np.arange(len(names) + 1) - 0.5
    plane.contourf(xs, ys, ground, levels=levels, colors=colors, alpha=0.25)
    for i, name in enumerate(names):
        points = X[y == i]
        marker = _MARKERS[i % len(_MARKERS)]
        plane.scatter(
            *points.T, s=16, color=colors[i], marker=marker, edgecolor="white", linewidth=0.4, label=_short(name)
        )
    plane.set(
        xlabel=_plain(axes[0]), ylabel=_plain(axes[1]), xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]), title=_plain(title)
    )
    if 0.2 < (xs[-1] - xs[0]) / (ys[-1] - ys[0]) < 5:  # else one axis would be a thin strip
        plane.set_aspect("equal")
    plane.legend(title="class", frameon=False, markerscale=1.6, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return _saved(figure, path)


def _plain(text: Any) -> str:
    """Text as it stands: matplotlib reads formulas between dollar signs, and hides labels that start with _."""
    text = str(text).replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text


def _short(name: Any) -> str:
    """Of a long name the beginning, so that the legend leaves room for the picture."""
    text = str(name)
    return _plain(text if len(text) <= 24 else text[:23] + "…")


def _figure(**options: Any) -> Any:
    """A figure that belongs to no window, so that drawing works on any machine and leaves nothing behind."""
    try:
        figure = importlib.import_module("matplotlib.figure")
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "tinygrad_relu[plot]"') from None
    # The class is made here, since matplotlib may not be there; it is one that notebooks show.
    shown = type("Figure", (figure.Figure,), {"_repr_html_": as_image})
    return shown(layout="constrained", **options)


def as_image(figure: Any, alt: str = "figure") -> str:
    """The figure inside an element of HTML, as wide as it is drawn, but no wider than the place for it."""
    svg = base64.b64encode(as_svg(figure)).decode()
    return f'<img style="max-width: 100%" alt="{escape(alt)}" src="data:image/svg+xml;base64,{svg}">'


def as_svg(figure: Any) -> bytes:
    """The figure as an SVG for a white ground, whose bytes are the same each time."""
    matplotlib = importlib.import_module("matplotlib")
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "tinygrad_relu", "svg.fonttype": "path"}):
        write(figure, file, format="svg", metadata={"Date": None})
    return file.getvalue()


def write(figure: Any, file: Any, **options: Any) -> None:
    """``figure.savefig`` on a white ground."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # boxes for rare signs are no reason to fail
        figure.savefig(file, facecolor="white", **options)


def _saved(figure: Any, path: str | os.PathLike[str] | None) -> Any:
    if path is not None:
        name, ending = os.path.splitext(os.fsdecode(path))
        ending = ending or ".png"
        with replacing(name + ending) as file:
            write(figure, file, format=ending[1:], dpi=150, bbox_inches="tight")
    return figure
