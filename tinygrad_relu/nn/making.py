"""How the package's own modules are made: what ``nn.Softmax(...)`` is given must be options, and no data."""

from __future__ import annotations

import functools
import inspect
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..tensor import Tensor

__all__ = ["checked_init", "named", "positive", "spelled"]

# What an annotation promises, and what is let through; a float for an int is for the module itself to refuse.
_KINDS: dict[str, tuple[str, Any]] = {
    "int": ("a whole number", numbers.Real),
    "float": ("a number", numbers.Real),
    "str": ("text", str),
    "bool": ("True or False", (bool, np.bool_)),
}


def checked_init(init: Callable[..., None]) -> Callable[..., None]:
    """The ``__init__`` of a module, with errors for data, for other options than it has and for values of other kinds.

    >>> nn.ReLU(Tensor([1.0]))
    Traceback (most recent call last):
        ...
    TypeError: ReLU: got a Tensor of shape (1,) where it is made. Make it first, then call it: nn.ReLU()(x)
    """
    signature = inspect.signature(init)
    expected = {name: str(parameter.annotation) for name, parameter in signature.parameters.items()}

    @functools.wraps(init)
    def checked(self, *args, **options):
        kind = type(self)
        try:
            given = signature.bind(self, *args, **options).arguments
        except TypeError as error:
            _refuse_data(kind, signature, {str(i): value for i, value in enumerate([*args, *options.values()])}, {})
            raise TypeError(
                f"{kind.__name__}: {error}. It is made as {_called(kind, spelled(_options(signature)))}"
            ) from None
        del given["self"]
        _refuse_data(kind, signature, given, expected)
        for name, value in given.items():
            _check_kind(kind, name, value, expected[name])
        init(self, *args, **options)

    return checked


def _refuse_data(kind: type, signature: inspect.Signature, given: dict[str, Any], expected: dict[str, str]) -> None:
    for name, value in given.items():
        if not _is_data(value) or _may_be_an_array(name, value, expected.get(name, "")):
            continue
        required = [p.name for p in _options(signature) if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        inputs = list(inspect.signature(kind.forward).parameters)[1:]  # type: ignore[attr-defined]
        call = f"{_called(kind, ', '.join(required))}({', '.join(inputs)})"
        raise TypeError(
            f"{kind.__name__}: got {'a Tensor' if isinstance(value, Tensor) else 'an array'} of shape "
            f"{np.shape(value)} where it is made. Make it first, then call it: {call}"
        )


def _is_data(value: Any) -> bool:
    return isinstance(value, Tensor) or (hasattr(value, "__array__") and np.ndim(value) > 0)


def _may_be_an_array(name: str, value: Any, wanted: str) -> bool:
    if wanted == "Any":
        return name != "weight" or np.ndim(value) < 2  # one number for each class; two axes have scores
    return "Sequence" in wanted and isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu"


def _check_kind(kind: type, name: str, value: Any, wanted: str) -> None:
    if wanted == "Any" and isinstance(value, str):
        raise TypeError(f"{kind.__name__}: {name} must be numbers, got str {value!r:.60}")
    base, _, none = wanted.partition(" | ")
    if base not in _KINDS or none not in ("", "None") or (none and value is None):
        return
    words, types = _KINDS[base]
    if not isinstance(value, types) or (isinstance(value, bool) and base != "bool"):
        raise TypeError(f"{kind.__name__}: {name} must be {words}, got {type(value).__name__} {value!r:.60}")


def _called(kind: Any, options: str) -> str:
    return f"{'nn.' * kind.is_built_in}{kind.__name__}({options})"


def _options(signature: inspect.Signature) -> list[inspect.Parameter]:
    return list(signature.parameters.values())[1:]


def spelled(parameters: Iterable[inspect.Parameter]) -> str:
    """Parameters with their defaults, as they stand in a call."""
    return ", ".join(str(parameter.replace(annotation=parameter.empty)) for parameter in parameters)


def named(parameter: Tensor | None) -> str:
    """' 0' for the layer whose parameter is called '0.weight', for errors."""
    path = parameter.name.rpartition(".")[0] if parameter is not None and parameter.name else ""
    return f" {path!r}" if path else ""


def positive(owner: str, name: str, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{owner}: {name} must be a positive integer, got {value!r}")
    return int(value)
