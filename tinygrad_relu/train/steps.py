"""One batch: a step of training, as it is and as a program, and the loss and accuracy of many."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from .. import nn
from ..compile import CannotCompile, CompiledFunction
from ..deciding import deciding
from ..mode import no_grad
from ..tensor import Tensor

__all__ = ["Step", "check_loss", "evaluate", "matching", "slices", "train_epoch", "training_step"]


def slices(model: nn.Module, rows: int, size: int) -> list[slice]:
    """Batches of ``size`` rows. Where the model normalizes by the batch, one last row goes with those before it."""
    starts = list(range(0, rows, size))
    if rows % size == 1 and len(starts) > 1 and any(getattr(module, "uses_batch", False) for module in model.modules()):
        del starts[-1]
    return [slice(start, end) for start, end in pairwise([*starts, rows])]


def matching(y: np.ndarray, output: Any) -> np.ndarray:
    """Labels as the loss wants them: a model with one output for each row gets floats in the output's shape."""
    if output.size == len(y) == y.size:
        return y.reshape(output.shape).astype(output.dtype)
    return y.astype(output.dtype) if y.dtype.kind == "f" else y


def check_loss(loss: Any) -> None:
    """Raise TypeError for what is no Tensor of one element."""
    if not isinstance(loss, Tensor) or loss.size != 1:
        got = f"one of shape {loss.shape}; take its mean()" if isinstance(loss, Tensor) else f"{loss!r:.60}"
        raise TypeError(f"fit: the loss must return a Tensor of one element, got {got}")


class Diverged(FloatingPointError):
    """The loss is not finite; nothing was changed by it. The text is the number."""


def training_step(model: nn.Module, criterion: Callable[..., Any], optimizer: Any) -> Callable[..., Any]:
    """One batch forward and back, and one step of the optimizer, as a function that ``tg.compile`` can take.

    ``train_step(X, y)`` gives the loss and the outputs before the step.
    """

    def train_step(X, y):
        optimizer.zero_grad()
        output = model(Tensor._from_array(X))
        loss = criterion(output, matching(y, output))
        check_loss(loss)
        with deciding("fit"):  # nothing may have been changed by then
            if not np.isfinite(loss._array).all():
                raise Diverged(f"{loss.item()}")
        loss.backward()
        optimizer.step()
        return loss, output

    return train_step


class Step:
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


def train_epoch(model: nn.Module, step: Step, rows: Any, epoch: int, lr: float) -> dict[str, float]:
    """Loss and accuracy of one epoch; the model is in evaluation mode afterwards."""
    mean = _Mean()
    model.train()
    for xb, yb in rows:
        try:
            loss, output = step(xb, yb)
        except Diverged as error:
            raise FloatingPointError(
                f"fit: the loss became {error} in epoch {epoch}, at the learning rate {lr:g}. "
                "Try a smaller lr, or inputs scaled to about -1 to 1; "
                "inside `with tg.detect_anomaly():` the first op that is to blame is named"
            ) from None
        mean.add(len(xb), loss.item(), _accuracy(output._array, yb))
    model.eval()
    return mean.named("loss", "accuracy")


def evaluate(
    model: nn.Module, criterion: Callable[..., Any], X: np.ndarray, y: np.ndarray, batch_size: int
) -> dict[str, float]:
    """Loss and accuracy on the rows for validation, of a model in evaluation mode."""
    mean = _Mean()
    with no_grad():
        for rows in slices(model, len(X), max(batch_size, 256)):
            output = model(Tensor._from_array(X[rows]))
            loss = criterion(output, matching(y[rows], output))
            mean.add(len(y[rows]), loss.item(), _accuracy(output._array, y[rows]))
    return mean.named("val_loss", "val_accuracy")


def _accuracy(output: np.ndarray, y: np.ndarray) -> float | None:
    """The share of right answers; None for labels that are no classes. One output answers by its sign."""
    if y.dtype.kind != "i" or y.ndim != 1:
        return None
    if output.size == y.size:
        return float(np.mean((output.reshape(-1) > 0) == (y > 0)))
    return float(np.mean(output.argmax(axis=1) == y)) if output.ndim == 2 else None
