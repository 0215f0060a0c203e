"""Op: what can be done to arrays and how its gradient goes back; and the one place where an op is applied."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, ParamSpec, Protocol

import numpy as np
from numpy import ndarray

from . import graph, guard
from .mode import mode
from .names import nearest
from .place import Place, file_and_line, users_place
from .tensor import Tensor, as_array

P = ParamSpec("P")

registry: dict[str, type[Op]] = {}
"""Every op by its name: ``tg.registry["relu"]`` is the class, its ``function`` is what is called."""

numpy_functions: dict[Any, Callable[..., Any]] = {}
"""Functions for NumPy's own where they meet a Tensor: ``numpy_functions[np.exp]`` is ``tg.exp``."""


class Op:
    """One application of an operation, and the node of the graph that its result remembers.

    Write a subclass with two methods and put ``@register`` above it:

    ``forward(self, x, ...)`` gets arrays and returns a new array. An argument with a default, or one behind ``*``,
    is an option (an axis, a slope); all others are inputs. What ``backward`` needs and is constant (a mask, an
    axis) is saved as an attribute.

    ``backward(self, grad)`` gets the gradient of the result and returns that of the input, or a tuple with one for
    each input, None where there is none. It is written with operators, NumPy functions and other ops, changes
    nothing in place, and reads what must be differentiated again from ``self.inputs`` and ``self.output``, so that
    the same lines give gradients of gradients. ``self.parents[i]`` is None where the i-th gradient will not be used.

    >>> @tg.register
    ... class Cube(tg.Op):
    ...     '''x ** 3, elementwise.'''
    ...     def forward(self, x):
    ...         return x * x * x
    ...     def backward(self, grad):
    ...         (x,) = self.inputs
    ...         return grad * 3 * x * x
    >>> x = tg.Tensor(2.0, requires_grad=True)
    >>> tg.cube(x)
    Tensor(8., op=cube)
    >>> tg.grad(x.cube(), x)
    (Tensor(12.),)
    >>> tg.unregister("cube")
    """

    name: ClassVar[str] = "op"
    aliases: ClassVar[tuple[str, ...]] = ()
    function: ClassVar[Callable[..., Any]]
    signature: ClassVar[inspect.Signature]
    differentiable: ClassVar[bool]
    is_built_in: ClassVar[bool] = False  # whether it is this package's, whose rules are known to write into nothing

    arguments: Any = None  # as they were given: Tensors and constants; None in a freed op
    parents: Any = None  # the same, with None for those that need no gradient; None in a freed op
    inputs: Any = ()  # the same as arrays, or as Tensors while the backward pass is itself recorded
    output: Any = None
    time = 0  # when this was recorded, by guard's clock: in this order the ops are the forward pass again
    seen: Mapping[int, bytes] = MappingProxyType({})  # what was in those arrays that somebody outside can change
    options: Mapping[str, Any] = MappingProxyType({})  # what was chosen: an axis, a slope
    place: Place | None = None  # what called it in the user's program; None inside of a module of this package
    call: Any = None  # the call of a module in which it was computed, see mode.py
    # What the last backward pass that retained the graph has brought here, the gradient of output, and what the rule
    # has made of it: a gradient for each input, before broadcasting was undone.
    received: Any = None
    sent: Any = ()

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """The result of the op, computed with NumPy."""
        raise NotImplementedError(f"{type(self).__name__}: an op needs a forward method; see help(tg.Op)")

    def backward(self, grad: Any) -> Any:
        """The gradients of the inputs. An op without this method is constant to the graph, as argmax and > are."""
        raise NotImplementedError(f"{type(self).__name__}: this op has no backward method")

    def __repr__(self) -> str:
        chosen = ", ".join(f"{name}={value!r}" for name, value in self.options.items())
        return f"{self.name}({chosen})" if chosen else self.name

    @property
    def line(self) -> str:
        """The line of the user's program that made this node, as file:line; '' if there is none.

        >>> x = Tensor(2.0, requires_grad=True)
        >>> (x * x).op.line
        '<doctest ...>:1'
        """
        place = self.users_place()
        return "{}:{}".format(*file_and_line(place)) if place else ""

    def users_place(self) -> Place | None:
        """Where in the user's program this node was made: the op, or a module around it, was called there."""
        call, place = self.call, self.place
        while place is None and call is not None:
            _, call, place, _ = call
        return place

    def error(self, message: object, arrays: Any) -> str:
        """The message with the op's name before it and what the op was given behind it."""
        given = ", ".join(_described(x) for x in arrays)
        chosen = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{self.name}: {str(message).rstrip('.')}. Given: {given}{chosen}"

    def check_finite(self, when: str, results: Any, given: Any) -> None:
        """Raise FloatingPointError if this step made the first NaN or infinity: none was in what it was given."""
        if not all(_is_finite(x) for x in (*given, *self.inputs, *self.options.values())):
            return
        for result in results:
            if not _is_finite(result):
                array = np.asarray(getattr(result, "_array", result))
                index = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
                place = f", at {self.line}" if self.line else ""
                message = f"the {when} pass made {array[index]} at index {index} out of finite inputs{place}"
                raise FloatingPointError(self.error(message, given))


