"""The training loop, written once: epochs, batches, validation, early stopping, and a record of how it went."""

from __future__ import annotations

import csv
import difflib
import importlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import nn, ops, optim, plots
from .compile import CannotCompile, CompiledFunction
from .data import batches, train_test_split
from .mode import no_grad
from .random import generator
from .serialize import replacing
from .tensor import Tensor

__all__ = ["History", "fit", "predict"]


def fit(
    model: nn.Module,
    X,
    y,
    *,
    loss: Callable[..., Any] | None = None,
    optimizer: str | type[optim.Optimizer] | optim.Optimizer | None = None,
    lr: float | None = None,
    epochs: int = 20,
    batch_size: int = 32,
    validation: Any = 0.0,
    patience: int | None = None,
    scheduler: Any = None,
    seed: int | None = None,
    progress: bool = True,
    callback: Callable[[History], Any] | None = None,
    compile: bool = True,
) -> History:
    """Train ``model`` on the rows of ``X`` and their labels ``y``, and return the History of it.

    ``loss``: called with outputs and labels. Left out, it is ``cross_entropy`` for integer labels (0 to the number
    of outputs - 1) and ``mse_loss`` for floats. A model with one output for each row gets labels of that shape,
    as floats.
    ``optimizer``: one that is set up, or a class such as ``optim.SGD`` or its name ``"sgd"``; ``"adam"`` if left
    out. ``lr`` is then its learning rate, that of its class if left out.
    ``validation``: the share of the rows to keep for validation, or a pair ``(X, y)``.
    ``patience``: stop when the validation loss (without validation, the loss) has not improved for so many
    epochs. The weights of the best epoch are then brought back, also when all epochs were run.
    ``scheduler``: from ``optim.lr_scheduler``, or a function that makes one from the optimizer; it steps after
    each epoch.
    ``seed``: for the validation split and the order of the rows. Initial weights and dropout draw from
    ``tg.manual_seed``.
    ``progress``: show a line on a terminal. ``callback``: called with the History after each epoch; if it returns
    True, training stops.
    ``compile``: run the training step for full batches as a NumPy program, as ``tg.compile`` writes it; no bit of the
    results differs. When it is written, at the first batch, the model and the loss run twice, and after that no more:
    what they do besides, such as to print, happens only then. What cannot be a program, such as a loss that branches
    on data, trains without, after a try; ``history.not_compiled_because`` says why. So does all in
    ``detect_anomaly()``.

    The loss and accuracy of an epoch are averages over its batches while the weights were changing; ``val_loss``
    and ``val_accuracy`` are measured at its end. Afterwards the model is in evaluation mode.

    Raises ValueError before anything is trained for NaN or infinity in ``X`` or ``y``, shapes or labels that do not
    fit, and options out of their range; FloatingPointError as soon as the loss is not finite any more.

    >>> X, y = data.moons(200, seed=0)
    >>> model = nn.MLP(2, [16], 2)
    >>> history = tg.fit(model, X, y, optimizer="adam", lr=0.05, epochs=20, seed=0)
    >>> bool(history["accuracy"][-1] > 0.95)
    True
    """
    _check_options(epochs, batch_size, patience)
    X, y = _checked(model, X, y, loss)
    rng = generator(seed)
    X, y, X_val, y_val = _with_validation(model, X, y, validation, loss, rng)
    criterion = loss or _default_loss(y)
    stepper = _make_optimizer(model, optimizer, lr)
    if callable(scheduler) and not hasattr(scheduler, "step"):
        scheduler = scheduler(stepper)
    if getattr(scheduler, "optimizer", stepper) is not stepper:
        raise ValueError("fit: the scheduler is one of another optimizer, and would change nothing here")
    # A single row that is left over teaches batch norm nothing; it comes with others in the next epoch.
    drop_last = len(X) > batch_size and len(X) % batch_size == 1 and _has(model, nn.BatchNorm1d)

    history = History(monitor="loss" if X_val is None else "val_loss")
    step = _Step(training_step(model, criterion, stepper), compile)
    best = None
    start = time.perf_counter()
    # Overflow on the way to a loss that is not finite is reported once, by _train, with advice.
    with _progress(epochs, progress) as show, np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(1, epochs + 1):
            row: dict[str, float] = {"epoch": epoch, "lr": float(stepper.param_groups[0]["lr"])}
            rows = batches(X, y, batch_size, seed=int(rng.integers(2**32)), drop_last=drop_last)
            row.update(_train(model, step, rows, epoch, row["lr"]).named("loss", "accuracy"))
            if X_val is not None:
                row.update(_evaluate(model, criterion, X_val, y_val, batch_size).named("val_loss", "val_accuracy"))
            row["seconds"] = time.perf_counter() - start
            history.append(row)
            history.compiled, history.not_compiled_because = step.compiled()
            show(history)
            if patience is not None and history.best_epoch == epoch:
                best = model.state_dict()
            if scheduler is not None:
                _advance(scheduler, row[history.monitor])
            asked_to_stop = callback(history) if callback is not None else None
            if isinstance(asked_to_stop, (bool, np.bool_)) and asked_to_stop:
                break
            if patience is not None and epoch - history.best_epoch >= patience:
                break
    if best is not None:
        model.load_state_dict(best)
    return history


