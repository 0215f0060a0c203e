"""The table itself, and what its families use to write a call."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu.op import numpy_functions

from ..pool import Pool

Call = tuple[str, str]
"""A call as text for this package, and as text for PyTorch."""

TABLE: dict[str, Callable[[Pool], Call]] = {}

NUMPY: dict[str, str] = {}
"""How an op is called through NumPy: ``NUMPY["abs"]`` is "np.abs"."""
for _key, _function in numpy_functions.items():
    if getattr(np, _key.__name__, None) is _key and hasattr(_function, "op"):
        NUMPY.setdefault(_function.op.name, f"np.{_key.__name__}")


def calls(*names: str) -> Callable[[Any], Any]:
    """Put a function of the pool and the name into the table, for each of these names."""

    def add(make: Callable[[Pool, str], Call]) -> Any:
        for name in names:
            TABLE[name] = functools.partial(make, name=name)
        return make

    return add


def call(pool: Pool, name: str, *arguments: Any, **options: Any) -> str:
    """A call here, in one of its forms: of the function, of the method, or through NumPy.

    Options that are None or False are left out.
    """
    given = [str(x) for x in arguments]
    given += [f"{key}={value!r}" for key, value in options.items() if value is not None and value is not False]
    forms = [f"tg.{name}({', '.join(given)})"]
    if hasattr(tg.Tensor, name) and given[0][0] in "xv":
        forms.append(f"{given[0]}.{name}({', '.join(given[1:])})")
    if name in NUMPY:
        forms.append(f"{NUMPY[name]}({', '.join(given)})")
    return pool.choose(*forms)
