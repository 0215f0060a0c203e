"""Ways: what is done to a program. Each gives all answers, or raises an error that tells what went wrong."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree

import numpy as np

import tinygrad_relu as tg
from tinygrad_relu.draw.svg import svg

from .program import HERE, Program, there, weights

Answers = dict[str, np.ndarray]
"""Every result by a label: "v0" is a value, "x0.grad" a gradient of the loss, "x0.second" one of the gradients."""


def same(a: np.ndarray, b: np.ndarray, coarse: bool = False) -> bool:
    """The same shape, NaN and infinity in the same places, and the rest equal but for rounding."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(close(a, b, coarse).all())


def close(a: np.ndarray, b: np.ndarray, coarse: bool = False) -> np.ndarray:
    """Where two arrays are equal but for rounding."""
    precise = b.dtype != np.float32
    return np.isclose(a, b, (1e-7 if coarse else 1e-9) if precise else 1e-4, 1e-12 if precise else 1e-6, equal_nan=True)


@contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings of NumPy and PyTorch: programs go to 1 / 0 on purpose."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def on_torch(program: Program, nudge: Callable[[Any], Any] | None = None, ours: Answers | None = None) -> Answers:
    """The answers of PyTorch.

    ``nudge`` is applied to each float value whenever a step uses it, and to the gradient that this use gives.
    ``ours``: values and gradients that PyTorch goes on with instead of its own, where they are close.
    """
    names = there()
    torch = names["torch"]
    leaves = {name: torch.tensor(x, requires_grad=True) for name, x in program.leaves.items()}
    values = _Values({**names, **leaves, **{name: torch.tensor(x) for name, x in program.constants.items()}})
    values.nudge = nudge
    for step in program.steps:
        value = eval(step.there, values)
        if ours:
            if value.is_floating_point() and step.name in ours:
                value = _closer(value, ours[step.name])
            if value.requires_grad and f"{step.name}.grad" in ours:
                value.register_hook(functools.partial(_closer, ours=ours[f"{step.name}.grad"]))
        values[step.name] = value
    found = {name: values.get(name) for name in program.results}
    found |= _gradients(torch.autograd.grad, found, leaves, torch.tensor, program.dtype)
    return {label: x.detach().clone().numpy() for label, x in found.items()}  # its zeros may have no memory


class _Values(dict[str, Any]):
    """The names that steps use on PyTorch; each time that a value is looked up it is nudged anew."""

    nudge: Callable[[Any], Any] | None = None

    def __getitem__(self, name: str) -> Any:
        value = super().__getitem__(name)
        if self.nudge is None or name in there() or not value.is_floating_point():
            return value
        value = self.nudge(value)
        if value.requires_grad:
            value.register_hook(self.nudge)
        return value


def _closer(theirs: Any, ours: np.ndarray) -> Any:
    """Our numbers where they equal theirs but for rounding, else theirs."""
    array = theirs.detach().numpy()
    if ours.shape != array.shape or ours.dtype != array.dtype:
        return theirs
    return theirs + theirs.new_tensor(np.where(close(ours, array) & np.isfinite(ours), ours - array, 0))


def here(program: Program) -> tuple[dict[str, tg.Tensor], dict[str, tg.Tensor]]:
    """The leaves as Tensors, and the results of all steps by name."""
    names = dict(HERE)
    exec(program.function("here"), names)
    leaves = {name: tg.Tensor(x, requires_grad=True, name=name) for name, x in program.leaves.items()}
    return leaves, dict(zip(program.results, names["here"](**leaves, **program.constants)))


def eagerly(program: Program) -> Answers:
    """The answers here; gradients by ``tg.grad`` with ``create_graph``, which ``backward`` adds up in ``grad``."""
    leaves, values = here(program)
    found = values | _gradients(tg.grad, values, leaves, tg.Tensor, program.dtype)
    answers = {label: x.detach().numpy() for label, x in found.items()}
    if "loss.grad" in answers:
        leaves, values = here(program)
        for times in (1, 2):
            values["loss"].backward(retain_graph=True)
            for name, x in leaves.items():
                wanted = times * answers.get(f"{name}.grad", np.zeros_like(program.leaves[name]))
                plain = np.zeros_like(wanted) if x.grad is None else x.grad.numpy()
                assert same(plain, wanted), f"{name}: backward {times} times gives {plain!r}, tg.grad {wanted!r}"
    for name, x in leaves.items():
        assert np.array_equal(x.detach().numpy(), program.leaves[name], equal_nan=True), f"{name} was written into"
    return answers


