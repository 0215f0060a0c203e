"""Module: a part of a network, made of parameters and other modules."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..mode import changes, mode
from ..names import nearest
from ..place import users_place
from ..tensor import Handle, Tensor, as_array
from .checks import check_name, check_state, refuse_overrides, what_does_not_fit
from .hidden import hidden, told
from .making import checked_init
from .parameter import Parameter

__all__ = ["Module"]


class Module:
    """A part of a network. Make a subclass, assign parameters and modules in ``__init__``, compute in ``forward``.

    What is assigned is found again by its name: ``parameters()``, ``state_dict()`` and the rest look through the
    attributes, and through those of the modules among them. Call ``super().__init__()`` first. Layers in a plain list
    are not found, and a warning says so: put them into an ``nn.ModuleList``.

    >>> class Twice(nn.Module):
    ...     def __init__(self) -> None:
    ...         super().__init__()
    ...         self.inner = nn.Linear(2, 2)
    ...         self.scale = nn.Parameter([1.0])
    ...     def forward(self, x):
    ...         return self.inner(self.inner(x)) * self.scale
    >>> [name for name, _ in Twice().named_parameters()]
    ['scale', 'inner.weight', 'inner.bias']
    """

    is_built_in = True  # whether its forward is this package's: then no line of the user's is in there
    training: bool
    _persistent: dict[str, bool]  # the names of the buffers, and whether each is a part of the state_dict
    _forward_hooks: dict[int, Callable]

    @checked_init
    def __init__(self) -> None:
        self.training = True
        self._persistent = {}
        self._forward_hooks = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.is_built_in = cls.__module__.partition(".")[0] == __package__.partition(".")[0]
        if not cls.is_built_in:
            refuse_overrides(cls, _METHODS)
        elif "__init__" in vars(cls):
            cls.__init__ = checked_init(cls.__init__)  # type: ignore[method-assign]

    # ------------------------------------------------------------------ the computation

    def forward(self, *args, **kwargs):
        """Compute the module's result; every subclass has its own. Call the module rather than this."""
        raise NotImplementedError(f"{type(self).__name__}: a module needs a forward method; see help(nn.Module)")

    def __call__(self, *args, **kwargs):
        now = mode.now
        if args and type(args[0]) is not Tensor and _is_array(args[0], now.recorder is None):
            args = (Tensor(args[0]), *args[1:])  # a copy: the caller may fill the array anew
        if now.recorder is not None:
            args = now.recorder.called(self, args)
        outer = now.call
        place = users_place() if outer is None or not outer[3] else None
        now.call = (self, outer, place, self.is_built_in)
        try:
            output = self.forward(*args, **kwargs)
        finally:
            now.call = outer
        if output is None:
            raise TypeError(f"{type(self).__name__}: forward gave None back; let it end with: return ...")
        return self._hooked(args, output) if self._forward_hooks else output

    def _hooked(self, args: tuple, output: Any) -> Any:
        for hook in list(self._forward_hooks.values()):
            replacement = hook(self, args, output)
            output = output if replacement is None else replacement
        return output

    def register_forward_hook(self, hook: Callable) -> Handle:
        """Call ``hook(module, args, output)`` after each forward; what it returns, if not None, is the new output.

        >>> layer, shapes = nn.Linear(3, 2), []
        >>> handle = layer.register_forward_hook(lambda module, args, output: shapes.append(output.shape))
        >>> _ = layer(np.ones((4, 3)))
        >>> shapes
        [(4, 2)]
        >>> handle.remove()
        """
        if not callable(hook):
            raise TypeError(f"register_forward_hook: expected a function(module, args, output), got {hook!r:.60}")
        return Handle(self._forward_hooks, hook)

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if name in _METHODS and (not callable(value) or isinstance(value, (Module, type))):
            raise AttributeError(
                f"{type(self).__name__}: every module has a method {name}(), which an attribute of that name would "
                "hide; choose another name"
            )
        if isinstance(value, (Parameter, Module)):
            check_name(self, name)
            if "_persistent" not in own:
                raise AttributeError(
                    f"{type(self).__name__}: {name!r} was assigned before super().__init__() was called. "
                    "Make that call the first line of __init__."
                )
            _give_names(name, value)
        elif value is not None and isinstance(own.get(name), (Parameter, Module)):
            kind = type(own[name]).__name__
            raise TypeError(
                f"{type(self).__name__}: {name!r} is a {kind} and cannot become a {type(value).__name__}. "
                f"For new values in the same parameter write .data = ..., or assign another {kind}, or None."
            )
        elif name == "training" and not isinstance(value, (bool, np.bool_)):
            raise TypeError(f"{type(self).__name__}: training is True or False, got {value!r:.60}")
        changes[0] += 1
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        changes[0] += 1
        object.__delattr__(self, name)
        self._persistent.pop(name, None)

    def __getattr__(self, name: str) -> Any:  # only for what is not there
        hint = nearest(name, dir(self))
        if "_persistent" not in self.__dict__ and not name.startswith("__"):
            hint += "; super().__init__() has not been called"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def register_buffer(self, name: str, value, persistent: bool = True) -> None:
        """Keep an array that belongs to the state but is not learned, such as a running mean.

        It is an attribute and a part of ``state_dict()``, the latter unless ``persistent`` is false.
        Raises KeyError if the name is taken.
        """
        check_name(self, name)
        if hasattr(self, name):
            raise KeyError(f"register_buffer: {type(self).__name__} has an attribute {name!r} already")
        self._persistent[name] = persistent
        setattr(self, name, value)

    # ------------------------------------------------------------------ what is inside

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly inside, with the names of their attributes."""
        return ((name, value) for name, value in vars(self).items() if isinstance(value, Module))

    def children(self) -> Iterator[Module]:
        """The modules directly inside, each once."""
        return iter(dict.fromkeys(child for _, child in self.named_children()))

    def named_modules(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """This module (under the name ``prefix``) and all modules inside, with their dotted names.

        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.ReLU())).named_modules()]
        ['', '0', '1', '1.0']
        """
        return self._named_modules(prefix, set() if remove_duplicate else None)

    def _named_modules(self, prefix: str, seen: set[Module] | None) -> Iterator[tuple[str, Module]]:
        if seen is not None:
            if self in seen:
                return
            seen.add(self)
        yield prefix, self
        for name, child in self.named_children():
            yield from child._named_modules(_joined(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """This module and all modules inside, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their dotted names; a shared one comes once, under its first name.

        >>> [name for name, _ in nn.Sequential(nn.Linear(2, 3), nn.ReLU()).named_parameters()]
        ['0.weight', '0.bias']
        """
        seen: set[Parameter] = set()
        for path, module in self.named_modules(prefix, remove_duplicate):
            for name, value in list(vars(module).items()):
                if isinstance(value, Parameter) and value not in seen:
                    if remove_duplicate:
                        seen.add(value)
                    yield _joined(path, name), value

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, each once, however often it is used: what an optimizer is given.

        Warns of layers and parameters in plain lists, tuples, sets and dicts, which are not among them.
        """
        self._warn_of_hidden()
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self, prefix: str = "", remove_duplicate: bool = True) -> Iterator[tuple[str, Any]]:
        """All buffers with their dotted names."""
        for path, module in self.named_modules(prefix, remove_duplicate):
            for name in module._persistent:
                yield _joined(path, name), getattr(module, name)

    def buffers(self) -> Iterator[Any]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers())

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of all parameters and persistent buffers as arrays, by their dotted names.

        What is shared stands under each of its names. The names, shapes and order are PyTorch's, so that
        ``{name: torch.from_numpy(a) for name, a in model.state_dict().items()}`` loads there, and the other way round.

        >>> {name: array.shape for name, array in nn.Linear(3, 2).state_dict().items()}
        {'weight': (2, 3), 'bias': (2,)}
        """
        self._warn_of_hidden()
        return {
            name: np.array(_array(getattr(module, attribute))) for name, (module, attribute) in self._places().items()
        }

    def load_state_dict(self, state: Mapping[str, Any], strict: bool = True) -> tuple[list[str], list[str]]:
        """Copy the arrays of ``state`` into the parameters and buffers; they keep their identity and dtype.

        Returns the names that were missing in ``state`` and those that nothing here goes by. With ``strict`` either
        is an error; a shape that does not match always is. Raises ValueError with all that is wrong in one message,
        and TypeError for what is no dict of arrays, such as the path of a file; nothing has changed then.

        >>> model = nn.Linear(2, 1)
        >>> model.load_state_dict({"weight": np.ones((1, 2)), "bias": np.zeros(1)})
        ([], [])
        >>> model.load_state_dict({"weight": np.ones((1, 3)), "bais": np.zeros(1)})
        Traceback (most recent call last):
            ...
        ValueError: load_state_dict: the state does not fit this Linear, and nothing was changed.
          missing: bias
          unexpected: bais
          another shape: weight has (1, 2) here, (1, 3) in the state
        """
        check_state(state)
        places = self._places()
        given = {name: np.array(_plain(value, name)) for name, value in state.items()}  # own ones may be among them
        missing = [name for name in places if name not in given]
        unexpected = [name for name in given if name not in places]
        wrong = []
        for name in places.keys() & given.keys():
            here = np.shape(_array(getattr(*places[name])))
            if given[name].shape != here:
                wrong.append(f"{name} has {here} here, {given[name].shape} in the state")
            elif given[name].dtype.kind not in "fiub":
                wrong.append(f"{name} is no array of numbers in the state, but {given[name].dtype}")
        if wrong or (strict and (missing or unexpected)):
            raise ValueError(what_does_not_fit(type(self).__name__, missing, unexpected, sorted(wrong)))
        for name in places.keys() & given.keys():
            module, attribute = places[name]
            value = getattr(module, attribute)
            if isinstance(value, Tensor):
                value._write(given[name])
            else:  # a new array, since the old one may stand in a graph
                setattr(module, attribute, given[name].astype(np.asarray(value).dtype))
        return missing, unexpected

    def _places(self) -> dict[str, tuple[Module, str]]:
        """Where each entry of the state_dict lives: the module and the attribute."""
        places = {}
        for path, module in self.named_modules(remove_duplicate=False):
            parameters = [name for name, value in vars(module).items() if isinstance(value, Parameter)]
            buffers = [name for name, persistent in module._persistent.items() if persistent]
            for name in parameters + buffers:
                if getattr(module, name) is not None:
                    places[_joined(path, name)] = (module, name)
        return places

    # ------------------------------------------------------------------ changes to all that is inside

    def train(self, mode: bool = True) -> Module:
        """Switch this module and all inside to training (dropout drops, batch norm uses the batch), or with false off.

        >>> nn.Sequential(nn.Dropout(0.5)).train(False)[0].training
        False
        """
        self._warn_of_hidden()
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Module:
        """Switch to evaluation: ``train(False)``. Gradients are recorded still; ``tg.no_grad()`` is for that."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters: each ``grad`` is None again."""
        if mode.now.recorder is not None:
            mode.now.recorder.forget(parameter for _, parameter in self.named_parameters())
        for _, parameter in self.named_parameters():
            parameter._grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Let all parameters require a gradient, or with false freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def apply(self, function: Callable[[Module], Any]) -> Module:
        """Call ``function`` with each module, the ones inside first.

        >>> def start(module):
        ...     if isinstance(module, nn.Linear):
        ...         nn.init.zeros_(module.bias)
        >>> model = nn.MLP(2, [4], 1).apply(start)
        """
        if not callable(function):
            raise TypeError(f"apply: expected a function of one module, got {function!r:.60}")
        for module in reversed(list(self.modules())):
            function(module)
        return self

    def to(self, dtype) -> Module:
        """Change all parameters and all float buffers to another float dtype, which makes them forget their gradients.

        Raises TypeError if it is no float dtype.

        >>> nn.Linear(2, 1).to(np.float64).weight.dtype
        dtype('float64')
        """
        try:
            dtype = np.dtype(dtype)
        except TypeError:
            raise TypeError(
                f"to: expected a dtype such as np.float64, got {dtype!r:.60}; there are no devices"
            ) from None
        if dtype.kind != "f":
            raise TypeError(f"to: parameters are floats, expected a dtype such as float32 or float64, got {dtype}")
        for parameter in self.parameters():
            parameter._convert(dtype)
        for module in self.modules():
            for name in module._persistent:
                buffer = getattr(module, name)
                if buffer is not None and buffer.dtype.kind == "f":
                    setattr(module, name, buffer.astype(dtype))
        return self

    def _warn_of_hidden(self) -> None:
        found = hidden(self)
        if found:
            warnings.warn(told(self, found), stacklevel=3)

    # ------------------------------------------------------------------ text

    def extra_repr(self) -> str:
        """Text between the brackets of the module's line; a subclass may say more."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()]
        extra = self.extra_repr()
        if not children:
            return f"{type(self).__name__}({extra})"
        return "\n  ".join([f"{type(self).__name__}({extra}", *children]) + "\n)"


_METHODS = {name: value for name, value in vars(Module).items() if callable(value) and not name.startswith("__")}


def _is_array(x: Any, eager: bool) -> bool:
    """Tell whether the first argument is an array of any make; while a program is recorded, an array of NumPy."""
    return type(x) is np.ndarray or (eager and hasattr(x, "__array__") and not isinstance(x, Tensor))


def _joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Evaluation mode for a while; each module then gets its own mode back."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def _array(value: Any) -> Any:
    return value._array if isinstance(value, Tensor) else value


def _plain(value: Any, name: str) -> Any:
    """Stored form of this name's array; TypeError if a mask would be lost."""
    return as_array(value, f"load_state_dict: {name}") if np.ma.isMaskedArray(value) else _array(value)


def _give_names(name: str, value: Parameter | Module) -> None:
    """Call each parameter by its path, unless it goes by another name: one of the user's, or another place's."""
    if isinstance(value, Parameter):
        value.name = value.name or name
        return
    for path, parameter in value.named_parameters():
        if parameter.name == path:
            parameter.name = f"{name}.{path}"
