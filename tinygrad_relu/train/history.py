"""History: a record of how a training went, as a table, a CSV file and a picture."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import plots
from ..compile import CompiledFunction
from ..record.words import aligned
from ..serialize import replacing

__all__ = ["History"]


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
        now = row[self.monitor]
        if now < self._best or not self.best_epoch or np.isnan(self._best) > np.isnan(now):
            self._best, self.best_epoch = now, int(row["epoch"])

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


def _cell(name: str, value: float) -> str:
    if name == "epoch":
        return str(value)
    return f"{value:.4f}" if "accuracy" in name else f"{value:.1f}" if name == "seconds" else f"{value:.4g}"
