"""Pictures with matplotlib, which is needed only here: learning curves, and what a network decides in the plane."""

from __future__ import annotations

import importlib
import os
from typing import Any

import numpy as np

__all__ = ["curves", "decision_boundary"]

# Okabe and Ito's colours (2008, "Color universal design"), told apart with any kind of colour vision.
_TRAINING, _VALIDATION, _BEST = "#0072B2", "#D55E00", "#333333"
_CLASSES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
_MARKERS = "osD^vPX*"


def curves(history, path: str | os.PathLike[str] | None = None, *, title: str = "Training") -> Any:
    """Loss and accuracy over the epochs, side by side, the best epoch marked: matplotlib's Figure, saved to ``path``.

    Raises ImportError if matplotlib is not installed, ValueError for a history without epochs.
    """
    if not len(history):
        raise ValueError("curves: the history has no epochs to draw")
    names = [name for name in ("loss", "accuracy") if name in history.columns]
    figure = _figure(figsize=(5.2 * len(names), 3.9))
    for i, name in enumerate(names):
        axes = figure.add_subplot(1, len(names), i + 1)
        _curve(axes, history, name)
    figure.suptitle(title)
    return _saved(figure, path)


def _curve(axes: Any, history, name: str) -> None:
    epochs = history["epoch"]
    percent = 100 if name == "accuracy" else 1
    dots = {"marker": "o", "markersize": 3} if len(epochs) < 30 else {}
    for column, label, color in ((name, "training", _TRAINING), (f"val_{name}", "validation", _VALIDATION)):
        if column in history.columns:
            axes.plot(epochs, percent * history[column], label=label, color=color, linewidth=1.8, **dots)
    best = history.best_epoch
    axes.axvline(
        best, color=_BEST, linewidth=1, linestyle=":", zorder=0, label=f"lowest {_words(history.monitor)}: epoch {best}"
    )
    axes.set_xlabel("epoch")
    axes.set_ylabel("accuracy (%)" if percent == 100 else "loss")
    if name == "loss" and (history[name] > 0).all() and history[name].max() > 30 * history[name].min():
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _words(monitor: str) -> str:
    return "validation loss" if monitor == "val_loss" else "loss"


def decision_boundary(
    predict_classes, X, y, path: str | os.PathLike[str] | None = None, *, classes=None, title: str = "What was learned"
) -> Any:
    """Points in the plane, and behind them the class that ``predict_classes(points)`` gives to each place.

    ``X`` is (n, 2), ``y`` has the classes 0, 1, ...; ``classes`` are their names. A point of another class than the
    ground it stands on is a mistake. Returns matplotlib's Figure, saved to ``path``.
    Raises ImportError if matplotlib is not installed, ValueError if ``X`` has not two columns.
    """
    X, y = np.asarray(X), np.asarray(y)
    if X.ndim != 2 or X.shape[1] != 2:
        raise ValueError(f"decision_boundary: only points in the plane can be drawn, X has shape {X.shape}")
    names = classes or [str(i) for i in range(int(y.max()) + 1)]
    low, high = X.min(axis=0), X.max(axis=0)
    margin = 0.08 * (high - low) + 1e-6
    xs, ys = (np.linspace(a, b, 300) for a, b in zip(low - margin, high + margin))
    grid = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(X.dtype)
    ground = np.asarray(predict_classes(grid)).reshape(len(ys), len(xs))

    figure = _figure(figsize=(6.2, 5.2))
    axes = figure.add_subplot()
    colors = [_CLASSES[i % len(_CLASSES)] for i in range(len(names))]
    levels = np.arange(len(names) + 1) - 0.5
    axes.contourf(xs, ys, ground, levels=levels, colors=colors, alpha=0.25)
    for i, name in enumerate(names):
        points = X[y == i]
        marker = _MARKERS[i % len(_MARKERS)]
        axes.scatter(*points.T, s=16, color=colors[i], marker=marker, edgecolor="white", linewidth=0.4, label=name)
    axes.set(xlabel="x", ylabel="y", xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]), aspect="equal", title=title)
    axes.legend(title="class", frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return _saved(figure, path)


def _figure(**options: Any) -> Any:
    """A figure that belongs to no window, so that drawing works on any machine and leaves nothing behind."""
    try:
        figure = importlib.import_module("matplotlib.figure")
    except ImportError:
        raise ImportError('pictures need matplotlib: pip install "tinygrad_relu[plot]"') from None
    return figure.Figure(layout="constrained", **options)


def _saved(figure: Any, path: str | os.PathLike[str] | None) -> Any:
    if path is not None:
        figure.savefig(path, dpi=150)
    return figure
