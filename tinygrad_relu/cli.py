"""What the command line does: ``train`` fills a folder with all there is to know about a run, ``predict`` uses it."""

from __future__ import annotations

import argparse
import copy
import csv
import difflib
import importlib
import io
import json
import os
import platform
import secrets
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import data, nn, ops, optim, plots, random, serialize
from ._version import __version__
from .activity import DeadUnits, dead_units
from .compile import CompiledFunction
from .draw import draw
from .explain import Explorer
from .explain import explain as explained
from .explain.program import run_program
from .train import History, evaluating, fit, optimizer_class
from .train import predict as outputs_of

__all__ = ["explain", "predict", "train"]

_TOYS = {"moons": data.moons, "circles": data.circles, "spirals": data.spirals, "blobs": data.blobs, "xor": data.xor}
_FORMAT = "tinygrad_relu model 1"
_MODEL, _STEP, _SUMMARY = "model.npz", "train_step.py", "summary.json"
_EXPLAINED = 4  # rows of data that are drawn and explained after training
_FILES = {
    _MODEL: "weights, architecture, class names",
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


# ---------------------------------------------------------------------- train


def train(options: argparse.Namespace) -> None:
    """Train a network as the options say, and write its folder."""
    out = Path(options.out or Path("runs", Path(options.data).stem))
    _check_replaceable(out)
    random.manual_seed(options.seed)
    run = _prepare(options)
    say = _silent if options.quiet else print
    say(_plan(run), flush=True)
    with _new_folder(out) as folder:
        start = time.perf_counter()
        history = _train(run, options)
        seconds = time.perf_counter() - start
        right = int((outputs_of(run.model, run.X_test).argmax(axis=1) == run.y_test).sum())
        report = dead_units(run.model, run.X)
        notes = _write(folder, run, history, report)
        compiled = _write_step(folder, run, history) if options.compile else ""
        summary = _summary(run, history, report, right, seconds)
        _write_text(folder / _SUMMARY, json.dumps(summary, indent=2) + "\n")

    say(f"trained {len(history)} epochs in {seconds:.1f} s")
    if compiled:
        say(f"training step: {compiled}")
    say(f"held-out accuracy: {right / len(run.y_test):.2%} ({right} of {len(run.y_test)} rows)".replace("%", " %"))
    say(f"{report}\nin {out}:")
    for name, what in _FILES.items():
        if (out / name).exists():
            say(f"  {name:15} {what}")
    for note in notes:
        say(f"  {note}")


def _silent(*_: Any, **__: Any) -> None:
    pass


@dataclass
class _Run:
    """What is trained on what, and how."""

    settings: dict[str, Any]
    data_set: _DataSet
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    mean: np.ndarray  # of the columns, taken off before the network sees them
    scale: np.ndarray
    architecture: dict[str, Any]
    model: nn.Module
    optimizer: Any
    loss: Callable[..., Any]


def _prepare(options: argparse.Namespace) -> _Run:
    data_set = _load_data(options)
    settings = _settings(options, data_set)
    X, X_test, y, y_test = data.train_test_split(data_set.X, data_set.y, options.test_fraction, options.seed)
    mean, scale = np.zeros(1, np.float32), np.ones(1, np.float32)
    if data_set.measured:
        X, mean, scale = data.standardize(X)
        X_test = (X_test - mean) / scale
    architecture = {key: settings[key] for key in ("hidden", "activation", "dropout")}
    model = nn.MLP(X.shape[1], out_features=len(data_set.classes), **architecture)
    optimizer, loss = _optimizer(model, settings), _loss_with(settings["label_smoothing"])
    return _Run(settings, data_set, X, y, X_test, y_test, mean, scale, architecture, model, optimizer, loss)


def _plan(run: _Run) -> str:
    features, classes = run.X.shape[1], len(run.data_set.classes)
    sizes = " - ".join(map(str, [features, *run.architecture["hidden"], classes]))
    parameters = sum(p.size for p in run.model.parameters())
    return (
        f"{run.data_set.name}: {len(run.X)} rows to train on, {len(run.X_test)} held out, {features} features, "
        f"{classes} classes\nnetwork: {sizes}, {run.architecture['activation']}, {parameters} parameters"
    )


def _train(run: _Run, options: argparse.Namespace) -> History:
    return fit(
        run.model,
        run.X,
        run.y,
        loss=run.loss,
        optimizer=run.optimizer,
        scheduler=optim.lr_scheduler.CosineAnnealingLR(run.optimizer, T_max=options.epochs),
        epochs=options.epochs,
        batch_size=options.batch_size,
        # Where nothing is decided by it, the held-out part can be watched; a stop must be decided on other rows.
        validation=1 / 6 if options.patience else (run.X_test, run.y_test),
        patience=options.patience,
        seed=options.seed,
        progress=not options.quiet,
        compile=options.compile,
    )


def _loss_with(label_smoothing: float) -> Callable[..., Any]:
    def loss(output, target):
        return ops.cross_entropy(output, target, label_smoothing=label_smoothing)

    return loss


@dataclass
class _DataSet:
    name: str
    X: np.ndarray
    y: np.ndarray
    classes: list[str]
    features: list[str] | None = None
    measured: bool = False  # in units of its own, so that it must be standardised


def _load_data(options: argparse.Namespace) -> _DataSet:
    name = options.data
    for option in ("samples", "noise"):
        if getattr(options, option) is not None and name not in _TOYS:
            raise ValueError(f"--{option} is for points in the plane ({', '.join(_TOYS)}), not for {name}")
    if options.target is not None and (name in _TOYS or name == "digits"):
        raise ValueError(f"--target is for CSV files, not for {name}")
    if name == "digits":
        return _DataSet(name, *data.digits(), [str(i) for i in range(10)])
    if name in _TOYS:
        noise = {} if options.noise is None else {"noise": options.noise}
        X, y = _TOYS[name](options.samples or 1000, seed=options.seed, **noise)
        return _DataSet(name, X, y, [str(i) for i in range(int(y.max()) + 1)])
    if not name.lower().endswith(".csv") and not os.path.exists(name):
        near = difflib.get_close_matches(name, ["digits", *_TOYS], n=3)
        known = f"the nearest are {', '.join(near)}" if near else f"there are digits, {', '.join(_TOYS)}"
        raise ValueError(f"unknown data set {name!r}; {known}; or name a CSV file")
    table = data.read_csv(name, options.target)
    assert table.y is not None
    return _DataSet(name, table.X, table.y, table.classes, table.features, measured=True)


def _settings(options: argparse.Namespace, data_set: _DataSet) -> dict[str, Any]:
    """The options, with the defaults that depend on other options filled in."""
    settings = {key: value for key, value in vars(options).items() if key not in ("command", "quiet", "out")}
    name = options.optimizer.lower()
    defaults = {
        "lr": 0.05 if name in ("sgd", "adagrad") else 0.005,
        "weight_decay": 0.1 if name == "adamw" else 0.0,
        "dropout": 0.1 if data_set.name == "digits" else 0.0,
        "label_smoothing": 0.1 if data_set.name == "digits" else 0.0,
    }
    return settings | {key: value for key, value in defaults.items() if settings[key] is None}


def _optimizer(model: nn.Module, settings: dict[str, Any]) -> Any:
    kind = optimizer_class(settings["optimizer"])
    momentum = {"momentum": 0.9} if kind is optim.SGD else {}
    return kind(model.parameters(), lr=settings["lr"], weight_decay=settings["weight_decay"], **momentum)


# ---------------------------------------------------------------------- what is written


def _write(folder: Path, run: _Run, history: History, report: DeadUnits) -> list[str]:
    """All files but the summary; what to tell about those that could not be made here."""
    stored = {
        "format": _FORMAT,
        "architecture": run.architecture,
        "classes": run.data_set.classes,
        "features": run.data_set.features,
        "in_features": run.X.shape[1],
        "mean": run.mean,
        "scale": run.scale,
        "state": run.model.state_dict(),
    }
    serialize.save(folder / _MODEL, stored)
    history.to_csv(folder / "metrics.csv")
    _write_text(folder / "dead_units.txt", f"{report}\n")
    notes = _draw_pictures(folder, run, history)
    _draw_graph(folder, run)
    return notes


def _draw_pictures(folder: Path, run: _Run, history: History) -> list[str]:
    def classify(points):
        return outputs_of(run.model, (points - run.mean) / run.scale).argmax(axis=1)

    found = run.data_set
    title = f"{found.name}: {len(history)} epochs"
    validation = "validation" if run.settings["patience"] else "held-out"
    try:
        plots.curves(history, folder / "curves.png", title=title, validation=validation)
        if found.X.shape[1] == 2:
            title = f"{found.name}: what the network answers where"
            axes = found.features or ["x", "y"]
            plots.decision_boundary(
                classify, found.X, found.y, folder / "decision.png", classes=found.classes, title=title, axes=axes
            )
    except ImportError as error:
        return [f"no curves.png: {error}"]
    return []


_LAST_LINES = "loss = tg.cross_entropy(model(X), y)\nloss.backward(retain_graph=True)\n"


def _draw_graph(folder: Path, run: _Run) -> None:
    """The graph of a few rows after their backward pass, as a picture and as a page that steps through it."""
    names = {"tg": importlib.import_module(__package__), "model": run.model}
    names |= {"X": run.X[:_EXPLAINED], "y": run.y[:_EXPLAINED]}
    run.model.zero_grad()
    with evaluating(run.model):
        loss = run_program(_LAST_LINES, names)["loss"]
        drawing = draw(loss)
        for name in ("graph.svg", "graph.html", "graph.dot"):
            drawing.save(folder / name)
        explained(loss).save(folder / "backprop.html")
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


def _write_step(folder: Path, run: _Run, history: History) -> str:
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
    return (
        f"{compiled:,.0f} microseconds as a NumPy program of {step.report().calls} calls, {without:,.0f} without "
        f"({without / compiled:.1f} times)"
    )


def _copied_step(run: _Run) -> Callable[..., Any]:
    """The training step as somebody would write it, of a copy of the network and of what the optimizer remembers."""
    model, optimizer = copy.deepcopy((run.model, run.optimizer))
    model.train()
    optimizer.param_groups[0]["lr"] = run.settings["lr"]  # the schedule has brought it to 0
    smoothing = run.settings["label_smoothing"]
    text = _TRAIN_STEP.format(smoothing=f", label_smoothing={smoothing}" if smoothing else "")
    names = {"tg": importlib.import_module(__package__), "model": model, "optimizer": optimizer}
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


def _summary(run: _Run, history: History, report: DeadUnits, right: int, seconds: float) -> dict[str, Any]:
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
            "dead_units": [[layer.layer, len(layer.dead)] for layer in report.layers],
            "seconds": round(seconds, 2),
        },
        "versions": {
            "tinygrad_relu": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }


