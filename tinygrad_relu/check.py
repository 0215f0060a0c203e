"""Proof that a gradient is right: the backward rules against finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .functional import _one_for_each, grad
from .mode import enable_grad
from .tensor import Tensor


class GradcheckError(AssertionError):
    """Error of gradcheck for a slope that is wrong; its text is a table of analytic against numeric slopes."""


@dataclass
class Slope:
    """One entry of the Jacobian, d output[j] / d input[i], by the backward rule and by finite differences."""

    output: str
    input: str
    analytic: float
    numeric: float
    left: float
    right: float

    def row(self) -> str:
        """The entry as a line of the table."""
        numbers = "".join(f"{x:>14.6g}" for x in (self.analytic, self.numeric, self.left, self.right))
        return f"{self.output:<16}{self.input:<16}{numbers}"


@dataclass
class GradcheckReport:
    """Result of a comparison. True if nothing is wrong; ``kinks`` are slopes where the function bends."""

    compared: int = 0
    kinks: list[Slope] = field(default_factory=list)
    wrong: list[Slope] = field(default_factory=list)

    def __bool__(self) -> bool:
        return not self.wrong

    def __repr__(self) -> str:
        lines = [f"{self.compared} slopes compared with finite differences: "
                 f"{self.compared - len(self.kinks) - len(self.wrong)} agree, {len(self.kinks)} at a kink, "
                 f"{len(self.wrong)} wrong"]  # fmt: skip
        for title, slopes in (("wrong", self.wrong), ("kink: analytic lies between left and right", self.kinks)):
            if slopes:
                columns = "".join(f"{name:>14}" for name in ("analytic", "numeric", "left", "right"))
                lines.append(f"{title}\n{'output':<16}{'input':<16}{columns}")
                lines += [slope.row() for slope in slopes[:20]]
                if len(slopes) > 20:
                    lines.append(f"... and {len(slopes) - 20} more")
        return "\n".join(lines)


def gradcheck(
    func: Callable[..., Any], inputs, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-4,
    raise_exception: bool = True,
) -> GradcheckReport:  # fmt: skip
    """Compare the gradients of ``func(*inputs)`` with finite differences, in float64 whatever the inputs are.

    ``inputs``: a Tensor or array, or a sequence of them. Those that require a gradient are checked, or all of floats
    if none does. A slope a passes if |a - n| <= atol + rtol * |n|, where n = (f(x + eps) - f(x - eps)) / (2 eps).
    Where it does not, but the differences to the left and to the right disagree, however small the step, x is at a
    kink: then any slope between the two passes (it is a subgradient), and the report says so. Where the function
    jumps, the slope of one of its two sides passes. An output is also tried in a sum with each input of its shape,
    since a rule that changes the gradient it is given is wrong only where that is used twice.

    Returns a report that is true if all slopes pass. Otherwise raises GradcheckError with a table of the wrong ones,
    or returns the report, which is false, with ``raise_exception=False``.

    >>> tg.gradcheck(tg.relu, Tensor([-1.0, 0.0]))
    4 slopes compared with finite differences: 3 agree, 1 at a kink, 0 wrong
    kink: analytic lies between left and right
    output          input                 analytic       numeric          left         right
    0[1]            0[1]                         0           0.5             0             1
    """
    tensors, checked = _in_float64(inputs)
    with enable_grad():
        outputs = _outputs(func, tensors)
    report = GradcheckReport()
    values = [np.array(output._array) for output in outputs]
    analytic = [_analytic(output, checked) for output in outputs]
    for i, x in enumerate(checked):
        for index in np.ndindex(x.shape):
            far = _differences(func, tensors, x, index, eps, values)
            near = None
            for j, value in enumerate(values):
                for at in np.ndindex(value.shape):
                    slope = Slope(
                        f"{j}{list(at)}", f"{i}{list(index)}", float(analytic[j][i][at + index]),
                        *(float(side[at]) for side in far[j]),
                    )  # fmt: skip
                    report.compared += 1
                    if _close(slope.analytic, slope.numeric, atol, rtol):
                        continue
                    near = near or _differences(func, tensors, x, index, eps / 8, values)
                    _judge(slope, report, atol, rtol, *(float(side[at]) for side in near[j]))
    if not report.wrong:  # one fault is told once
        _compare_in_sums(func, tensors, checked, analytic, report, atol, rtol)
    if report.wrong and raise_exception:
        raise GradcheckError(f"gradcheck of {getattr(func, '__name__', func)}: {report!r}")
    return report


def gradgradcheck(
    func: Callable[..., Any], inputs, grad_outputs=None, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-4,
    raise_exception: bool = True,
) -> GradcheckReport:  # fmt: skip
    """Compare second derivatives with finite differences of the first: ``gradcheck`` of the backward pass itself.

    ``grad_outputs`` are the weights of the outputs; random ones, always the same, if left out. The backward pass is
    checked as a function of the inputs and of these weights. All else is as in ``gradcheck``.

    >>> bool(tg.gradgradcheck(lambda x, y: x * x * y, (Tensor([1.0, 2.0]), Tensor([3.0, 4.0]))))
    True
    """
    tensors, checked = _in_float64(inputs)
    with enable_grad():
        outputs = _outputs(func, tensors)
    if grad_outputs is None:
        random = np.random.default_rng(0)
        weights = [Tensor(random.normal(size=output.shape)) for output in outputs]
    else:
        weights = [Tensor(w, dtype=np.float64) for w in _one_for_each(grad_outputs, outputs)]
    places = [next(k for k, t in enumerate(tensors) if t is x) for x in checked]

    def backward_pass(*arguments):
        xs, vs = arguments[: len(checked)], arguments[len(checked) :]
        replaced = list(tensors)
        for place, x in zip(places, xs):
            replaced[place] = x
        results = _outputs(func, replaced)
        pairs = [(r, v) for r, v in zip(results, vs) if r.requires_grad]
        found = grad([r for r, _ in pairs], xs, [v for _, v in pairs], create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    backward_pass.__name__ = f"the backward pass of {getattr(func, '__name__', func)}"
    arguments = [Tensor(t._array, requires_grad=True) for t in (*checked, *weights)]
    return gradcheck(backward_pass, arguments, eps, atol, rtol, raise_exception)


def _close(analytic: float, numeric: float, atol: float, rtol: float) -> bool:
    return analytic == numeric or abs(analytic - numeric) <= atol + rtol * abs(numeric)


def _judge(
    slope: Slope, report: GradcheckReport, atol: float, rtol: float, numeric: float, left: float, right: float
) -> None:
    """Kink or wrong? ``numeric``, ``left`` and ``right`` are the slopes of a step eight times smaller. With it the gap
    between left and right stays the same at a kink, grows eightfold at a jump, and shrinks to an eighth where the
    function is smooth, or to nothing where the kink stands a little aside.
    """
    low, high = min(slope.left, slope.right), max(slope.left, slope.right)
    room = atol + rtol * min(abs(low), abs(high))
    growth = abs(right - left) / (high - low) if high - low > 2 * room else 0
    if growth < 0.2:
        bends, passes = False, _close(slope.analytic, numeric, atol, rtol)
    elif growth < 5:
        bends, passes = True, low - room <= slope.analytic <= high + room
    else:
        bends, passes = True, any(_close(slope.analytic, side, atol, rtol) for side in (left, right))
    if not passes:
        report.wrong.append(slope)
    elif bends:
        report.kinks.append(slope)


def _in_float64(inputs) -> tuple[list[Any], list[Tensor]]:
    """The arguments as float64 leaves of their own (integers stay as they are), and those that are to be checked."""
    given = inputs if isinstance(inputs, (list, tuple)) else (inputs,)
    tensors, floats = [], []
    for x in given:
        tensor = x if isinstance(x, Tensor) else Tensor(x)
        if tensor.dtype.kind == "f":
            wanted = tensor.requires_grad
            tensor = Tensor(tensor, dtype=np.float64)
            floats.append((tensor, wanted))
        tensors.append(tensor)
    checked = [tensor for tensor, wanted in floats if wanted] or [tensor for tensor, _ in floats]
    if not checked:
        raise ValueError("gradcheck: none of the inputs is a floating-point tensor, so there is no slope to check")
    for tensor in checked:
        tensor.requires_grad = True
    return tensors, checked


def _outputs(func: Callable[..., Any], tensors) -> list[Tensor]:
    outputs = func(*tensors)
    outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
    for output in outputs:
        if not isinstance(output, Tensor) or output.dtype != np.float64:
            got = f"a {output.dtype} Tensor" if isinstance(output, Tensor) else f"a {type(output).__name__}"
            raise TypeError(
                f"gradcheck: the function must return float64 Tensors for float64 inputs, got {got}. "
                "Finite differences drown in the rounding of anything coarser."
            )
    return outputs


def _analytic(output: Tensor, checked: list[Tensor]) -> list[np.ndarray]:
    """The Jacobian by the backward rules, for each input an array of shape output.shape + input.shape."""
    jacobians = [np.zeros(output.shape + x.shape) for x in checked]
    if not output.requires_grad:
        return jacobians
    for at in np.ndindex(output.shape):
        one = np.zeros(output.shape)
        one[at] = 1
        for jacobian, g in zip(jacobians, grad(output, checked, one, retain_graph=True, allow_unused=True)):
            if g is not None:
                jacobian[at] = g._array
    return jacobians


def _compare_in_sums(
    func: Callable[..., Any], tensors, checked: list[Tensor], analytic: list[list[np.ndarray]],
    report: GradcheckReport, atol: float, rtol: float,
) -> None:  # fmt: skip
    """Go back through output + x for each input x of its shape: both get one array then, which no rule may change."""
    with enable_grad():
        outputs = _outputs(func, tensors)  # anew, since elements of the inputs have been moved meanwhile
    for j, output in enumerate(outputs):
        for i, x in enumerate(checked):
            if x.shape != output.shape or not output.requires_grad:
                continue
            found = grad(output + x, checked, np.ones(output.shape), retain_graph=True, allow_unused=True)
            for k, (g, jacobian) in enumerate(zip(found, analytic[j])):
                expected = jacobian.sum(axis=tuple(range(output.ndim))) + (k == i)
                for index in np.ndindex(expected.shape):
                    a, n = float(0 if g is None else g._array[index]), float(expected[index])
                    if not (_close(a, n, atol, rtol) or np.isnan(n)):
                        report.wrong.append(Slope(f"{j} + input {i}", f"{k}{list(index)}", a, n, n, n))


def _differences(func, tensors, x: Tensor, index, step: float, values) -> list[tuple[np.ndarray, ...]]:
    """For each output the slopes by finite differences: across, to the left, to the right."""
    above, below = (_values_beside(func, tensors, x, index, move) for move in (step, -step))
    return [((a - b) / (2 * step), (v - b) / step, (a - v) / step) for a, b, v in zip(above, below, values)]


def _values_beside(func, tensors, x: Tensor, index, step: float) -> list[np.ndarray]:
    """The outputs with one element of one input moved by ``step``."""
    before = x.data[index]
    x.data[index] = before + step
    try:
        with enable_grad():  # a backward pass that is checked records as it runs
            return [np.array(output._array) for output in _outputs(func, tensors)]
    finally:
        x.data[index] = before
