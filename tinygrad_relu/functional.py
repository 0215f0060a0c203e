"""Derivatives of functions: gradients without ``backward``, and products with the Jacobian and the Hessian.

Each takes a function of Tensors and its inputs, as ``torch.autograd.functional`` does, and leaves ``grad`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import graph
from .mode import enable_grad
from .ops import stack
from .tensor import Tensor


def grad(
    outputs, inputs, grad_outputs=None, retain_graph: bool | None = None, create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """The gradients of the sum of ``outputs`` with respect to each of ``inputs``, as a tuple; ``.grad`` is not touched.

    ``outputs`` and ``inputs``: a Tensor or a sequence of them; inputs may be intermediate results. ``grad_outputs``:
    the weight of each output, of its shape; 1 for scalars if left out. ``create_graph`` records the computation, for
    gradients of gradients. An input on which no output depends raises RuntimeError, or gives None with
    ``allow_unused``.

    >>> x = Tensor(3.0, requires_grad=True)
    >>> (slope,) = tg.grad(x**3, x, create_graph=True)
    >>> slope, tg.grad(slope, x)
    (Tensor(27., op=multiply), (Tensor(18.),))
    """
    outputs, inputs = _as_tuple(outputs, "grad: outputs"), _as_tuple(inputs, "grad: inputs")
    weights = (None,) * len(outputs) if grad_outputs is None else _one_for_each(grad_outputs, outputs)
    if len(weights) != len(outputs):
        raise ValueError(f"grad: got {len(weights)} grad_outputs for {len(outputs)} outputs; give one for each")
    for what, tensors in (("output", outputs), ("input", inputs)):
        for i, tensor in enumerate(tensors):
            tensor._must_require_grad(f"grad of {what} {i}")
    starts = [output._starting_gradient(weight, create_graph, "grad") for output, weight in zip(outputs, weights)]
    keep = create_graph if retain_graph is None else retain_graph
    found = graph.backward_pass(outputs, starts, inputs=inputs, create_graph=create_graph, retain_graph=keep)
    return tuple(_found(found, tensor, i, allow_unused) for i, tensor in enumerate(inputs))


def _found(found: dict[Any, Any], tensor: Tensor, i: int, allow_unused: bool) -> Tensor | None:
    gradient = found.get(tensor)
    if gradient is None:
        if allow_unused:
            return None
        raise RuntimeError(
            f"grad: no output depends on input {i}{f' ({tensor.name})' if tensor.name else ''}. "
            "Compute the outputs from it, or give allow_unused=True to get None."
        )
    return gradient if isinstance(gradient, Tensor) else Tensor._from_array(gradient.copy(order="K"))


def vjp(func: Callable[..., Any], inputs, v=None) -> tuple[Tensor, tuple[Tensor, ...]]:
    """``func(*inputs)``, and v times its Jacobian: one gradient for each input. ``v`` has the shape of the result.

    This is what one backward pass computes. For a scalar result ``v`` may be left out.

    >>> tg.vjp(lambda x: x * x, Tensor([1.0, 2.0]), [1.0, 10.0])
    (Tensor([1., 4.]), (Tensor([ 2., 40.]),))
    """
    inputs = _fresh(inputs)
    with enable_grad():
        output = _one_tensor(func(*inputs), "vjp")
    return output.detach(), _gradients(output, inputs, v, create_graph=False)


def jvp(func: Callable[..., Any], inputs, v) -> tuple[Tensor, Tensor]:
    """``func(*inputs)``, and its Jacobian times v: the slope of the result when the inputs move along v.

    ``v``: one direction for each input, of its shape. Computed from the backward rules alone: u J is linear in u,
    and its derivative in u along v is J v (Townsend 2017, "A new trick for calculating Jacobian vector products").

    >>> tg.jvp(lambda x: x * x, Tensor([1.0, 2.0]), [1.0, 10.0])
    (Tensor([1., 4.]), Tensor([ 2., 40.]))
    """
    inputs = _fresh(inputs)
    directions = _as_directions(v, inputs, "jvp")
    with enable_grad():
        output = _one_tensor(func(*inputs), "jvp")
        u = Tensor(np.zeros(output.shape, output.dtype), requires_grad=True)
        products = _gradients(output, inputs, u, create_graph=True)
        moved = [(p, d) for p, d in zip(products, directions) if p.requires_grad]
        slope = grad([p for p, _ in moved], u, [d for _, d in moved], allow_unused=True)[0] if moved else None
    return output.detach(), Tensor(np.zeros(output.shape, output.dtype)) if slope is None else slope


def jacobian(func: Callable[..., Any], inputs, create_graph: bool = False):
    """The Jacobian d func_i / d input_j, of shape ``output.shape + input.shape``; a tuple of them for several inputs.

    >>> tg.jacobian(lambda x: x * x, Tensor([1.0, 2.0]))
    Tensor([[2., 0.],
            [0., 4.]])
    """
    single = not isinstance(inputs, (list, tuple))
    inputs = _fresh(inputs, keep_graph=create_graph)
    with enable_grad():
        output = _one_tensor(func(*inputs), "jacobian")
        rows = []
        for i in range(output.size):
            one = np.zeros(output.shape, output.dtype)
            one.reshape(-1)[i] = 1
            rows.append(_gradients(output, inputs, one, create_graph, retain_graph=True))
        found = tuple(_stacked([row[j] for row in rows], output.shape + x.shape, x) for j, x in enumerate(inputs))
    return found[0] if single else found


def hessian(func: Callable[..., Any], inputs):
    """The matrix of second derivatives of a scalar function, of shape ``input.shape + input.shape``.

    For several inputs a tuple of tuples: ``hessian[i][j]`` is d2 func / d input_i d input_j.

    >>> tg.hessian(lambda x: (x**3).sum(), Tensor([1.0, 2.0]))
    Tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    single = not isinstance(inputs, (list, tuple))
    inputs = tuple(inputs) if not single else (inputs,)

    def gradient_of(i):
        def gradient(*xs):
            return _gradients(_scalar(func(*xs), "hessian"), xs, None, create_graph=True)[i]

        return gradient

    rows = tuple(jacobian(gradient_of(i), inputs) for i in range(len(inputs)))
    return rows[0][0] if single else rows


