"""``predict``: the class of each row of a table."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import data, ops
from ..data.tables import is_number, listed, told_apart
from ..record.words import plural
from ..train import predict as outputs_of
from . import network, note, results
from .setup import scaled

__all__ = ["predict"]


def predict(options: argparse.Namespace) -> None:
    """Write the class of each row of a table, and its probability, as CSV."""
    stored = network.load(Path(options.run))
    table = data.read_csv(options.file, labelled=False, columns=stored["features"])
    width = stored["in_features"]
    if table.X.shape[1] != width:
        hint = "; leave out the column of the labels" if table.X.shape[1] == width + 1 else ""
        raise ValueError(
            f"{options.file}: {plural(table.X.shape[1], 'column')}, but the network of {options.run} was trained on "
            f"{width}{hint}"
        )
    for what in _by_place(options.file, table.features, stored["features"]):
        note(what)
    probabilities = _probabilities(options.file, stored, table.X)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "probability"])
    for row in probabilities:
        writer.writerow([stored["classes"][row.argmax()], f"{row.max():.4f}"])
    if options.out is None:
        sys.stdout.write(text.getvalue())
    else:
        results.write_text(Path(options.out), text.getvalue())


def _by_place(file: str, here: list[str] | None, then: list[str] | None) -> Iterator[str]:
    """Warning where columns were not found by their names, or a line of numbers was taken for names."""
    if here is None and then is not None:
        yield f"{file} has no line of names, so its columns are taken to be, in this order, {listed(then)}"
    if here is not None and then is None:
        yield f"the network was trained on columns without names, so those of {file} are taken as they stand"
    if here is not None and then is not None and not told_apart(then):
        yield f"names that are double or empty do not tell columns apart, so those of {file} are taken as they stand"
    if here is not None and all(map(is_number, here)):
        yield f"the first line of {file} is taken as the names of its columns"


def _probabilities(file: str, stored: dict[str, Any], X: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what comes of it is looked at
        X = scaled(X, stored["mean"], stored["scale"])
        _check_finite(file, X)
        probabilities = np.asarray(ops.softmax(outputs_of(stored["model"], X), axis=1))
    _check_finite(file, probabilities)
    return probabilities


def _check_finite(file: str, rows: np.ndarray) -> None:
    wrong = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(wrong):
        raise ValueError(
            f"{file}: the network has no answer for example {wrong[0] + 1}, whose numbers are too far from those that "
            "it was trained on"
        )
