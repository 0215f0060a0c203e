"""The training loop, written once: epochs, batches, validation, early stopping; and predictions afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn, optim
from ..data import batches, train_test_split
from ..mode import no_grad
from ..nn.module import evaluating
from ..random import generator
from .choices import check_count, check_options, loss_of, optimizer_of, scheduler_of
from .given import as_input, as_rows, check_complete, check_model, check_output, has
from .history import History
from .progress import shown_progress
from .rehearsal import Rehearsal, check_single_numbers, check_validation, rehearse
from .steps import Step, evaluate, slices, train_epoch, training_step

__all__ = ["fit", "predict"]


def fit(
    model: nn.Module,
    X,
    y,
    *,
    loss: str | Callable[..., Any] | None = None,
    optimizer: str | type[optim.Optimizer] | optim.Optimizer | Callable[..., Any] | None = None,
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

    ``loss``: called with outputs and labels: a function such as ``tg.mse_loss``, a module or its class, or a name
    such as ``"mse"``. Left out, it is ``cross_entropy`` for integer labels (0 to the number of outputs - 1) and
    ``mse_loss`` for floats. A model with one output for each row gets labels of that shape, as floats.
    ``optimizer``: one that is set up, or a class such as ``optim.SGD`` or its name ``"sgd"``; ``"adam"`` if left
    out. ``lr`` is then its learning rate, that of its class if left out. Or a function of the parameters.
    ``validation``: the share of the rows to keep for validation, or a pair ``(X, y)``.
    ``patience``: stop when the validation loss (without validation, the loss) has not improved for so many
    epochs. The weights of the best epoch are then brought back, also when all epochs were run.
    ``scheduler``: from ``optim.lr_scheduler``, or a class or function that makes one from the optimizer; it steps
    after each epoch.
    ``seed``: for the validation split and the order of the rows. Initial weights and dropout draw from
    ``tg.manual_seed``.
    ``progress``: show it on a terminal and in a notebook. ``callback``: called with the History after each epoch; if
    it returns True, training stops.
    ``compile``: run the training step for full batches as a NumPy program, as ``tg.compile`` writes it; no bit of the
    results differs. When it is written, at the first batch, the model and the loss run twice, and after that no more:
    what they do besides, such as to print, happens only then. What cannot be a program, such as a loss that branches
    on data, trains without, after a try; ``history.not_compiled_because`` says why. So does all in
    ``detect_anomaly()``.

    Before anything is trained, the model and the loss are tried on the first ``batch_size`` rows (and for validation).
    A warning then tells of softmax or sigmoid before a loss that applies them itself.

    The loss and accuracy of an epoch are averages over its batches while the weights were changing; ``val_loss``
    and ``val_accuracy`` are measured at its end. Afterwards the model is in evaluation mode.

    Raises ValueError or TypeError before anything is trained: for NaN or infinity in ``X`` or ``y``, shapes or labels
    that do not fit, options out of their range, layers that ``model.parameters()`` does not find, a loss that nothing
    could make smaller. Raises FloatingPointError as soon as the loss is not finite any more.

    >>> X, y = data.moons(200, seed=0)
    >>> model = nn.MLP(2, [16], 2)
    >>> history = tg.fit(model, X, y, optimizer="adam", lr=0.05, epochs=20, seed=0)
    >>> bool(history["accuracy"][-1] > 0.95)
    True
    """
    check_model("fit(model, X, y)", model, X, y)
    check_options(epochs, batch_size, patience, validation, seed, callback, progress=progress, compile=compile)
    X, y, criterion, stepper, rehearsal = _rehearsed(model, X, y, loss, optimizer, lr, batch_size)
    rng = generator(seed)
    X, y, X_val, y_val = _with_validation(model, X, y, validation, rng)
    if X_val is not None:
        check_validation(model, criterion, X_val, y_val, batch_size, rehearsal)
    advance = scheduler_of(scheduler, stepper, epochs)
    # A single row that is left over teaches batch norm nothing; it comes with others in the next epoch.
    drop_last = len(X) > batch_size and len(X) % batch_size == 1 and has(model, nn.BatchNorm1d)

    history = History(monitor="loss" if X_val is None else "val_loss")
    step = Step(training_step(model, criterion, stepper), compile)
    best = None
    start = time.perf_counter()
    # Overflow on the way to a loss that is not finite is reported once, by train_epoch, with advice.
    with shown_progress(epochs, progress) as show, np.errstate(over="ignore", invalid="ignore"):
        for epoch in range(1, epochs + 1):
            row: dict[str, float] = {"epoch": epoch, "lr": float(stepper.param_groups[0]["lr"])}
            rows = batches(X, y, batch_size, seed=int(rng.integers(2**32)), drop_last=drop_last)
            row.update(train_epoch(model, step, rows, epoch, row["lr"]))
            if X_val is not None:
                row.update(evaluate(model, criterion, X_val, y_val, batch_size))
            row["seconds"] = time.perf_counter() - start
            history.append(row)
            history.compiled, history.not_compiled_because = step.compiled()
            show(history)
            if patience is not None and history.best_epoch == epoch:
                best = model.state_dict()
            advance(row[history.monitor])
            asked_to_stop = callback(history) if callback is not None else None
            if isinstance(asked_to_stop, (bool, np.bool_)) and asked_to_stop:
                break
            if patience is not None and epoch - history.best_epoch >= patience:
                break
    if best is not None:
        model.load_state_dict(best)
    return history


