"""The model and the data that were given: made plain arrays, or an error that says what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..data.batches import as_plain
from ..nn.hidden import hidden, told
from ..record.words import plural
from ..tensor import Tensor

__all__ = ["as_input", "as_rows", "check_complete", "check_model", "check_output", "has"]


def check_model(call: str, model: Any, *others: Any) -> None:
    """Raise TypeError for what is no module; ``call`` is how the function is called, such as ``fit(model, X, y)``."""
    if isinstance(model, nn.Module):
        return
    caller = call.partition("(")[0]
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise TypeError(f"{caller}: got the class {model.__name__} as a model; make one first: {model.__name__}(...)")
    if any(isinstance(other, nn.Module) for other in others):
        raise TypeError(f"{caller}: the model comes first, as in {call}; got {_described(model)} there")
    raise TypeError(f"{caller}: expected a model, which is an nn.Module, got {_described(model)}")


def check_complete(model: nn.Module) -> None:
    """Raise ValueError for a model with layers that nobody finds, and so nobody would train."""
    found = hidden(model)
    if found:
        raise ValueError(f"fit: {told(model, found)}")


def as_rows(model: nn.Module, X: Any, y: Any, called: str = "X") -> tuple[np.ndarray, np.ndarray]:
    """X and y as arrays of finite numbers with as many rows, or a ValueError that says what is wrong with them."""
    X = as_input(model, X, f"fit: {called}")
    y = _as_array(y, "fit: the labels")
    if len(X) != (len(y) if y.ndim else -1):
        raise ValueError(
            f"fit: {called} has {plural(len(X), 'row')}, but its labels have shape {y.shape}; "
            "one for each row is needed"
        )
    if not len(X):
        raise ValueError(f"fit: {called} has no rows")
    if y.dtype.kind not in "fiub":
        raise ValueError(f"fit: labels must be numbers, got dtype {y.dtype}; number the classes from 0")
    if y.dtype.kind == "f":
        _check_finite("fit: the labels", y)
    elif y.dtype != np.int64:
        y = y.astype(np.int64)
    return X, y


def as_input(model: nn.Module, X: Any, called: str = "predict: X") -> np.ndarray:
    """X as an array in the dtype of the model, or of the integers that an Embedding looks up."""
    X = _as_array(X, called)
    if not X.ndim or X.dtype.kind not in "fiub":
        hint = "; text must become numbers first" if X.ndim and X.dtype.kind in "OUST" else ""
        raise ValueError(
            f"{called} must be an array of numbers with one row for each example, got {X.shape} {X.dtype}{hint}"
        )
    if X.dtype.kind != "f" and has(model, nn.Embedding):
        return X  # the numbers of words, say, which are looked up and not computed with
    first = next((parameter for _, parameter in model.named_parameters()), None)
    with np.errstate(over="ignore"):  # 1e300 becomes an infinite float32, and is refused as such
        converted = X if first is None else X.astype(first.dtype, copy=False)
    _check_finite(called, converted)
    return converted


def check_output(caller: str, model: nn.Module, output: Any, rows: int | None = None) -> None:
    """Raise TypeError for what is no Tensor, and ValueError for one that has not so many rows."""
    if not isinstance(output, Tensor):
        hint = ""
        if isinstance(output, (tuple, list, dict)):
            hint = "; let it return the one that the loss needs"
        elif isinstance(output, np.ndarray):
            hint = "; a plain array, such as the .data of a Tensor, carries no gradient"
        raise TypeError(
            f"{caller}: expected one Tensor from the forward of {type(model).__name__}, got {_described(output)}{hint}"
        )
    if rows is not None and (not output.ndim or len(output) != rows):
        raise ValueError(
            f"{caller}: {type(model).__name__} made an output of shape {output.shape} of {plural(rows, 'row')}; "
            "each row of X, which has one row for each example, must become a row of the output"
        )


def has(model: nn.Module, kind: type[nn.Module]) -> bool:
    """Tell whether a module of this kind is inside."""
    return any(isinstance(module, kind) for module in model.modules())


def _as_array(x: Any, called: str) -> np.ndarray:
    if x is None or isinstance(x, nn.Module):
        raise TypeError(f"{called} must be an array with one row for each example, got {_described(x)}")
    try:
        return as_plain(x, called)
    except ValueError as error:
        raise ValueError(f"{called} cannot be made an array: {error}") from error


def _check_finite(called: str, array: np.ndarray) -> None:
    if not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        named = f"row {place[0]}" + (f", column {place[1]}" if len(place) == 2 else "")
        where = named if len(place) <= 2 else f"index {place}"
        raise ValueError(f"{called}: there is {array[place]} in {where} (counted from 0); remove the row or fill it in")


def _described(x: Any) -> str:
    if x is None:
        return "None"
    if isinstance(x, (tuple, list)):
        return f"a {type(x).__name__} of {plural(len(x), 'thing')}"
    if hasattr(x, "shape"):
        return f"{'an array' if isinstance(x, np.ndarray) else type(x).__name__} of shape {x.shape}"
    return f"{type(x).__name__} {x!r:.40}"
