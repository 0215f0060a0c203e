"""``predict``: the class of each row of a table."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from pathlib import Path

from .. import data, ops
from ..train import predict as outputs_of
from . import network, results

__all__ = ["predict"]


def predict(options: argparse.Namespace) -> None:
    """Write the class of each row of a table, and its probability, as CSV."""
    stored = network.load(Path(options.run))
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
        results.write_text(Path(options.out), text.getvalue())
