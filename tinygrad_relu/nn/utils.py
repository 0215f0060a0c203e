"""Operations on all parameters or all gradients at once.

Each takes ``model.parameters()`` or a list of Tensors, and raises TypeError for anything else, ValueError for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..deciding import deciding
from ..mode import mode
from ..record.words import plural
from ..tensor import Tensor
from ..tensor import as_array as _as_array

__all__ = [
    "clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "vector_to_parameters",
]  # fmt: skip


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> float:
    """Scale all gradients by one factor, so that their norm, as if they were one vector, is at most ``max_norm``.

    Returns the norm before. Call it between ``backward()`` and ``step()``. ``norm_type`` is the p of the p-norm,
    ``math.inf`` for the largest element. Raises RuntimeError for a norm that is NaN or infinite, if that is asked
    for with ``error_if_nonfinite``, and ValueError for a ``max_norm`` below 0, which would turn the gradients round.

    Pascanu, Mikolov and Bengio 2013, "On the difficulty of training recurrent neural networks", algorithm 1.

    >>> w = nn.Parameter([1.0, 1.0])
    >>> w.grad = [3.0, 4.0]
    >>> nn.utils.clip_grad_norm_([w], max_norm=0.5)
    5.0
    >>> w.grad
    Tensor([0.3, 0.4])
    """
    _check_limit("clip_grad_norm_", "max_norm", max_norm)
    _check_limit("clip_grad_norm_", "norm_type", norm_type)
    with_grad = _with_grad("clip_grad_norm_", parameters)
    norms = [np.linalg.norm(np.ravel(_grad_array(p)), norm_type) for p in with_grad]
    if not norms:
        return 0.0
    with deciding("clip_grad_norm_"):
        total = np.linalg.norm(np.stack(norms), norm_type)
        if error_if_nonfinite and not np.isfinite(total):
            hint = "tg.detect_anomaly() finds out why"
            raise RuntimeError(f"clip_grad_norm_: the norm of the gradients is {total}; {hint}")
        factor = np.minimum(max_norm / (total + 1e-6), 1).item()
        for p in with_grad:
            _replace_grad(p, np.multiply(_grad_array(p), factor))
        return total.item()


clip_grad_norm = clip_grad_norm_


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Hold each element of all gradients between -clip_value and clip_value.

    >>> w = nn.Parameter([1.0, 1.0])
    >>> w.grad = [3.0, -0.25]
    >>> nn.utils.clip_grad_value_([w], 0.5)
    >>> w.grad
    Tensor([ 0.5 , -0.25])
    """
    _check_limit("clip_grad_value_", "clip_value", clip_value)
    for p in _with_grad("clip_grad_value_", parameters):
        _replace_grad(p, np.clip(_grad_array(p), -clip_value, clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> np.ndarray:
    """All values as one vector, copied, in the order of the parameters.

    >>> nn.utils.parameters_to_vector(nn.Linear(3, 2).parameters()).shape
    (8,)
    """
    return np.concatenate([np.ravel(p._array) for p in _listed("parameters_to_vector", parameters)])


def vector_to_parameters(vector, parameters: Iterable[Tensor]) -> None:
    """Copy a vector's values into the parameters, in their order; ValueError if its length is not theirs together.

    >>> w = nn.Parameter([1.0, 2.0])
    >>> nn.utils.vector_to_parameters(np.array([3.0, 4.0]), [w])
    >>> w
    Parameter([3., 4.], requires_grad=True)
    """
    params, vector = _listed("vector_to_parameters", parameters), _as_array(vector, "vector_to_parameters")
    size = sum(p.size for p in params)
    if vector.shape != (size,):
        raise ValueError(
            f"vector_to_parameters: expected a vector of {plural(size, 'value')}, got shape {vector.shape} "
            f"{vector.dtype}"
        )
    start = 0
    for p in params:
        p._write(vector[start : start + p.size].reshape(p.shape))
        start += p.size


def _listed(caller: str, parameters: Any) -> list[Tensor]:
    """The parameters as a list, or an error that says what to give."""
    if hasattr(parameters, "parameters") or not isinstance(parameters, Iterable):
        raise TypeError(f"{caller}: expected model.parameters(), got a {type(parameters).__name__}")
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not params:
        raise ValueError(f"{caller}: there are no parameters; note that an iterator can be used only once")
    for p in params:
        if not isinstance(p, Tensor):
            raise TypeError(f"{caller}: parameters are Tensors, got {type(p).__name__} {p!r:.60}")
    return params


def _check_limit(caller: str, name: str, limit: Any) -> None:
    if not isinstance(limit, (int, float, np.number)) or not limit >= 0:
        raise ValueError(f"{caller}: {name} must be a number, 0 or more, got {type(limit).__name__} {limit!r:.60}")


def _with_grad(caller: str, parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    params = _listed(caller, parameters)
    if mode.now.recorder is not None:
        for p in params:
            mode.now.recorder.hold(p)
    return [p for p in params if p._grad is not None]


def _grad_array(p: Tensor):
    return p._grad._array if isinstance(p._grad, Tensor) else p._grad


def _replace_grad(p: Tensor, array) -> None:
    """A raw gradient is this parameter's alone and is written where it is; one that has been read is replaced."""
    if isinstance(p._grad, np.ndarray):
        p._grad[...] = array
    else:
        p._grad = array