def _rehearsed(
    model: nn.Module, X, y, loss: Any, optimizer: Any, lr: float | None, batch_size: int
) -> tuple[np.ndarray, np.ndarray, Callable[..., Any], Any, Rehearsal]:
    """Arrays, a loss and an optimizer of what was given, tried on the first rows."""
    check_complete(model)
    X, y = as_rows(model, X, y)
    criterion = loss_of(loss, y)
    rehearsal = rehearse(model, criterion, X, y, batch_size, by_labels=loss is None)
    stepper = optimizer_of(model, optimizer, lr)
    rehearsal.check_trained(model, stepper)
    return X, y, criterion, stepper, rehearsal


def _with_validation(model: nn.Module, X, y, validation: Any, rng: np.random.Generator) -> tuple[Any, Any, Any, Any]:
    """The rows to train on and those for validation: a share of them, a pair that was given, or None."""
    if isinstance(validation, (tuple, list)):
        return X, y, *as_rows(model, validation[0], validation[1], called="validation X")
    if not validation:
        return X, y, None, None
    X, X_val, y, y_val = train_test_split(X, y, validation, seed=int(rng.integers(2**32)))
    return X, y, X_val, y_val


def predict(model: nn.Module, X, *, batch_size: int = 256) -> np.ndarray:
    """The model's outputs for all rows of ``X`` as an array, in evaluation mode, without recording a graph.

    The model's mode is the same as before afterwards. For classes take ``.argmax(axis=1)``. Where a layer normalizes
    by its batch in evaluation too (BatchNorm1d without running statistics), outputs depend on ``batch_size``; one last
    row is then not left alone. Raises TypeError for what is no model, ValueError for an X that it cannot take.

    >>> tg.predict(nn.Linear(3, 2), np.ones((5, 3))).shape
    (5, 2)
    """
    check_model("predict(model, X)", model, X)
    check_count("predict", "batch_size", batch_size)
    X = as_input(model, X)
    if not len(X):
        raise ValueError("predict: X has no rows")
    check_single_numbers("predict", model, X)
    outputs = []
    with evaluating(model), no_grad():
        for rows in slices(model, len(X), batch_size):
            outputs.append(model(X[rows]))
            check_output("predict", model, outputs[-1], rows.stop - rows.start)
    return np.concatenate([output._array for output in outputs])
