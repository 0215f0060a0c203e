"""Traced: an array whose NumPy calls are written down on a tape while they are carried out.

It is caught through NumPy's own dispatch protocols (NEP 13 and 18), the ones that rules are written against, so no op
knows of it. What NumPy does not dispatch, methods and indexing, is caught by methods of the same name. Whatever asks
for the plain array or a plain number, which the tape would not see, gets an error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..tensor import Tensor
from .number import plain_number
from .tape import Value, mapped

_RETURN_IT = "return the Tensor or array, and ask outside of the function"


class Traced(NDArrayOperatorsMixin):
    """An array, or a NumPy scalar, with its place on the tape of a recorder."""

    __slots__ = ("__weakref__", "array", "recorder", "value")

    __class__: Any = property(lambda self: type(self.array))  # isinstance(x, np.ndarray) is true of it

    def __init__(self, recorder: Any, value: Value):
        self.recorder = recorder
        self.value = value
        self.array = value.array

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(x, Tensor) for x in inputs):
            return NotImplemented  # the Tensor answers, and records an op
        return self.recorder.ufunc(ufunc, method, inputs, options)

    def __array_function__(self, function: Any, types: Any, args: tuple, options: dict[str, Any]) -> Any:
        if any(issubclass(kind, Tensor) for kind in types):
            return NotImplemented
        return self.recorder.array_function(function, args, options)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.recorder.given_away(self, "a plain NumPy array is wanted", "call a NumPy function such as np.copy")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array that is being recorded has no attribute {name!r}")
        plain_array = self.recorder.given_away(self, f".{name} of an array is wanted", "use a function of NumPy")
        return getattr(plain_array, name)

    # ------------------------------------------------------------------ what does not depend on the numbers

    shape = property(lambda self: self.array.shape)
    ndim = property(lambda self: self.array.ndim)
    size = property(lambda self: self.array.size)
    dtype = property(lambda self: self.array.dtype)
    strides = property(lambda self: self.array.strides)
    flags = property(lambda self: self.array.flags)
    nbytes = property(lambda self: self.array.nbytes)
    itemsize = property(lambda self: self.array.itemsize)
    base = None  # nobody is to look for the memory behind it

    def __len__(self) -> int:
        return len(self.array)

    def __repr__(self) -> str:
        return f"an array of shape {self.shape} {self.dtype} that is being recorded"

    # ------------------------------------------------------------------ what NumPy does not dispatch

    def __pow__(self, other: Any) -> Any:  # for arrays x ** 2 is not np.power(x, 2): it is np.square(x)
        if isinstance(other, Tensor):
            return NotImplemented
        return self.recorder.call("**", operator.pow, (self, other), {})

    def __rpow__(self, other: Any) -> Any:
        return self.recorder.call("**", operator.pow, (other, self), {})

    def __getitem__(self, index: Any) -> Any:
        return self.recorder.call("[]", operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.recorder.write("[]=", operator.setitem, (self, index, value), {}, self)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self.array)))

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self.recorder.call(".T", lambda x: x.T, (self,), {})

    def fill(self, value: Any) -> None:
        """Give every element the value."""
        self[...] = value

    # ------------------------------------------------------------------ what depends on the numbers

    def __bool__(self) -> bool:
        return self.recorder.answer(self, bool, "the function goes by the data (a branch or a loop)")

    def __float__(self) -> float:
        return self.recorder.answer(self, float, "a Python float is wanted")

    def __int__(self) -> int:
        return self.recorder.answer(self, int, "a Python int is wanted")

    def __index__(self) -> int:
        return self.recorder.answer(self, operator.index, "an index is wanted")

    def __format__(self, spec: str) -> str:
        return self.recorder.answer(self, lambda array: format(array, spec), "its value is wanted as text", noted=False)

    def __str__(self) -> str:
        return self.__format__("")

    def item(self, *index: Any) -> Any:
        """Give the only element as a number that the tape knows; refused in the user's own code."""
        return self.recorder.number_of(self, index)

    def __hash__(self) -> int:
        raise self.recorder.refusal("it is to be a key", "look it up outside of the function")

    def __round__(self, digits: int | None = None) -> Any:
        raise self.recorder.refusal("a rounded Python number is wanted", "use np.round")

    def __reduce__(self) -> Any:
        raise self.recorder.refusal("it is to be copied or pickled", "write np.copy(x)")


def _asking(name: str, words: str) -> Callable[..., Any]:
    def method(self: Traced, *args: Any) -> Any:
        return getattr(self.recorder.given_away(self, words, _RETURN_IT), name)(*args)

    method.__doc__ = "Refused in a recording: Python's own numbers or bytes would be frozen."
    return method


def _method(name: str) -> Callable[..., Any]:
    def method(self: Traced, *args: Any, **options: Any) -> Any:
        calling = lambda x, *rest, **named: getattr(x, name)(*rest, **named)
        return self.recorder.call(f".{name}", calling, (self, *args), options)

    method.__doc__ = f"As ndarray.{name}."
    return method


def _in_place(name: str) -> Callable[..., Any]:
    """``x += y`` changes an array; a NumPy scalar, which cannot change, becomes another one."""
    inherited = getattr(NDArrayOperatorsMixin, f"__i{name}__")

    def method(self: Traced, other: Any) -> Any:
        if type(self.array) is np.ndarray and not isinstance(other, Tensor):
            return inherited(self, other)
        return getattr(operator, name)(self, other)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(Traced, f"__i{_name}__", _in_place(_name))
for _name, _words in (("tolist", "Python numbers are wanted (.tolist())"), ("tobytes", "bytes are wanted")):
    setattr(Traced, _name, _asking(_name, _words))
for _name in (
    "all", "any", "argmax", "argmin", "argsort", "astype", "choose", "clip", "compress", "copy", "cumprod", "cumsum",
    "diagonal", "dot", "flatten", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round",
    "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var", "view",
):  # fmt: skip
    setattr(Traced, _name, _method(_name))


def plain(thing: Any) -> Any:
    """The same with plain arrays and numbers in the place of recorded ones."""
    return mapped(lambda x: x.array if type(x) is Traced else plain_number(x), thing)