def _write_text(path: Path, text: str) -> None:
    with serialize.replacing(path) as file:
        file.write(text.encode())


# ---------------------------------------------------------------------- the folder of a run


def _check_replaceable(out: Path) -> None:
    """Refuse early what must not be replaced: anything but a folder that is empty, or holds a run and nothing else."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"{out} is a file; --out names a folder")
    real = out.resolve()
    if real == Path.cwd() or real in Path.cwd().parents:
        raise ValueError(f"{out} is the current folder or one around it; give --out a folder of its own")
    foreign = sorted(entry.name for entry in out.iterdir() if entry.name not in _FILES)
    if foreign:
        raise ValueError(f"{out} holds {foreign[0]!r}, which no run has made; give --out another folder")


@contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A folder to write to, which takes the place of ``out`` at the end, or is deleted if anything fails."""
    real = out.resolve()
    missing = [folder for folder in real.parents if not folder.exists()]
    folder = real.parent / f".{real.name[:100]}.{secrets.token_hex(4)}.tmp"
    try:
        _make(folder, out)
        yield folder
        _check_replaceable(out)  # somebody may have written there meanwhile
        _swap(folder, real)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        for parent in missing:  # the deepest first; one that is not empty stays
            with suppress(OSError):
                parent.rmdir()
        raise


