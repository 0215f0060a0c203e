"""A trained network as a file, with what it takes to use it on other rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn, serialize
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
    path = run / FILE
    if not path.exists():
        raise ValueError(f"{run}: there is no {FILE}; make one with tinygrad-relu train --out {run}")
    stored = serialize.load(path)
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise ValueError(f"{path}: this is no network that tinygrad-relu train has written")
    try:
        model = nn.MLP(stored["in_features"], out_features=len(stored["classes"]), **stored["architecture"])
        model.load_state_dict(stored["state"])
        return {**stored, "model": model, "scale": np.asarray(stored["scale"]), "mean": np.asarray(stored["mean"])}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path}: the network in it cannot be rebuilt: {error}") from error