def _gradients(grad: Callable[..., Any], values: Any, leaves: Any, tensor: Any, dtype: Any) -> dict[str, Any]:
    """The gradients of the loss for all values, from the end on, and the leaves' gradients of those of the leaves."""
    loss = values.get("loss")
    if loss is None or not loss.requires_grad:
        return {}
    wanted = {name: x for name, x in reversed(values.items()) if x.requires_grad} | leaves
    first = dict(zip(wanted, grad(loss, list(wanted.values()), create_graph=True, allow_unused=True)))
    found = {f"{name}.grad": g for name, g in first.items() if g is not None}
    terms = [
        (g * tensor(weights(tuple(g.shape), dtype))).sum()
        for g in map(first.get, leaves)
        if g is not None and g.requires_grad
    ]
    if terms and _all_finite([*leaves.values(), *values.values(), *found.values()]):
        try:
            second = grad(sum(terms), list(leaves.values()), allow_unused=True)
        except RuntimeError as error:
            if "is not implemented" not in str(error):  # PyTorch has no second derivative of some ops
                raise
        else:
            found |= {f"{name}.second": g for name, g in zip(leaves, second) if g is not None}
    return found


def _all_finite(found: list[Any]) -> bool:
    """Where something is infinite or NaN, a second gradient is made of inf - inf and 0 * inf, in whatever order."""
    return all(bool((abs(x.detach()) < np.inf).all()) for x in found if "bool" not in str(x.dtype))


def compiled(program: Program) -> None:
    """Four calls of the compiled step, the last two with the leaves' numbers in reverse, give eager's bits."""
    names = dict(HERE)
    exec(f"{program.function('here')}\n{program.training_step()}", names)
    names |= {name: tg.Tensor(x, requires_grad=True) for name, x in program.leaves.items()}
    step = tg.compile(names["step"])
    for call in range(4):
        if call == 2:
            for name, x in program.leaves.items():
                names[name].data = x.ravel()[::-1].reshape(x.shape).copy()
        try:
            wanted = names["step"](**program.constants)
        except ValueError:
            if call < 2:
                raise
            return  # other numbers have picked another number of elements, which fits nothing any more
        found = step(**program.constants)
        for label, a, b in zip([*program.results, *(f"{name}.grad" for name in program.leaves)], found, wanted):
            alike = a is b if a is None or b is None else _bits(a) == _bits(b)
            assert alike, f"call {call}: {label} is {a!r} compiled, {b!r} eager"


def _bits(x: tg.Tensor) -> bytes:
    """All of them; but there is one NaN, whose sign and payload nobody promises."""
    array = x.detach().numpy()
    return np.where(np.isnan(array), np.nan, array).tobytes()


def drawn(program: Program) -> None:
    """DOT text and well-formed SVG, before and after the gradients are there."""
    _, values = here(program)
    for _ in range(2):
        drawing = tg.draw(values["loss"])
        assert drawing.source.startswith("digraph")
        ElementTree.fromstring(svg(drawing.picture))
        values["loss"].backward(retain_graph=True)


def explained(program: Program) -> None:
    """The story as text and as a page; the gradients of leaves that it tells are those of ``backward``."""
    leaves, values = here(program)
    explorer = tg.explain(values["loss"])
    assert str(explorer) and explorer.html
    told = {value["name"]: value["grad"] for value in explorer.story["values"] if value["name"] in leaves}
    values["loss"].backward()
    for name, i in told.items():
        numbers = np.array(explorer.story["arrays"][i]["values"], leaves[name].dtype)
        assert same(numbers.reshape(leaves[name].shape), leaves[name].grad.numpy()), f"{name}: it tells {numbers}"


WAYS = {run.__name__: run for run in (compiled, drawn, explained)}
"""What a program is put through besides the comparison with PyTorch."""