def _make(folder: Path, out: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, str(out)) from None  # not the name that nobody knows


def _swap(folder: Path, out: Path) -> None:
    if not out.exists():
        folder.rename(out)
        return
    old = out.with_name(f"{folder.name}.old")
    out.rename(old)
    try:
        folder.rename(out)
    except BaseException:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


# ---------------------------------------------------------------------- explain


def explain(options: argparse.Namespace) -> None:
    """Write a page that steps through the forward and backward pass of a small network."""
    out = Path(options.out)
    if out.is_dir():
        raise ValueError(f"{out} is a folder; --out names the page, such as backprop.html")
    options.samples = options.rows if options.data in _TOYS else None
    data_set = _load_data(options)
    X = data.standardize(data_set.X)[0] if data_set.measured else data_set.X
    program = _program(options, data_set)
    names: dict[str, Any] = {"tg": importlib.import_module(__package__), "nn": nn, "data": data}
    names |= {"X": X[: options.rows], "y": data_set.y[: options.rows]}
    explorer: Explorer = explained(run_program(program, names, "<backprop.py>")["loss"], language=options.language)
    explorer.save(out)
    if not options.quiet:
        print(f"{program}\n{out}: this program's backward pass in {len(explorer.story['steps'])} steps, for a browser")


def _program(options: argparse.Namespace, data_set: _DataSet) -> str:
    """What is explained, as somebody would write it: the page shows these lines."""
    lines = [f"tg.manual_seed({options.seed})"]
    if options.data in _TOYS:
        noise = "" if options.noise is None else f"noise={options.noise}, "
        lines.append(f"X, y = data.{options.data}({options.rows}, {noise}seed={options.seed})")
    elif options.data == "digits":
        lines += ["X, y = data.digits()", f"X, y = X[:{options.rows}], y[:{options.rows}]"]
    sizes = f"{data_set.X.shape[1]}, {options.hidden}, {len(data_set.classes)}"
    activation = "" if options.activation == "relu" else f', activation="{options.activation}"'
    lines += [f"model = nn.MLP({sizes}{activation})", "loss = tg.cross_entropy(model(X), y)"]
    return "".join(f"{line}\n" for line in lines)