def apply(cls: type[Op], inputs: tuple, options: dict[str, Any]) -> Any:
    """Run the op's ``forward`` on arrays, and record it if one of the inputs is a Tensor that requires a gradient.

    Where no input is a Tensor the result is a plain array, so that rules can use ops on either.
    """
    now = mode.now
    op = object.__new__(cls)
    if now.recorder is not None:
        inputs, options = now.recorder.enter(op, inputs, options)
    arrays: Any = []
    found = required = scalars = theirs = False
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x._array)
            found, required = True, required or x._requires_grad
        elif type(x) in _NUMBERS:
            arrays.append(x)
        else:
            arrays.append(_to_operand(x, cls))
            scalars, theirs = scalars or isinstance(x, np.generic), True
    if scalars and found:  # a NumPy scalar beside a Tensor is as weak as a Python number: it does not promote
        arrays = [x.item() if isinstance(x, np.generic) else array for x, array in zip(inputs, arrays)]
    if options:
        op.options = options
    try:
        data = op.forward(*arrays, **options) if cls.is_built_in else _users_forward(op, arrays)
    except (TypeError, ValueError, IndexError) as error:
        raise _explained(error, op, arrays) from error
    if now.recorder is not None:
        now.recorder.leave(data)
    if not found:
        return data
    if type(data) is ndarray and not data.ndim:
        data = data[()]  # NumPy computes with its scalars ten times faster than with arrays of one element
    op.call = now.call
    if now.anomaly:
        op.place = users_place()
        op.check_finite("forward", (data,), given=arrays)
    if not (required and now.record and cls.differentiable):
        return Tensor._from_array(data)
    if theirs:  # an array that was given as it is stays the caller's, who may fill it anew: the graph keeps a copy
        arrays = [a if isinstance(x, Tensor) or type(a) is not ndarray else a.copy() for x, a in zip(inputs, arrays)]
    op.arguments = inputs
    op.parents = tuple([x if isinstance(x, Tensor) and x._requires_grad else None for x in inputs])
    op.inputs = tuple(arrays)  # the garbage collector looks through lists again and again, and soon leaves tuples be
    op.output = data
    op.time = guard.tick()
    if op.call is None or not op.call[3]:
        op.place = users_place()
    if guard.held:
        op.seen = guard.remember((*arrays, data))
    return Tensor._from_array(data, op)


_NUMBERS = {float, int, bool}


def _to_operand(x: Any, cls: type[Op]) -> Any:
    """An argument that is neither Tensor nor Python number, as something that NumPy computes numbers with."""
    if isinstance(x, (list, tuple)):
        return Tensor(x)._array
    if isinstance(x, np.generic) and x.dtype.kind in "fiub":
        return x
    if hasattr(x, "__array__") or hasattr(x, "toarray"):
        return as_array(x, cls.name)
    hint = "; ask for None with `is None`" if x is None else ""
    raise TypeError(f"{cls.name}: expected a Tensor, an array or a number, got {_described(x)}{hint}")


def _users_forward(op: Op, arrays: Any) -> Any:
    """Result of a user's forward, an array or a number; it may neither write into its inputs nor over our notes."""
    data = op.forward(*map(graph.read_only, arrays), **op.options)
    taken = ", ".join(f"self.{name}" for name in sorted(vars(op).keys() & RECORD - {"options"}))
    if taken:
        raise TypeError(f"forward sets {taken}, which the engine itself needs; rename it")
    if type(data) in _NUMBERS:
        return np.result_type(*arrays, data).type(data)
    if not (hasattr(data, "__array_ufunc__") or isinstance(data, np.generic)) or isinstance(data, Tensor):
        raise TypeError(f"forward must return one array or number, got {_described(data)}")
    data = as_array(data, op.name)
    return data if not isinstance(data, ndarray) or data.flags.writeable else data.copy()  # it was an input


