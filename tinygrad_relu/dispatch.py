"""NumPy's functions on Tensors: ``np.exp(t)``, ``np.sum(t, axis=0)``, ``array @ t`` are recorded like any op.

NumPy asks the arguments of each call whether they want to answer it themselves: ``__array_ufunc__`` (NEP 13) for
ufuncs such as ``np.exp``, ``__array_function__`` (NEP 18) for the rest. A function without an op raises. Nothing is
detached in silence, and no array of objects is made.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from .names import here
from .op import numpy_functions
from .tensor import Tensor, rebuilt

# These answer with a shape, a truth or a count, or with a new constant: no gradient is lost.
_CONSTANT_RESULTS = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.iscomplexobj, np.isrealobj,
    np.shares_memory, np.may_share_memory, np.searchsorted,
    np.allclose, np.isclose, np.array_equal, np.array_equiv, np.count_nonzero, np.nonzero, np.argwhere,
    np.argsort, np.unique, np.bincount, np.histogram, np.array2string, np.array_repr, np.array_str,
    np.zeros_like, np.ones_like, np.empty_like, np.full_like,
}  # fmt: skip


class _ArrayUfunc:
    """NumPy asks the class for ``__array_ufunc__``, numpy.ma a tensor: None there leaves ``masked * t`` to us."""

    def __get__(self, tensor: Tensor | None, kind: type) -> Any:
        return _array_ufunc if tensor is None else None


def _array_ufunc(self: Tensor, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
    if options.get("out") is not None:
        return _into_an_array(ufunc, method, inputs, options)
    if method == "reduce":
        options.setdefault("axis", 0)
    target = ufunc if method == "__call__" else getattr(ufunc, method)
    function = numpy_functions.get(target)
    if function is None:
        raise _unknown(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")
    return function(*inputs, **options)


def _array_function(self: Tensor, func: Any, types: Any, args: tuple, options: dict[str, Any]) -> Any:
    function = numpy_functions.get(func)
    if function is not None:
        args, options = _by_name(func, args, options)
        return function(*args, **options)
    if func in _CONSTANT_RESULTS:
        return func(*_unwrapped(args), **{name: _unwrapped(value) for name, value in options.items()})
    raise _unknown(f"{func.__module__}.{func.__name__}".removeprefix("numpy."))


def _into_an_array(ufunc: np.ufunc, method: str, inputs: tuple, options: dict[str, Any]) -> Any:
    """``array -= t``: fine where no gradient is lost, since the graph knows nothing of that array."""
    if any(isinstance(x, Tensor) and x._requires_grad for x in inputs) or any(
        isinstance(x, Tensor) for x in options["out"]
    ):
        hint = "write y = x + t for a new Tensor, or use t.detach() if no gradient is wanted"
        raise TypeError(f"np.{ufunc.__name__}: the gradient would be lost in the array that it writes to; {hint}")
    return getattr(ufunc, method)(*_unwrapped(inputs), **options)


def _by_name(func: Any, args: tuple, options: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Options by their names in NumPy, where the third of np.sum is a dtype; without those that say nothing."""
    try:
        signature = _signature(func)
        given = signature.bind(*args, **options).arguments
    except (TypeError, ValueError):  # no signature, or one that does not fit: the op says what it takes
        return args, options
    parameters = [signature.parameters[name] for name in given]
    if any(p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        return args, options
    inputs = tuple(given[p.name] for p in parameters if p.default is p.empty)
    named = [p for p in parameters if p.default is not p.empty and p.default is not given[p.name]]
    return inputs, {p.name: given[p.name] for p in named}


_signature = functools.lru_cache(maxsize=None)(inspect.signature)


def _unwrapped(x: Any) -> Any:
    if isinstance(x, (list, tuple)):
        return rebuilt(x, map(_unwrapped, x))
    return x._array if isinstance(x, Tensor) else x


def _unknown(name: str) -> TypeError:
    names = sorted({getattr(key, "__name__", "") for key in numpy_functions})
    hint = "register one with @tg.register(numpy=...), or use .detach().numpy() if no gradient is wanted"
    return TypeError(f"np.{name}: no op answers to this NumPy function{here(name, names)}; {hint}")


Tensor.__array_ufunc__ = _ArrayUfunc()  # type: ignore[attr-defined]
Tensor.__array_function__ = _array_function  # type: ignore[attr-defined]
