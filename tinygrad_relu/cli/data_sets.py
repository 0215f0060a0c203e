"""Data that ``--data`` names: digits, points in the plane, or a CSV file."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass

import numpy as np

from .. import data
from ..names import one_of

__all__ = ["TOYS", "DataSet", "load_data"]

TOYS = {"moons": data.moons, "circles": data.circles, "spirals": data.spirals, "blobs": data.blobs, "xor": data.xor}


@dataclass
class DataSet:
    name: str
    X: np.ndarray
    y: np.ndarray
    classes: list[str]
    features: list[str] | None = None
    measured: bool = False  # in units of its own, so that it must be standardised


def load_data(options: argparse.Namespace) -> DataSet:
    name = options.data
    for option in ("samples", "noise"):
        if getattr(options, option) is not None and name not in TOYS:
            raise ValueError(f"--{option} is for points in the plane ({', '.join(TOYS)}), not for {name}")
    if options.target is not None and (name in TOYS or name == "digits"):
        raise ValueError(f"--target is for CSV files, not for {name}")
    if name == "digits":
        return DataSet(name, *data.digits(), [str(i) for i in range(10)])
    if name in TOYS:
        noise = {} if options.noise is None else {"noise": options.noise}
        X, y = TOYS[name](options.samples or 1000, seed=options.seed, **noise)
        return DataSet(name, X, y, [str(i) for i in range(int(y.max()) + 1)])
    if not name.lower().endswith(".csv") and not os.path.exists(name):
        raise ValueError(f"unknown data set {name!r}; {one_of(name, ['digits', *TOYS])}; or name a CSV file")
    table = data.read_csv(name, options.target)
    assert table.y is not None
    return DataSet(name, table.X, table.y, table.classes, table.features, measured=True)