def predict(model: nn.Module, X, *, batch_size: int = 256) -> np.ndarray:
    """The model's outputs for all rows of ``X`` as an array, in evaluation mode, without recording a graph.

    The model's mode is the same as before afterwards. For classes take ``.argmax(axis=1)``.

    >>> tg.predict(nn.Linear(3, 2), np.ones((5, 3))).shape
    (5, 2)
    """
    X = _as_input(model, X)
    if not len(X):
        raise ValueError("predict: X has no rows")
    with evaluating(model), no_grad():
        return np.concatenate([model(X[i : i + batch_size])._data for i in range(0, len(X), batch_size)])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; each module then gets its own mode back."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


class History:
    """How a training went: one row for each epoch.

    ``history["loss"]`` is a column as an array, ``history[-1]`` a row as a dict, ``len(history)`` the number of
    epochs. The columns are epoch, loss, accuracy (for classes), val_loss and val_accuracy (with validation), lr, and
    seconds since the start. ``best_epoch`` is the one with the lowest ``history[history.monitor]``.

    ``compiled`` is the training step as ``tg.compile`` has written it for full batches, with its ``source``,
    ``save(path)`` and ``report()``. It is None where the step was not compiled; ``not_compiled_because`` is the reason
    then, and otherwise empty. A pickle or a copy of the History leaves the step out.

    >>> history = tg.fit(nn.Linear(1, 1), np.ones((4, 1)), np.zeros(4), epochs=3)
    >>> len(history), history.columns
    (3, ['epoch', 'loss', 'lr', 'seconds'])
    >>> history["epoch"]
    array([1, 2, 3])
    """

    def __init__(self, monitor: str = "loss"):
        self.monitor = monitor
        self.rows: list[dict[str, float]] = []
        self.best_epoch = 0
        self.compiled: CompiledFunction | None = None
        self.not_compiled_because = "nothing was trained"
        self._best = np.inf

    def append(self, row: dict[str, float]) -> None:
        """Add the row of one epoch."""
        self.rows.append({name: row[name] for name in _COLUMNS if name in row})
        if row[self.monitor] < self._best or not self.best_epoch:
            self._best, self.best_epoch = row[self.monitor], int(row["epoch"])

    @property
    def columns(self) -> list[str]:
        """The names of the columns there are."""
        return list(self.rows[0]) if self.rows else []

    def __getstate__(self) -> dict[str, Any]:  # for copy and pickle: a program stays with the model it was made for
        return {**vars(self), "compiled": None}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.rows)

    def __getitem__(self, key: str | int) -> Any:
        if not isinstance(key, str):
            return self.rows[key]
        if key not in self.columns:
            raise KeyError(f"History: there is no column {key!r}, only {', '.join(self.columns)}")
        return np.array([row[key] for row in self.rows])

    def __repr__(self) -> str:
        """The first, the best and the last epochs as a table."""
        if not self.rows:
            return "History (no epochs)"
        shown = sorted({0, 1, self.best_epoch - 1, len(self) - 2, len(self) - 1} & set(range(len(self))))
        lines = [self.columns]
        for before, i in zip([-1, *shown], shown):
            if i > before + 1:
                lines.append(["..."] + [""] * (len(self.columns) - 1))
            lines.append([_cell(name, value) for name, value in self.rows[i].items()])
        table = aligned(lines)
        return f"{table}\nbest: epoch {self.best_epoch}, {self.monitor} {self._best:.4g}"

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table as CSV, with all digits; an existing file is replaced only by a complete one."""
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        with replacing(path) as file:
            file.write(text.getvalue().encode())

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Draw loss and accuracy over the epochs, the best one marked; returns matplotlib's Figure.

        With ``path`` the picture is saved there too, in the format that the ending names (.png, .svg, .pdf).
        Raises ImportError if matplotlib is not installed.
        """
        return plots.curves(self, path)


_COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "lr", "seconds")


def aligned(lines: list[list[str]]) -> str:
    """Lines of cells as text, each column as wide as its widest cell and set to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def _cell(name: str, value: float) -> str:
    if name == "epoch":
        return str(value)
    return f"{value:.4f}" if "accuracy" in name else f"{value:.1f}" if name == "seconds" else f"{value:.4g}"


# ---------------------------------------------------------------------- one step


class _Mean:
    """The average of loss and accuracy over batches of different sizes."""

    def __init__(self):
        self.rows, self.loss = 0, 0.0
        self.accuracy: float | None = 0.0

    def add(self, rows: int, loss: float, accuracy: float | None) -> None:
        self.rows += rows
        self.loss += rows * loss
        self.accuracy = None if accuracy is None or self.accuracy is None else self.accuracy + rows * accuracy

    def named(self, loss: str, accuracy: str) -> dict[str, float]:
        result = {loss: self.loss / self.rows}
        if self.accuracy is not None:
            result[accuracy] = self.accuracy / self.rows
        return result


class _Diverged(FloatingPointError):
    """The loss is not finite; nothing was changed by it. The text is the number."""


def training_step(model: nn.Module, criterion: Callable[..., Any], optimizer: Any) -> Callable[..., Any]:
    """One batch forward and back, and one step of the optimizer, as a function that ``tg.compile`` can take.

    ``train_step(X, y)`` gives the loss and the outputs before the step.
    """

    def train_step(X, y):
        optimizer.zero_grad()
        output = model(Tensor._from_array(X))
        loss = criterion(output, _matching(y, output))
        if not isinstance(loss, Tensor) or loss.size != 1:
            raise TypeError(
                f"fit: the loss must return a Tensor of one element, got {type(loss).__name__} {loss!r:.60}"
            )
        number = loss.item()
        if not np.isfinite(number):
            raise _Diverged(f"{number}")
        loss.backward()
        optimizer.step()
        return loss, output

    return train_step


class _Step:
    """The training step, for full batches as a NumPy program where it can be written as one."""

    def __init__(self, eager: Callable[..., Any], wanted: bool):
        self.eager = eager
        self.program = CompiledFunction(eager)
        self.rows = 0  # of a full batch
        self.because = "" if wanted else "compile=False"

    def __call__(self, xb: np.ndarray, yb: np.ndarray) -> tuple[Tensor, Tensor]:
        self.rows = max(self.rows, len(xb))
        if self.because or len(xb) < self.rows:  # for one short batch in each epoch a program does not pay
            return self.eager(xb, yb)
        try:
            return self.program(xb, yb)
        except CannotCompile as error:
            self.because = str(error).removeprefix("compile: ")
            return self.eager(xb, yb)

    def compiled(self) -> tuple[CompiledFunction | None, str]:
        """The program, or None and why there is none."""
        if self.because:
            return None, self.because
        if not self.program.programs:
            return None, "detect_anomaly() looks at each op"
        return self.program, ""


def _train(model, step: _Step, rows, epoch: int, lr: float) -> _Mean:
    """One epoch; the model is in evaluation mode afterwards."""
    mean = _Mean()
    model.train()
    for xb, yb in rows:
        try:
            loss, output = step(xb, yb)
        except _Diverged as error:
            raise FloatingPointError(
                f"fit: the loss became {error} in epoch {epoch}, at the learning rate {lr:g}. "
                "Try a smaller lr, or inputs scaled to about -1 to 1; "
                "inside `with tg.detect_anomaly():` the first op that is to blame is named"
            ) from None
        mean.add(len(xb), loss.item(), _accuracy(output._data, yb))
    model.eval()
    return mean


def _evaluate(model, criterion, X, y, batch_size: int) -> _Mean:
    mean = _Mean()
    with no_grad():
        for xb, yb in batches(X, y, max(batch_size, 256), shuffle=False):
            output = model(Tensor._from_array(xb))
            mean.add(len(xb), criterion(output, _matching(yb, output)).item(), _accuracy(output._data, yb))
    return mean


def _matching(y: np.ndarray, output: Any) -> np.ndarray:
    """Labels as the loss wants them: a model with one output for each row gets floats in the output's shape."""
    if output.size == len(y) == y.size:
        return y.reshape(output.shape).astype(output.dtype)
    return y.astype(output.dtype) if y.dtype.kind == "f" else y


