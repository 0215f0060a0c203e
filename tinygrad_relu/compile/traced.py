"""Traced: an array whose NumPy calls are written down on a tape while they are carried out.

It is caught through NumPy's own dispatch protocols (NEP 13 and 18), the ones that rules are written against, so no op
knows of it. What NumPy does not dispatch, methods and indexing, is caught by methods of the same name. It is no
ndarray: whatever asks for the plain array or a plain number, which the tape would not see, gets an error.
"""

from __future__ import annotations

import operator
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..tensor import Tensor

if TYPE_CHECKING:
    from .calls import CallRecorder
    from .tape import Value

__all__ = ["Traced", "plain", "rebuilt", "traced_in"]

# Who wants to know whether an array is a Traced one: this package, NumPy, and functools for them.
_KNOWS_IT = (
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
    os.path.dirname(np.__file__),
    os.__file__[:-5],
)


class Traced(NDArrayOperatorsMixin):
    """An array, or a NumPy scalar, with its place on the tape of a recorder."""

    __slots__ = ("__weakref__", "array", "recorder", "value")

    # isinstance(x, np.ndarray) is true in the user's code, as of the array itself
    __class__: Any = property(lambda self: _class_told(self, sys._getframe(1).f_code.co_filename))

    def __init__(self, recorder: CallRecorder, value: Value):
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
        if self.recorder.is_bystander(self):
            return np.array(self.array, dtype=dtype)
        raise self.recorder.refusal("a plain NumPy array is wanted", "call a NumPy function such as np.copy instead")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or not hasattr(np.ndarray, name):
            raise AttributeError(f"an array that is being recorded has no attribute {name!r}")
        if self.recorder.is_bystander(self):
            return getattr(self.array, name)
        raise self.recorder.refusal(f".{name} of an array is wanted", "use a function of NumPy that gives a new array")

    # ------------------------------------------------------------------ what does not depend on the data

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return self.array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.array.size

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the elements."""
        return self.array.dtype

    @property
    def strides(self) -> tuple[int, ...]:
        """How many bytes lie between neighbours along each axis."""
        return self.array.strides

    base = None  # nobody is to look for the memory behind it

    @property
    def nbytes(self) -> int:
        """The number of bytes."""
        return self.array.nbytes

    @property
    def itemsize(self) -> int:
        """The number of bytes of one element."""
        return self.array.itemsize

    def __len__(self) -> int:
        return len(self.array)

    def __repr__(self) -> str:
        return f"an array of shape {self.shape} {self.dtype} that is being recorded"

    def __pow__(self, other: Any) -> Any:  # for arrays x ** 2 is not np.power(x, 2): it is np.square(x)
        if isinstance(other, Tensor):
            return NotImplemented  # as in all other operators, the Tensor answers
        return self.recorder.call("**", operator.pow, (self, other), {})

    def __rpow__(self, other: Any) -> Any:
        return self.recorder.call("**", operator.pow, (other, self), {})

    # ------------------------------------------------------------------ indexing

    def __getitem__(self, index: Any) -> Any:
        return self.recorder.call("[]", lambda x, i: x[i], (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.recorder.write("[]=", _set_item, (self, index, value), {}, self)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self.array)))

    @property
    def T(self) -> Any:
        """The axes reversed."""
        return self.recorder.call(".T", lambda x: x.T, (self,), {})

    def fill(self, value: Any) -> None:
        """Every element becomes the value."""
        self.recorder.write(".fill", lambda x, v: x.fill(v), (self, value), {}, self)

    # ------------------------------------------------------------------ what depends on the data

    def __bool__(self) -> bool:
        return self.recorder.decided(self)

    def __float__(self) -> float:
        return self.recorder.pinned(self, float)

    def __int__(self) -> int:
        return self.recorder.pinned(self, int)

    def __index__(self) -> int:
        return self.recorder.pinned(self, int)

    def item(self, *index: Any) -> Any:
        """The only element as a number that the tape knows; refused in the user's own code."""
        return self.recorder.number_of(self, index)

    def tolist(self) -> Any:
        """Refused: Python numbers would be frozen."""
        if self.recorder.is_bystander(self):
            return self.array.tolist()
        raise self.recorder.refusal("Python numbers are wanted (.tolist())", "return the array, and ask outside")

    def tobytes(self, *_: Any) -> Any:
        """Refused: bytes would be frozen."""
        if self.recorder.is_bystander(self):
            return self.array.tobytes()
        raise self.recorder.refusal("bytes are wanted (.tobytes())", "return the array, and ask outside")

    def __format__(self, spec: str) -> str:
        return self.recorder.told(self, spec)

    def __str__(self) -> str:
        return self.__format__("")

    def __hash__(self) -> int:
        raise self.recorder.refusal("it is to be a key", "look it up outside of the function")

    def __round__(self, digits: int | None = None) -> Any:
        raise self.recorder.refusal("a rounded Python number is wanted", "use np.round")

    def __reduce__(self) -> Any:
        raise self.recorder.refusal("it is to be copied or pickled", "write np.copy(x)")