def _explained(error: Exception, op: Op, arrays: Any) -> Exception:
    """The error again, naming the op and what it was given, unless an op inside has done so already."""
    if getattr(error, "explained", False):
        return error
    kind = next(kind for kind in (IndexError, TypeError, ValueError) if isinstance(error, kind))
    explained: Any = kind(op.error(graph.writes_into(error, "an input") or error, arrays))
    explained.explained = True
    return explained


# What the engine notes on each op that it records.
RECORD = frozenset(vars(Op)["__annotations__"]) | {"time"}


def _described(x: Any) -> str:
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.shape} {x.dtype}"
    return f"{type(x).__name__} {x!r}"[:60]


def _is_finite(x: Any) -> bool:
    x = getattr(x, "_array", x)
    return not isinstance(x, (float, np.ndarray, np.generic)) or bool(np.isfinite(x).all())


# ---------------------------------------------------------------------- registration


def register(op=None, *, name=None, numpy=(), operator=None, aliases=(), method=True):
    """Make an op of a class: its function, its Tensor method and, if wanted, its NumPy function and operator.

    Used bare (``@register``) or with options: ``name`` (from the class name if left out: ``LeakyReLU`` becomes
    ``leaky_relu``), ``numpy`` (the NumPy function or functions that it answers to), ``operator`` (``"add"`` for
    ``+``, as in Python's ``__add__``), ``aliases`` (more names), ``method=False`` (no method on Tensor).

    A plain function that is made of ops can be registered too; it gets the NumPy function and the method. It stands
    in no registry, and what has its name already is not replaced.

    Raises ValueError if the name is taken, TypeError if there is no ``forward``. See ``tg.Op`` for an example.

    >>> @tg.register(aliases=("double",))
    ... class Twice(tg.Op):
    ...     def forward(self, x):
    ...         return 2 * x
    ...     def backward(self, grad):
    ...         return 2 * grad
    >>> tg.double(Tensor([1.0, 2.0]))
    Tensor([2., 4.])
    >>> tg.unregister("twice")
    """
    if op is None:
        return functools.partial(register, name=name, numpy=numpy, operator=operator, aliases=aliases, method=method)
    numpy = tuple(numpy) if isinstance(numpy, (tuple, list)) else (numpy,)
    if not isinstance(op, type):
        names = (op.__name__, *aliases) if method else ()
        _refuse_clash(op, names, method)
        _refuse_taken(numpy, operator)
        _attach(op, names, numpy, operator)
        return op
    if not issubclass(op, Op) or op.forward is Op.forward:
        raise TypeError(f"register: {op.__name__} must be a subclass of tg.Op with a forward method; see help(tg.Op)")
    # LeakyReLU -> leaky_relu: a new word starts where a lower-case letter or digit is followed by one like "Re".
    op.name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", op.__name__).lower()
    op.aliases = aliases
    _refuse_clash(op, (op.name, *aliases), method)
    _refuse_taken(numpy, operator)
    op.is_built_in = op.__module__.partition(".")[0] == __package__
    op.differentiable = op.backward is not Op.backward
    op.function = staticmethod(_make_function(op))
    _attach(op.function, (op.name, *aliases) if method else (), numpy, operator)
    registry.update(dict.fromkeys((op.name, *aliases), op))
    return op


def unregister(name: str) -> None:
    """Take an op out again: its function, aliases, method, operator and NumPy functions. KeyError if unknown.

    >>> tg.unregister("soft_max")
    Traceback (most recent call last):
        ...
    KeyError: "unregister: there is no op 'soft_max'; the nearest are softmax, log_softmax, max"
    """
    if name not in registry:
        raise KeyError(f"unregister: there is no op {name!r}{nearest(name, registry)}")
    op = registry[name]
    for each in dict.fromkeys((op.name, *op.aliases)):
        del registry[each]
    for attribute in [key for key, value in vars(Tensor).items() if getattr(value, "op", None) is op]:
        delattr(Tensor, attribute)
    for key in [key for key, value in numpy_functions.items() if getattr(value, "op", None) is op]:
        del numpy_functions[key]


