"""Samples for every op: what the registry-wide tests run it on.

A sample is a call: inputs (float64 arrays are differentiated, integer and boolean ones are not) and options. The
tests derive from each the float32, the non-contiguous, the Fortran-ordered and the read-only variant, so a family's
file lists only what is particular: ordinary values, the exact kinks, 0-d, empty, broadcast and extreme inputs.

Each family's file has two dicts by the op's name: ``SAMPLES``, and ``TORCH`` with what PyTorch calls the same thing
(a function of the torch module, the inputs as torch tensors, and the options).
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

FAMILIES = ("activations", "arithmetic", "indexing", "linalg", "losses", "reductions", "shape")


@dataclass
class Sample:
    """One call of an op. ``kink``: finite differences cannot judge here, only PyTorch can."""

    inputs: tuple[Any, ...]
    options: dict[str, Any] = field(default_factory=dict)
    kink: bool = False

    def __repr__(self) -> str:
        shapes = ",".join(str(np.shape(x)) for x in self.inputs)
        options = "".join(f" {k}={v}" for k, v in self.options.items())
        return f"{shapes}{options}{' kink' if self.kink else ''}"


def sample(*inputs, kink: bool = False, **options) -> Sample:
    """``sample([1.0, 2.0], axis=0)``: lists become float64 arrays, arrays keep their dtype."""
    arrays = tuple(np.asarray(x, dtype=float) if isinstance(x, (list, float)) else x for x in inputs)
    return Sample(arrays, options, kink)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def load(which: str) -> dict[str, Any]:
    """All families' SAMPLES, or all families' TORCH."""
    merged: dict[str, Any] = {}
    for family in FAMILIES:
        merged.update(getattr(importlib.import_module(f"samples.{family}"), which, {}))
    return merged