def _accuracy(output: np.ndarray, y: np.ndarray) -> float | None:
    """The share of right answers; None for labels that are no classes. One output answers by its sign."""
    if y.dtype.kind != "i" or y.ndim != 1:
        return None
    if output.size == y.size:
        return float(np.mean((output.reshape(-1) > 0) == (y > 0)))
    return float(np.mean(output.argmax(axis=1) == y)) if output.ndim == 2 else None


def _advance(scheduler: Any, metric: float) -> None:
    if isinstance(scheduler, optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(metric)
    else:
        scheduler.step()


@contextmanager
def _progress(epochs: int, wanted: bool) -> Iterator[Callable[[History], None]]:
    """What to call after each epoch: it moves tqdm's bar, or writes a line, or does nothing without a terminal."""
    if not (wanted and sys.stderr.isatty()):
        yield lambda history: None
        return
    try:
        tqdm = importlib.import_module("tqdm").tqdm
    except ImportError:
        try:
            yield lambda history: print(
                f"\repoch {len(history)}/{epochs}  {_summary(history[-1])} ", end="", file=sys.stderr, flush=True
            )
        finally:
            print(file=sys.stderr)
        return
    shape = "{percentage:3.0f}% {bar} {n_fmt}/{total_fmt}  {desc}"
    with tqdm(total=epochs, bar_format=shape, dynamic_ncols=True, file=sys.stderr) as bar:

        def show(history: History) -> None:
            bar.set_description_str(_summary(history[-1]), refresh=False)
            bar.update()

        yield show


def _summary(row: dict[str, float]) -> str:
    parts = []
    for prefix, word, label in (("", "loss", "accuracy "), ("val_", "val", "")):
        if f"{prefix}loss" in row:
            accuracy = row.get(f"{prefix}accuracy")
            percent = "" if accuracy is None else f" {label}{100 * accuracy:.1f} %"
            parts.append(f"{word} {row[f'{prefix}loss']:.3f}{percent}")
    return ", ".join(parts)


# ---------------------------------------------------------------------- what was given


def _check_options(epochs: int, batch_size: int, patience: int | None) -> None:
    for name, value in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1):
            raise ValueError(f"fit: {name} must be a whole number, 1 or more, got {value!r}")


def _checked(model, X, y, loss, called: str = "X") -> tuple[np.ndarray, np.ndarray]:
    """X and y as arrays that the model and the loss can take, or a ValueError that says what is wrong with them."""
    X = _as_input(model, X, f"fit: {called}")
    y = _as_array(y)
    if len(X) != (len(y) if y.ndim else -1):
        raise ValueError(
            f"fit: {called} has {len(X)} rows, but its labels have shape {y.shape}; one for each row is needed"
        )
    if not len(X):
        raise ValueError(f"fit: {called} has no rows")
    if y.dtype.kind not in "fiub":
        raise ValueError(f"fit: labels must be numbers, got dtype {y.dtype}; number the classes from 0")
    if y.dtype.kind == "f":
        _check_finite("fit: the labels", y)
    elif y.dtype != np.int64:
        y = y.astype(np.int64)
    shape = _output_shape(model, X)
    if loss is None and y.dtype.kind == "i":
        _check_classes(y, shape)
    elif loss is None and y.shape[1:] != shape and np.prod(shape) * y[0].size != 1:
        raise ValueError(
            f"fit: the model gives {shape or '()'} for a row, the labels have {y.shape[1:] or '()'}; "
            "for classes give integer labels"
        )
    return X, y