# ---------------------------------------------------------------------- predict


def predict(options: argparse.Namespace) -> None:
    """Write the class of each row of a table, and its probability, as CSV."""
    stored = _load_model(Path(options.run))
    table = data.read_csv(options.file, labelled=False, columns=stored["features"])
    width = stored["in_features"]
    if table.X.shape[1] != width:
        hint = "; leave out the column of the labels" if table.X.shape[1] == width + 1 else ""
        raise ValueError(
            f"{options.file}: {table.X.shape[1]} columns, but the network of {options.run} was trained on {width}{hint}"
        )
    scores = outputs_of(stored["model"], (table.X - stored["mean"]) / stored["scale"])
    probabilities = ops.softmax(scores, axis=1)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "probability"])
    for row in probabilities:
        writer.writerow([stored["classes"][row.argmax()], f"{row.max():.4f}"])
    if options.out is None:
        sys.stdout.write(text.getvalue())
    else:
        _write_text(Path(options.out), text.getvalue())


def _load_model(run: Path) -> dict[str, Any]:
    path = run / _MODEL
    if not path.exists():
        raise ValueError(f"{run}: there is no {_MODEL}; make one with tinygrad-relu train --out {run}")
    stored = serialize.load(path)
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise ValueError(f"{path}: this is no network that tinygrad-relu train has written")
    try:
        model = nn.MLP(stored["in_features"], out_features=len(stored["classes"]), **stored["architecture"])
        model.load_state_dict(stored["state"])
        return {**stored, "model": model, "scale": np.asarray(stored["scale"]), "mean": np.asarray(stored["mean"])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: the network in it cannot be rebuilt: {error}") from error