def _refuse_clash(op: Any, names: tuple[str, ...], method: bool) -> None:
    for name in names:
        old = registry.get(name)
        if old is not None and old.__module__ == op.__module__ == "__main__" and old.__qualname__ == op.__qualname__:
            unregister(name)  # a notebook cell was run again
        elif old is not None:
            taken = f"the name {name!r} is taken by {old.__module__}.{old.__qualname__}"
            raise ValueError(f"register: {taken}; give another name=, or call tg.unregister({name!r}) first")
        elif method and hasattr(Tensor, name):
            raise ValueError(f"register: Tensor has an attribute {name!r} already; give another name=, or method=False")


def _refuse_taken(numpy: tuple, operator: str | None) -> None:
    for each in numpy:
        if not callable(each):
            raise TypeError(f"register: numpy= takes NumPy functions such as np.exp, got {each!r}")
        if each in numpy_functions:
            raise ValueError(f"register: np.{each.__name__} is answered by {numpy_functions[each].__name__!r} already")
    if operator and f"__{operator}__" in vars(Tensor):
        raise ValueError(f"register: the operator {operator!r} of Tensor is taken already")


def _attach(function: Any, names: tuple[str, ...], numpy: tuple, operator: str | None) -> None:
    function.registered = True
    for name in names:
        setattr(Tensor, name, function)
    for each in numpy:
        numpy_functions[each] = function
    if operator in _TWO_SIDED:
        setattr(Tensor, f"__{operator}__", _operator(function))
        setattr(Tensor, f"__r{operator}__", _operator(function, swapped=True))
    elif operator:
        setattr(Tensor, f"__{operator}__", function)


_TWO_SIDED = ("add", "sub", "mul", "truediv", "pow", "matmul", "and", "or")


def _operator(function: Any, swapped: bool = False) -> Any:
    """``x + y`` for a Tensor x; swapped, for a Tensor y."""
    op = function.op
    straight = lambda self, other: apply(op, (self, other), {})
    reflected = lambda self, other: apply(op, (other, self), {})
    return functools.update_wrapper(reflected if swapped else straight, function)  # its text, its signature and `op`


def _make_function(op: type[Op]) -> Callable[..., Any]:
    """Make the function of the op's name. Its signature and text are the op's, and its source is the class."""
    prepare = getattr(op, "arguments", None)  # where an op has its own way to tell inputs from options
    parameters = list(inspect.signature(prepare or op.forward).parameters.values())[prepare is None :]
    op.signature = inspect.Signature(parameters)
    arity = sum(p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)

    def prepared(*args, **options):
        if mode.now.recorder is not None:
            args, options = mode.now.recorder.lifted((args, options))
        try:
            inputs, options = prepare(*args, **options)
        except (TypeError, ValueError) as error:
            raise _call_error(op, error) from None
        return apply(op, inputs, options)

    def plain(*args, **options):
        if options or len(args) != arity:
            args, options = _bind(op, arity, args, options)
        return apply(op, args, options)

    def gathered(*args, **options):  # forward(self, *inputs): all that is given by place is an input
        return apply(op, args, {name: _constant(op, name, value) for name, value in options.items()})

    gathers = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    function: Any = prepared if prepare is not None else gathered if gathers else plain
    functools.update_wrapper(function, op, ("__module__", "__doc__"), ())  # inspect.getsource shows the class
    function.__name__ = function.__qualname__ = op.name
    function.__signature__, function.op = op.signature, op
    return function


def _bind(op: type[Op], arity: int, args: tuple, options: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Tell inputs from options, by place or by name, with an error that knows the op's signature."""
    try:
        bound = list(op.signature.bind(*args, **options).arguments.items())
    except TypeError as error:
        raise _call_error(op, error) from None
    inputs = tuple([value for _, value in bound[:arity]])
    return inputs, {name: _constant(op, name, value) for name, value in bound[arity:]}


def _call_error(op: type[Op], error: Exception) -> Exception:
    message = str(error).removeprefix(f"{op.__name__}.arguments() ")
    return type(error)(f"{op.name}: {message}. It is called as {op.name}{op.signature}")


def _constant(op: type[Op], name: str, value: Any) -> Any:
    if isinstance(value, Tensor):
        if value._requires_grad:
            raise TypeError(f"{op.name}: {name} is an option, through which no gradient can flow; give a number")
        return value._array
    if hasattr(value, "__array__") and not isinstance(value, (np.generic, type)):
        return as_array(value, f"{op.name}: {name}")
    return value


class _HasForward(Protocol[P]):
    def forward(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...


def function(op: type[_HasForward[P]]) -> Callable[P, Tensor]:
    """The function of a registered op, for the line below its class: editors and type checkers find it there."""
    return op.function  # type: ignore[attr-defined]