def _with_validation(model, X, y, validation: Any, loss, rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    """The rows to train on and those for validation: a share of them, a pair that was given, or None."""
    if isinstance(validation, (tuple, list)):
        if len(validation) != 2:
            raise ValueError(f"fit: validation is a share of the rows or a pair (X, y), got {len(validation)} things")
        return X, y, *_checked(model, validation[0], validation[1], loss, called="validation X")
    if not validation:
        return X, y, None, None
    X, X_val, y, y_val = train_test_split(X, y, validation, seed=int(rng.integers(2**32)))
    return X, y, X_val, y_val


def _as_input(model, X, called: str = "predict: X") -> np.ndarray:
    X = _as_array(X)
    if not X.ndim or X.dtype.kind not in "fiub":
        raise ValueError(f"{called} must be an array of numbers with one row for each example, got {X.shape} {X.dtype}")
    if X.dtype.kind != "f" and _has(model, nn.Embedding):
        return X  # the numbers of words, say, which are looked up and not computed with
    first = next(iter(model.parameters()), None)
    with np.errstate(over="ignore"):  # 1e300 becomes an infinite float32, and is refused as such
        converted = X if first is None else X.astype(first.dtype, copy=False)
    _check_finite(called, converted)
    return converted


def _has(model, kind: type[nn.Module]) -> bool:
    return any(isinstance(module, kind) for module in model.modules())


def _as_array(x: Any) -> np.ndarray:
    return x._data if isinstance(x, Tensor) else np.asarray(x)


def _check_finite(called: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        named = f"row {place[0]}" + (f", column {place[1]}" if len(place) == 2 else "")
        where = named if len(place) <= 2 else f"index {place}"
        raise ValueError(f"{called}: there is {array[place]} in {where} (counted from 0); remove the row or fill it in")


def _output_shape(model, X: np.ndarray) -> tuple[int, ...]:
    """The shape of the output for one row, tried out on a few."""
    try:
        with evaluating(model), no_grad():
            return model(Tensor._from_array(X[:2])).shape[1:]
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"fit: the model cannot take X, whose rows have shape {X.shape[1:]}: {error}") from error


def _check_classes(y: np.ndarray, shape: tuple[int, ...]) -> None:
    if y.ndim != 1 or len(shape) != 1 or shape == (1,):
        raise ValueError(
            f"fit: integer labels are classes, one for each row, and the model needs an output for each class; got "
            f"labels of shape {y.shape} and outputs {shape} for a row. For one output give "
            "loss=tg.binary_cross_entropy_with_logits, and for a quantity give float labels"
        )
    wrong = np.flatnonzero((y < 0) | (y >= shape[0]))
    if wrong.size:
        raise ValueError(
            f"fit: the label {y[wrong[0]]} in row {wrong[0]} is no class; the model has {shape[0]} outputs, for "
            f"labels from 0 to {shape[0] - 1}"
        )


def _default_loss(y: np.ndarray) -> Callable[..., Any]:
    return ops.cross_entropy if y.dtype.kind == "i" else ops.mse_loss


def _make_optimizer(model, optimizer, lr: float | None) -> Any:
    if optimizer is None or isinstance(optimizer, str):
        optimizer = optimizer_class(optimizer or "adam")
    if isinstance(optimizer, type):
        return optimizer(model.parameters(), **({} if lr is None else {"lr": lr}))
    if lr is not None:
        raise ValueError("fit: lr is for an optimizer given by name; this one has its own learning rate already")
    own = {id(p) for p in model.parameters()}
    if not any(id(p) in own for group in optimizer.param_groups for p in group["params"]):
        raise ValueError("fit: the optimizer has none of this model's parameters; make it with model.parameters()")
    return optimizer


def optimizer_class(name: str) -> Any:
    """The class by its name in lower case; ValueError with the nearest names if there is none."""
    known = {each.__name__.lower(): each for each in vars(optim).values() if _is_optimizer(each)}
    if name.lower() not in known:
        near = difflib.get_close_matches(name.lower(), known, n=3)
        text = f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(sorted(known))}"
        raise ValueError(f"unknown optimizer {name!r}; {text}")
    return known[name.lower()]


def _is_optimizer(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, optim.Optimizer) and value is not optim.Optimizer