def hvp(func: Callable[..., Any], inputs, v) -> tuple[Tensor, Any]:
    """``func(*inputs)``, and its Hessian times v without the matrix, at the price of two backward passes.

    >>> tg.hvp(lambda x: (x**3).sum(), Tensor([1.0, 2.0]), [1.0, 10.0])
    (Tensor(9.), Tensor([  6., 120.]))
    """
    single = not isinstance(inputs, (list, tuple))
    inputs = _fresh(inputs)
    directions = _as_directions(v, inputs, "hvp")
    with enable_grad():
        output = _scalar(func(*inputs), "hvp")
        slopes = _gradients(output, inputs, None, create_graph=True)
        along = sum((g * d).sum() for g, d in zip(slopes, directions))
        products = _gradients(along, inputs, None, create_graph=False)
    return output.detach(), products[0] if single else products


# ---------------------------------------------------------------------- what they share


def _gradients(output: Tensor, inputs, v, create_graph: bool, retain_graph: bool | None = None) -> tuple[Tensor, ...]:
    """The gradients of one output, zeros for inputs on which it does not depend."""
    if not output.requires_grad:
        return tuple(Tensor(np.zeros(x.shape, x.dtype)) for x in inputs)
    found = grad(output, inputs, v, retain_graph=retain_graph, create_graph=create_graph, allow_unused=True)
    return tuple(Tensor(np.zeros(x.shape, x.dtype)) if g is None else g for g, x in zip(found, inputs))


def _fresh(inputs, keep_graph: bool = False) -> tuple[Tensor, ...]:
    """The inputs as leaves of their own, so that nothing is added to the caller's graph."""
    if not isinstance(inputs, (list, tuple)):
        inputs = (inputs,)
    tensors = tuple(x if isinstance(x, Tensor) else Tensor(x) for x in inputs)
    if keep_graph:  # a node for each place, even if one tensor stands in two of them
        return tuple(x.reshape(x.shape) if x.requires_grad else Tensor(x, requires_grad=True) for x in tensors)
    return tuple(Tensor(x, requires_grad=True, name=x.name) for x in tensors)


def _stacked(rows: list[Tensor], shape: tuple[int, ...], like: Tensor) -> Tensor:
    if not rows:
        return Tensor(np.zeros(shape, like.dtype))
    return stack(rows).reshape(shape)


def _as_directions(v, inputs: Sequence[Tensor], caller: str) -> tuple[Any, ...]:
    directions = _one_for_each(v, inputs)
    if len(directions) != len(inputs):
        raise ValueError(f"{caller}: got {len(directions)} directions for {len(inputs)} inputs; give one for each")
    tensors = tuple(d if isinstance(d, Tensor) else Tensor(d, dtype=x.dtype) for d, x in zip(directions, inputs))
    for d, x in zip(tensors, inputs):
        if d.shape != x.shape:
            raise ValueError(f"{caller}: a direction has the shape of its input; got {d.shape} for {x.shape}")
    return tensors


def _one_for_each(value, tensors: Sequence[Tensor]) -> tuple[Any, ...]:
    """A sequence with an item for each tensor as a tuple; for a single tensor the item may stand alone."""
    if not isinstance(value, (list, tuple)):
        return (value,)
    if len(tensors) != 1:
        return tuple(value)
    # For a tensor of shape (2,) both [1.0, 2.0] and [[1.0, 2.0]] are clear.
    holds_it = len(value) == 1 and (
        value[0] is None or isinstance(value[0], Tensor) or np.shape(value[0]) == tensors[0].shape
    )
    return tuple(value) if holds_it else (value,)


def _as_tuple(value, what: str) -> tuple[Tensor, ...]:
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for x in values:
        if not isinstance(x, Tensor):
            raise TypeError(f"{what} must be a Tensor or a sequence of Tensors, got {type(x).__name__}")
    return values


def _one_tensor(output: Any, caller: str) -> Tensor:
    if not isinstance(output, Tensor):
        raise TypeError(
            f"{caller}: the function must return one Tensor computed from its inputs, got {type(output).__name__}"
        )
    return output


def _scalar(output: Any, caller: str) -> Tensor:
    if _one_tensor(output, caller).size != 1:
        raise ValueError(
            f"{caller}: the function must return a scalar, got shape {output.shape}; use jacobian for more outputs"
        )
    return output
