"""Files that ``train`` leaves in its folder."""

from __future__ import annotations

import copy
import importlib
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from .. import plots, random
from .._version import __version__
from ..compile import CompiledFunction
from ..draw import draw
from ..explain import explain as explained
from ..explain.program import run_program
from ..files import replacing
from ..nn.module import evaluating
from ..record.activity import DeadUnits
from ..record.words import plural
from ..train import History
from ..train import predict as outputs_of
from . import network
from .setup import Run, loss_floor, scaled

__all__ = ["FILES", "summary", "write", "write_more", "write_text"]

_STEP, _SUMMARY = "train_step.py", "summary.json"
_GRAPHS = ("graph.svg", "graph.html", "graph.dot")
_EXPLAINED = 4  # rows of data that are drawn and explained after training
FILES = {
    network.FILE: "weights, architecture, class names",
    "metrics.csv": "every epoch in numbers",
    "curves.png": "loss and accuracy as a picture",
    "decision.png": "what is answered where",
    "graph.svg": "the computation graph of 4 rows, with the gradients",
    "graph.html": "the same to zoom in",
    "graph.dot": "the same for Graphviz",
    "backprop.html": "its backward pass, step by step",
    _STEP: "the training step as a NumPy program, to read and to run",
    "dead_units.txt": "units that are silent on every row",
    _SUMMARY: "settings, versions, results",
}


def write(folder: Path, run: Run, history: History, report: DeadUnits, summary: dict[str, Any]) -> None:
    """Record of a training: the network, and how it went."""
    network.save(folder, run)
    history.to_csv(folder / "metrics.csv")
    write_text(folder / "dead_units.txt", f"{report}\n")
    write_text(folder / _SUMMARY, json.dumps(summary, indent=2) + "\n")


def write_more(folder: Path, run: Run, history: History) -> tuple[str, list[str]]:
    """The training step and the pictures, each of which may fail alone: what the step saves; what failed, and why."""
    saves, failed = "", []

    @contextmanager
    def alone(name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of whatever kind: a picture is not worth a trained network
            kind = "" if isinstance(error, ImportError) else f"{type(error).__name__}: "
            failed.append(f"no {name}: {kind}{error}")

    if run.settings["compile"]:
        with alone(_STEP):
            saves = _write_step(folder, run, history)
    with alone("curves.png"):
        _draw_curves(folder / "curves.png", run, history)
    if run.X.shape[1] == 2:
        with alone("decision.png"):
            _draw_decision(folder / "decision.png", run)
    with alone(", ".join(_GRAPHS)), _few_rows(run) as loss:
        drawing = draw(loss)
        for name in _GRAPHS:
            drawing.save(folder / name)
    with alone("backprop.html"), _few_rows(run) as loss:
        explained(loss).save(folder / "backprop.html")
    return saves, failed


def _draw_curves(path: Path, run: Run, history: History) -> None:
    title = f"{run.data_set.name}: {plural(len(history), 'epoch')}"
    validation = "validation" if run.settings["patience"] else "held-out"
    plots.curves(history, path, title=title, validation=validation, floor=loss_floor(run))


def _draw_decision(path: Path, run: Run) -> None:
    def classify(points):
        return outputs_of(run.model, scaled(points, run.mean, run.scale)).argmax(axis=1)

    found = run.data_set
    title = f"{found.name}: what the network answers where"
    axes = found.features or ["x", "y"]
    plots.decision_boundary(classify, found.X, found.y, path, classes=found.classes, title=title, axes=axes)


_LAST_LINES = "loss = tg.cross_entropy(model(X), y)\nloss.backward(retain_graph=True)\n"


@contextmanager
def _few_rows(run: Run) -> Iterator[Any]:
    """The loss of a few rows after its backward pass."""
    names = {"tg": importlib.import_module("tinygrad_relu"), "model": run.model}
    names |= {"X": run.X[:_EXPLAINED], "y": run.y[:_EXPLAINED]}
    run.model.zero_grad()
    try:
        with evaluating(run.model):
            yield run_program(_LAST_LINES, names)["loss"]
    finally:
        run.model.zero_grad()


_TRAIN_STEP = """\
def train_step(X, y):
    loss = tg.cross_entropy(model(X), y{smoothing})
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
"""
_TURNS, _MOST_SECONDS = 40, 1.0  # how often the training step is timed, and for how long at most


def _write_step(folder: Path, run: Run, history: History) -> str:
    """The training step as a NumPy program, with the numbers as they are after training; what it saves, in words.

    All is done on a copy, and the random numbers are put back: the run stays as it is.
    """
    if history.compiled is None:
        return f"not compiled: {history.not_compiled_because}"
    X, y = (rows[: run.settings["batch_size"]] for rows in (run.X, run.y))
    train_step = _copied_step(run)
    step = CompiledFunction(train_step)
    generator = random.generator()
    drawn = generator.bit_generator.state
    try:
        step.prepare(X, y)
        step.save(folder / _STEP)
        without, compiled = _microseconds([train_step, step], X, y)
    finally:
        generator.bit_generator.state = drawn
    calls = plural(step.report().calls, "call")
    return (
        f"{compiled:,.0f} microseconds as a NumPy program of {calls}, {without:,.0f} without "
        f"({without / compiled:.1f} times)"
    )


def _copied_step(run: Run) -> Callable[..., Any]:
    """The training step as somebody would write it, of a copy of the network and of what the optimizer remembers."""
    model, optimizer = copy.deepcopy((run.model, run.optimizer))
    model.train()
    optimizer.param_groups[0]["lr"] = run.settings["lr"]  # the schedule has brought it to 0
    smoothing = run.settings["label_smoothing"]
    text = _TRAIN_STEP.format(smoothing=f", label_smoothing={smoothing}" if smoothing else "")
    names = {"tg": importlib.import_module("tinygrad_relu"), "model": model, "optimizer": optimizer}
    return run_program(text, names, f"<{_STEP}>")["train_step"]


def _microseconds(functions: list[Callable[..., Any]], X: np.ndarray, y: np.ndarray) -> list[float]:
    """The median time of each function, measured in turn."""
    times: list[list[float]] = [[] for _ in functions]
    end = time.perf_counter() + _MOST_SECONDS
    with np.errstate(over="ignore", invalid="ignore"):  # as fit has it
        while len(times[0]) < _TURNS and (time.perf_counter() < end or not times[0]):
            for function, taken in zip(functions, times):
                start = time.perf_counter()
                function(X, y)
                taken.append(1e6 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def summary(run: Run, history: History, report: DeadUnits, right: int, seconds: float) -> dict[str, Any]:
    return {
        "settings": run.settings,
        "data": {
            "name": run.data_set.name,
            "rows": len(run.data_set.X),
            "trained_on": len(run.X),
            "held_out": len(run.X_test),
            "features": run.X.shape[1],
            "classes": run.data_set.classes,
        },
        "results": {
            "held_out_accuracy": right / len(run.y_test),
            "right": right,
            "epochs": len(history),
            "best_epoch": history.best_epoch,
            "last": history[-1],
            "loss_floor": loss_floor(run),  # which label smoothing does not let the loss fall below
            "dead_units": [[layer.layer, len(layer.dead)] for layer in report.layers],
            "seconds": round(seconds, 2),
        },
        "versions": {
            "tinygrad_relu": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def write_text(path: Path, text: str) -> None:
    """Write a file, which is whole or not there."""
    with replacing(path) as file:
        file.write(text.encode())