def _class_told(array: Traced, file: str) -> type:
    return Traced if file.startswith(_KNOWS_IT) else type(array.array)


def _set_item(x: Any, index: Any, value: Any) -> None:
    x[index] = value


def _calling(name: str) -> Any:
    return lambda x, *args, **options: getattr(x, name)(*args, **options)


def _method(name: str) -> Any:
    def method(self: Traced, *args: Any, **options: Any) -> Any:
        return self.recorder.call(f".{name}", _calling(name), (self, *args), options)

    method.__name__ = name
    method.__doc__ = f"As ndarray.{name}."
    return method


def _in_place(name: str) -> Any:
    """``x += y`` changes an array; a NumPy scalar, which cannot change, becomes another one."""
    inherited = getattr(NDArrayOperatorsMixin, f"__i{name}__")

    def method(self: Traced, other: Any) -> Any:
        if isinstance(self.array, np.ndarray) and not isinstance(other, Tensor):
            return inherited(self, other)
        return getattr(operator, name)(self, other)

    return method


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(Traced, f"__i{_name}__", _in_place(_name))

for _name in (
    "all", "any", "argmax", "argmin", "argsort", "astype", "choose", "clip", "compress", "copy", "cumprod", "cumsum",
    "diagonal", "dot", "flatten", "max", "mean", "min", "nonzero", "prod", "ravel", "repeat", "reshape", "round",
    "searchsorted", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var", "view",
):  # fmt: skip
    setattr(Traced, _name, _method(_name))


def rebuilt(thing: Any, items: Iterable[Any]) -> Any:
    """A tuple or list of the same kind, such as a named tuple, of other items."""
    return thing._make(items) if hasattr(thing, "_fields") else type(thing)(items)


def traced_in(thing: Any) -> Iterator[Traced]:
    """The Traced arrays in nested tuples, lists, dicts and slices."""
    if isinstance(thing, Traced):
        yield thing
    elif isinstance(thing, slice):
        yield from traced_in((thing.start, thing.stop, thing.step))
    elif isinstance(thing, (tuple, list, dict)):
        for item in thing.values() if isinstance(thing, dict) else thing:
            yield from traced_in(item)


def plain(thing: Any) -> Any:
    """The same with plain arrays and numbers in the place of recorded ones."""
    if isinstance(thing, Traced):
        return thing.array
    if isinstance(thing, (tuple, list)):
        return rebuilt(thing, [plain(item) for item in thing])
    if isinstance(thing, dict):
        return {name: plain(item) for name, item in thing.items()}
    if isinstance(thing, slice):
        return slice(plain(thing.start), plain(thing.stop), plain(thing.step))
    return thing.value if hasattr(thing, "expression") else thing
