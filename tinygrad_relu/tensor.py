"""Tensor: a NumPy array that remembers the op that made it."""

from __future__ import annotations

import operator
import threading
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from . import graph, guard
from .mode import changes, get_default_dtype, mode
from .names import here

if TYPE_CHECKING:
    from ._methods import Methods  # for editors and type checkers: what `register` attaches when an op is defined
    from .op import Op
else:
    Methods = object

_accumulating = threading.Lock()  # two threads may go back to the same leaf


class Tensor(Methods):
    """A NumPy array that can require a gradient, and remembers the op that made it.

    ``data``: a number, nested lists, or an array, which is copied. Lists and numbers become the default dtype
    (float32), arrays keep theirs; what is like an array (a DataFrame, a matrix) becomes one, element by element in
    its place. ``requires_grad``: whether ``backward`` leaves a gradient here, for floats only. ``name`` is what
    drawings and errors call it.

    Raises TypeError for data that are no numbers, hidden by a mask, or the result of an op, whose history a copy
    would lose, and for integers that should require a gradient; ValueError for ragged lists.

    >>> x = tg.Tensor([1.0, -2.0, 3.0], requires_grad=True)
    >>> y = (x.relu() * x).sum()
    >>> y
    Tensor(10., op=sum)
    >>> y.backward()
    >>> x.grad
    Tensor([2., 0., 6.])
    """

    __slots__ = (
        "_array", "_grad", "_requires_grad", "_retains_grad", "_hooks", "op", "name", "__weakref__",
    )  # fmt: skip
    __pandas_priority__ = 5000  # above a DataFrame's: `series * t` is left to the Tensor

    # An array, or a NumPy scalar (ten times faster in scalar graphs) until somebody asks for `data`; its name is not
    # `_data`, which numpy.ma would take for its own.
    _array: Any
    _grad: Any  # an array, or a Tensor once somebody has asked for `grad`
    _hooks: dict[int, Any] | None
    op: Op | None
    name: str | None

    def __init__(self, data, requires_grad: bool = False, dtype=None, name: str | None = None):
        self._array = _to_array(data, dtype)
        self._grad = None
        self._requires_grad = self._retains_grad = False
        self._hooks = None
        self.op = None
        self.name = name
        if requires_grad:
            self.requires_grad = True

    @staticmethod
    def _from_array(array, op: Op | None = None) -> Tensor:
        """A Tensor around an array or NumPy scalar as it is, the result of ``op`` if that was recorded."""
        tensor = object.__new__(Tensor)
        tensor._array = array
        tensor._grad = tensor._hooks = tensor.name = None
        tensor._requires_grad = op is not None
        tensor._retains_grad = False
        tensor.op = op
        return tensor

    # ------------------------------------------------------------------ the array

    @property
    def data(self) -> np.ndarray:
        """The array itself. What is assigned is copied, keeps shape and dtype, and is not recorded in the graph.

        >>> w = Tensor([1.0, 2.0], requires_grad=True)
        >>> w.data -= 0.5
        >>> w
        Tensor([0.5, 1.5], requires_grad=True)
        """
        self._make_array()
        return guard.hand_out(self._array)

    @data.setter
    def data(self, value) -> None:
        value = value._array if isinstance(value, Tensor) else as_array(value, "Tensor.data")
        if value.shape != self.shape:
            raise ValueError(f"Tensor.data: a tensor keeps its shape, {self.shape}; the new array has {value.shape}")
        if np.shares_memory(value, self._array):  # t.data -= step has already changed the array
            self._write(value)
        else:
            self._make_array()
            guard.note_change(self._array)
            self._array = _to_array(value, self.dtype)

    def _make_array(self) -> None:
        """From here on an array, and no NumPy scalar: one with a place in memory that can be shared."""
        if issubclass(type(self._array), np.generic):  # a recorded one is no NumPy scalar, though it says so
            self._array = np.asarray(self._array)

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis.

        >>> Tensor([[1.0, 2.0]]).shape
        (1, 2)
        """
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of axes.

        >>> Tensor([[1.0, 2.0]]).ndim
        2
        """
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements.

        >>> Tensor([[1.0, 2.0]]).size
        2
        """
        return self._array.size

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype of the elements.

        >>> Tensor([[1.0, 2.0]]).dtype
        dtype('float32')
        """
        return self._array.dtype

    @property
    def T(self) -> Tensor:
        """The tensor with its axes reversed; its gradient is the gradient with its axes reversed.

        >>> Tensor([[1.0, 2.0]]).T.shape
        (2, 1)
        """
        return self.transpose()

    def numpy(self) -> np.ndarray:
        """The array, shared and not copied; RuntimeError if a gradient is required, since it would be cut off.

        >>> Tensor([1.0, 2.0]).numpy()
        array([1., 2.], dtype=float32)
        """
        self._must_be_constant("numpy", RuntimeError)
        return self.data

    def item(self) -> float:
        """The value of a tensor of one element as a Python number; ValueError if there are more or none.

        >>> Tensor(2.5).item()
        2.5
        """
        if self._array.size != 1:
            raise ValueError(f"item: expected a tensor of one element, not of shape {self.shape}; use .tolist()")
        return self._array.item()

    def tolist(self) -> Any:
        """The values as nested Python lists.

        >>> Tensor([[1.0, 2.0]]).tolist()
        [[1.0, 2.0]]
        """
        return self._array.tolist()

    # ------------------------------------------------------------------ the gradient

    @property
    def requires_grad(self) -> bool:
        """Tell whether gradients flow to or through this tensor.

        >>> x = Tensor([1.0], requires_grad=True)
        >>> (x * 2).requires_grad
        True
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value and self._array.dtype.kind != "f":
            raise TypeError(f"requires_grad: only floats have gradients, not {self.dtype}; use .astype(np.float32)")
        if not value and self.op is not None:
            raise RuntimeError(f"requires_grad: only a leaf is switched off; use .detach() of a '{self.op.name}'")
        changes[0] += 1
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` and return the tensor itself.

        >>> Tensor([1.0]).requires_grad_()
        Tensor([1.], requires_grad=True)
        """
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient that ``backward`` has added up here, of the same shape and dtype; None before the first.

        A result of ops keeps none, and says so in a warning, unless ``retain_grad()`` was called in time.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        Tensor([2., 4.])
        """
        if self._grad is not None and not isinstance(self._grad, Tensor):
            self._grad = Tensor._from_array(self._grad)
        if self._grad is None and self.op is not None and not self._retains_grad:
            hint = "read the leaves', or call retain_grad() before backward(); w = w - x makes a result, w -= x not"
            warnings.warn(f"grad: none is kept of a result, here of '{self.op.name}'; {hint}", stacklevel=2)
        return self._grad

    @grad.setter
    def grad(self, value) -> None:
        if value is not None and not (value is self._grad or isinstance(value, Tensor)):
            value = Tensor._from_array(np.array(as_array(value, "grad"), dtype=self.dtype))
        if value is not None and (value.shape != self.shape or value.dtype != self.dtype):
            raise ValueError(f"grad: expected shape {self.shape} {self.dtype}, got {value.shape} {value.dtype}")
        self._grad = value

    @property
    def is_leaf(self) -> bool:
        """Tell whether no recorded op made it: a parameter, an input, or anything that requires no gradient.

        >>> x = Tensor([1.0], requires_grad=True)
        >>> x.is_leaf, (x * 2).is_leaf
        (True, False)
        """
        return self.op is None

    @property
    def retains_grad(self) -> bool:
        """Tell whether ``retain_grad`` was asked of this intermediate result.

        >>> y = Tensor([1.0], requires_grad=True) * 2
        >>> y.retain_grad()
        >>> y.retains_grad
        True
        """
        return self._retains_grad

    def retain_grad(self) -> None:
        """Keep the gradient of this intermediate result in ``grad`` too, as leaves do.

        >>> x = Tensor(3.0, requires_grad=True)
        >>> y = x * x
        >>> y.retain_grad()
        >>> (2 * y).backward()
        >>> y.grad
        Tensor(2.)
        """
        self._must_require_grad("retain_grad")
        self._retains_grad = self.op is not None

    def register_hook(self, hook) -> Handle:
        """Call ``hook(gradient)`` with each total gradient of this tensor; what it returns, if not None, replaces it.

        The replacement must have the same shape. Hooks run in the order of registration, before the gradient is
        stored or passed on; ``handle.remove()`` takes one away.

        >>> x = Tensor(3.0, requires_grad=True)
        >>> handle = x.register_hook(lambda gradient: gradient * 10)
        >>> (2 * x).backward()
        >>> x.grad
        Tensor(20.)
        """
        self._must_require_grad("register_hook")
        if not callable(hook):
            raise TypeError(f"register_hook: expected a function of the gradient, got {type(hook).__name__}")
        self._hooks = self._hooks or {}
        return Handle(self._hooks, hook)

    def detach(self) -> Tensor:
        """The same array, shared, as a leaf that requires no gradient.

        >>> Tensor([1.0], requires_grad=True).detach()
        Tensor([1.])
        """
        self._make_array()
        return Tensor._from_array(self._array)

    def backward(self, gradient=None, retain_graph: bool | None = None, create_graph: bool = False) -> None:
        """Add d(self)/d(leaf) to the ``grad`` of every leaf that requires one.

        ``gradient`` is the gradient of the final result with respect to this tensor, of its shape; for a scalar
        it may be left out and is 1. ``retain_graph`` keeps the graph for a second call, ``create_graph`` records
        the backward pass itself, for gradients of gradients; ``tg.grad`` then serves better, since a gradient that is
        kept in ``grad`` with its graph is a cycle that only the garbage collector can free.

        Raises RuntimeError if nothing here requires a gradient, if the tensor is no scalar and no gradient is
        given, or if the graph was freed by an earlier call.

        >>> x = Tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).backward(gradient=[1.0, 10.0])
        >>> x.grad
        Tensor([ 2., 40.])
        """
        self._must_require_grad("backward")
        start = self._starting_gradient(gradient, create_graph, "backward")
        keep = create_graph if retain_graph is None else retain_graph
        found = graph.backward_pass([self], [start], create_graph=create_graph, retain_graph=keep)
        with _accumulating:
            for node, grad in found.items():
                node._add_to_grad(grad)

    def _starting_gradient(self, gradient, create_graph: bool, caller: str):
        if gradient is None:
            if self.size != 1:
                hint = f"not for {self.shape}; reduce it first (.sum() or .mean()), or give gradient="
                raise RuntimeError(f"{caller}: a gradient can be left out only for a scalar, {hint}")
            if not create_graph and not self.ndim:
                return self.dtype.type(1)
            gradient = np.ones_like(self._array)
        gradient = gradient if isinstance(gradient, Tensor) else Tensor(gradient)
        gradient = gradient if gradient.dtype == self.dtype else gradient.astype(self.dtype)
        if gradient.shape != self.shape:
            raise RuntimeError(f"{caller}: the gradient has shape {gradient.shape}, the tensor {self.shape}")
        return gradient if create_graph else gradient._array

    def _add_to_grad(self, grad) -> None:
        """Add to what is there, in memory of its own: a rule may have handed the same array to several inputs."""
        if isinstance(grad, Tensor):
            self._grad = grad * 1 if self._grad is None else self._grad + grad
        elif self._grad is None:
            self._grad = grad.copy(order="K")
        else:
            self._grad = getattr(self._grad, "_array", self._grad) + grad

    def _must_require_grad(self, caller: str) -> None:
        if not self._requires_grad:
            hint = "make a leaf with requires_grad=True, and compute outside of no_grad()"
            raise RuntimeError(f"{caller}: this tensor does not require a gradient, nor was it made from one; {hint}")

    def _must_be_leaf(self, caller: str) -> None:
        if self.op is not None:
            hint = "use that tensor itself, or its .detach() if no gradient is wanted"
            raise RuntimeError(f"{caller}: a copy of the result of '{self.op.name}' would lose its history; {hint}")

    # ------------------------------------------------------------------ Python's protocols

    def __repr__(self) -> str:
        """The values to four digits, then what is not usual: dtype, the op or that it is a leaf, the name."""
        text = np.array2string(np.asarray(self._array), precision=4, separator=", ", prefix=f"{type(self).__name__}(")
        text += f", shape={self.shape}" * (not self.size and self.shape != (0,))  # elsewhere it is to be seen
        if self.dtype != get_default_dtype():
            text += f", dtype={self.dtype}"
        if self.op is not None:
            text += f", op={self.op.name}"
        elif self._requires_grad:
            text += ", requires_grad=True"
        if self.name is not None:
            text += f", name={self.name!r}"
        return f"{type(self).__name__}({text})"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len, iteration: a 0-d tensor has no elements to go through; .item() gives its value")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(f"bool: the truth of a tensor of shape {self.shape} is ambiguous; use .any() or .all()")
        return bool(self._array)

    def __format__(self, spec: str) -> str:
        """``f"{loss:.3f}"`` formats the number in a tensor of one element; ``f"{t}"`` is the repr."""
        return format(self.item(), spec) if spec else repr(self)

    def __float__(self) -> float:
        self._must_be_constant("float")
        return float(self.item())

    def __int__(self) -> int:
        self._must_be_constant("int")
        return int(self.item())

    def _must_be_constant(self, caller: str, kind: type[Exception] = TypeError) -> None:
        if self._requires_grad:
            hint = "compute with Tensors (tg.exp(x), tg.stack(xs)), or say that you mean it: .item(), .detach().numpy()"
            raise kind(f"{caller}: a plain number or array would lose the gradient of this tensor; {hint}")

    def __index__(self) -> int:
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError(f"index: only a 0-d integer tensor can be an index, this one is {self.shape} {self.dtype}")
        return int(self._array)

    __hash__ = object.__hash__  # by identity: == compares elements

    def __setitem__(self, index, value) -> None:
        raise TypeError("Tensor: elements are not assigned; use tg.where, or t.data[index] = value outside of a graph")

    def _in_place(sign: str, operation: Any) -> Any:  # type: ignore[misc]
        def change(self: Tensor, other: Any) -> Tensor:
            """Change the elements for all who hold this tensor, as in NumPy, where nothing is recorded.

            A leaf that requires a gradient is changed in ``no_grad`` only, and raises RuntimeError elsewhere. On a
            result that was recorded, or with such an operand, ``t += x`` is ``t = t + x``: a new recorded tensor, and
            those who hold the old one keep it, with the right gradient.
            """
            result = operation(self, other)
            if self.op is None and self._requires_grad and mode.now.record:
                hint = "do it inside `with tg.no_grad():`, or write x = x + y for a new tensor"
                raise RuntimeError(f"{sign}: a leaf that requires a gradient is not changed while recording; {hint}")
            if self.op is not None or result.op is not None:
                return result
            if result.shape != self.shape or not np.can_cast(result.dtype, self.dtype, "same_kind"):
                given, own = f"{result.shape} {result.dtype}", f"{self.shape} {self.dtype}"
                raise ValueError(f"{sign}: the result is {given}, the tensor {own}; write t = t {sign[:-1]} x")
            self._write(result._array)
            return self

        return change

    __iadd__, __isub__ = _in_place("+=", operator.add), _in_place("-=", operator.sub)
    __imul__, __itruediv__ = _in_place("*=", operator.mul), _in_place("/=", operator.truediv)
    __ipow__, __imatmul__ = _in_place("**=", operator.pow), _in_place("@=", operator.matmul)
    __iand__, __ior__ = _in_place("&=", operator.and_), _in_place("|=", operator.or_)

    def _write(self, value) -> None:
        """Change the elements in place. A graph that has used the old ones will refuse to go back."""
        self._make_array()
        self._array[...] = value
        guard.note_change(self._array)

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        self._must_be_constant("np.asarray")
        return np.array(self.data, dtype=dtype, copy=copy)

    def __getattr__(self, name: str) -> Any:  # only for what is not there
        hint = "" if name.startswith("_") else here(name, dir(self))
        raise AttributeError(f"Tensor has no attribute {name!r}{hint}")

    __copy__ = lambda self: self.__deepcopy__({})

    def __deepcopy__(self, memo) -> Tensor:
        self._must_be_leaf("copy")
        twin = memo[id(self)] = type(self)(self._array, requires_grad=self._requires_grad, name=self.name)
        if self._grad is not None:
            twin._grad = Tensor(self._grad)
        return twin

    def __reduce__(self):
        self._must_be_leaf("pickle")
        return type(self), (np.asarray(self._array), self._requires_grad, None, self.name)


def _to_array(data, dtype) -> np.ndarray:
    """A new array of numbers, or an error that says what was wrong with the data."""
    if isinstance(data, Tensor):
        data._must_be_leaf("Tensor")
        data = data._array
    if mode.now.recorder is not None:
        return mode.now.recorder.new_array(data, dtype, _new_array)
    array = _new_array(data, dtype)
    return array if array.ndim else array[()]


def _new_array(data, dtype) -> np.ndarray:
    if hasattr(data, "__array__") or hasattr(data, "toarray"):
        return np.array(as_array(data, "Tensor"), dtype=dtype)
    for item in data if isinstance(data, (list, tuple)) else ():
        if isinstance(item, Tensor):
            raise TypeError("Tensor: a list of Tensors would lose their history; join them with tg.stack")
        if isinstance(item, np.ma.MaskedArray):
            as_array(item, "Tensor")
    try:
        array = np.array(data, dtype=dtype)
    except (ValueError, TypeError) as error:
        raise type(error)(f"Tensor: expected numbers in an array or in lists of equal length; {error}") from error
    array = as_array(array, "Tensor")
    return array.astype(get_default_dtype()) if dtype is None and array.dtype.kind in "fiu" else array


def rebuilt(like: Any, items: Any) -> Any:
    """A list, tuple or namedtuple of the same type as ``like``, with other items."""
    return like._make(items) if hasattr(like, "_make") else type(like)(items)


def as_array(x, owner: str) -> Any:
    """Turn an array-like into a plain array of real numbers, element by element in its place.

    A DataFrame's labels, say, do not count, and a matrix is an array. ``owner`` is who asks, for errors: TypeError for
    what is no array, for numbers that a mask hides, for a sparse matrix, and for anything but real numbers.
    """
    if type(x) is not np.ndarray:
        if mode.now.recorder is not None and hasattr(x, "__array_ufunc__"):
            return x  # stands for an array while its calls are written down
        if np.ma.is_masked(x):
            hidden = f"mask that hides {np.ma.count_masked(x)} of its {x.size} elements"
            raise TypeError(f"{owner}: the array has a {hidden}; fill them in with .filled(value), or drop them")
        if hasattr(x, "toarray"):
            raise TypeError(f"{owner}: got a sparse {type(x).__name__}; call .toarray() for a plain array")
        x = np.asarray(x)
    if x.dtype.kind not in "fiub":
        hint = "of a table, take the columns that hold numbers"
        raise TypeError(f"{owner}: expected real numbers, got an array of dtype {x.dtype}; {hint}")
    return x


class Handle:
    """Handle of a hook, from ``register_hook``: ``remove()`` takes the hook away again."""

    def __init__(self, hooks: dict, hook):
        self._hooks = hooks
        self._key = guard.tick()
        changes[0] += 1
        hooks[self._key] = hook

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        changes[0] += 1
        self._hooks.pop(self._key, None)
