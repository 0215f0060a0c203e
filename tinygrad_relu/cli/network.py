"""A trained network as a file, with what it takes to use it on other rows."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, serialize
from ..files import restore
from ..record.words import plural
from .setup import Run

__all__ = ["FILE", "load", "save"]

FILE = "model.npz"
_FORMAT = "tinygrad_relu model 1"


def save(folder: Path, run: Run) -> None:
    """Write the network of a run to its folder."""
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
    serialize.save(folder / FILE, stored)


def load(run: Path) -> dict[str, Any]:
    """Contents of a saved file, with the network made of it as ``model``."""
    restore(run)
    path = run / FILE
    if not path.exists():
        raise ValueError(f"{run}: there is no {FILE}; make one with tinygrad-relu train --out {run}")
    stored = serialize.load(path)
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise ValueError(f"{path}: this is no network that tinygrad-relu train has written")
    try:
        _check(stored)
        model = nn.MLP(stored["in_features"], out_features=len(stored["classes"]), **stored["architecture"])
        model.load_state_dict(stored["state"])
        return {**stored, "model": model}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: the network in it cannot be rebuilt: {error}") from error


def _check(stored: dict[str, Any]) -> None:
    """Hold what a file says of its network against the arrays in it, before a network of that size is made."""
    width, names = stored["in_features"], stored["features"]
    sizes = [width, *stored["architecture"]["hidden"], len(stored["classes"])]
    matrices = [np.shape(array) for array in stored["state"].values() if np.ndim(array) == 2]
    if matrices != [(n_out, n_in) for n_in, n_out in pairwise(sizes)]:
        raise ValueError("the sizes of its layers are not those of its arrays")
    if not all(np.isfinite(array).all() for array in stored["state"].values()):
        raise ValueError("there is NaN or infinity in its weights")
    if names is not None and len(names) != width:
        raise ValueError(f"it was trained on {plural(width, 'column')}, and has {plural(len(names), 'name')} for them")
    for name in ("mean", "scale"):
        if np.shape(stored[name]) not in ((1,), (width,)) or not np.isfinite(stored[name]).all():
            raise ValueError(f"its {name} is not one finite number for each of {plural(width, 'column')}")
    if not np.all(stored["scale"]):
        raise ValueError("its scale has a zero")
