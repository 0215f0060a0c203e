"""Words: arrays, gradients and ops as the few characters that fit into a box, and as the many of a tooltip."""

from __future__ import annotations

import reprlib
from typing import Any

import numpy as np

__all__ = ["aligned", "brief", "described", "in_full", "norm", "number", "option", "percent", "plural", "written"]

_ON_ONE_LINE = 4
SHOWN = 8  # elements, up to which all numbers are shown
_IN_FULL = 200  # elements in a tooltip


def described(array: np.ndarray) -> list[str]:
    """Up to 8 elements the numbers, row by row; above that min, mean and max."""
    if not array.size:
        return ["no elements"]
    if not array.ndim:
        return [number(array[()])]
    if array.size <= SHOWN:
        return np.array2string(array, formatter={"all": number}, threshold=SHOWN, max_line_width=120).split("\n")
    if array.dtype == bool:
        return [f"{percent(array.mean())} true"]
    if array.dtype.kind in "iu":
        return [f"min {array.min()}  max {array.max()}"]
    low, mean, high = _statistics(array)
    return [f"min {low}  mean {mean}  max {high}"]


def brief(array: np.ndarray) -> str:
    """One line: the numbers, if they are few, or from where to where they go."""
    if array.size <= _ON_ONE_LINE and array.size:
        return " ".join(described(array.reshape(-1) if array.ndim > 1 else array))
    if not array.size or array.dtype == bool:
        return described(array)[0]
    low, _, high = _statistics(array)
    return f"{low} … {high}"


def _statistics(array: np.ndarray) -> tuple[str, str, str]:
    with np.errstate(all="ignore"):
        return number(array.min(), 3), number(array.mean(), 3), number(array.max(), 3)


def number(x: Any, digits: int = 4) -> str:
    """A few significant digits: 0.03125, 1.25e-07, nan."""
    if isinstance(x, (bool, np.bool_)):
        return "T" if x else "F"
    text = f"{x:.{digits}g}" if isinstance(x, (float, np.floating)) else str(x)
    return "0" if text == "-0" else text


def norm(gradient: np.ndarray) -> float:
    """The size of a gradient: the square root of the sum of its squares (its Euclidean norm)."""
    flat = np.abs(np.asarray(gradient, dtype=np.float64).reshape(-1))
    largest = flat.max(initial=0.0)
    if not largest or not np.isfinite(largest):
        return float(largest)
    shares = flat / largest  # whose squares neither overflow nor vanish
    return float(largest * np.sqrt(np.dot(shares, shares)))


def percent(share: Any) -> str:
    """A share as text: 0.5 is '50 %'."""
    return f"{100 * share:.3g} %"


def plural(n: int, one: str, many: str = "") -> str:
    """A count and what is counted, of which the plural is made with an s unless it is given.

    >>> plural(1, "unit"), plural(0, "unit"), plural(10_000, "box", "boxes")
    ('1 unit', '0 units', '10,000 boxes')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def in_full(array: np.ndarray) -> str:
    """The numbers in full precision, of a large array the first and last ones."""
    if not array.ndim:
        return str(array[()])
    layout: Any = {"threshold": _IN_FULL, "edgeitems": 3, "separator": ", ", "max_line_width": 75}
    return np.array2string(array, floatmode="unique", suppress_small=False, **layout)


def option(name: str, value: Any) -> str:
    """An option of an op as it would be written in a call, cut short if it is long."""
    return f"{name}={written(value, 32 - len(name))}"


def written(value: Any, most: int) -> str:
    """The repr of anything in about ``most`` characters, whatever it is: long, or with a repr that raises."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = max(most, 8)
    return short.repr(value)


def aligned(lines: list[list[str]]) -> str:
    """Lines of cells as text, each column as wide as its widest cell and set to the right."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)
