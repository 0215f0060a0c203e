"""Program: a random computation as text, which runs here and, in PyTorch's words, there."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

import tinygrad_relu as tg

HERE = {"tg": tg, "np": np, "inf": np.inf, "nan": np.nan}


def there() -> dict[str, Any]:
    """The names that a program uses on PyTorch, which is imported when it is first needed."""
    import torch

    return {"torch": torch, "F": torch.nn.functional, "math": math, "inf": np.inf, "nan": np.nan}


@dataclass(frozen=True)
class Step:
    """``name = here`` in this package, and ``name = there`` on PyTorch; ``op`` is what it is listed as in the table."""

    name: str
    op: str
    here: str
    there: str

    def uses(self) -> list[str]:
        """The names of the values that go into it."""
        return list(dict.fromkeys(re.findall(r"\b[xcvw]\d+\b", self.here + " " + self.there)))


@dataclass
class Program:
    """Leaves that require a gradient, constants, and steps over them; the last step is the loss.

    >>> from fuzz.program import Program, Step
    >>> square = Step("loss", "multiply", "(x0 * x0).sum()", "(x0 * x0).sum()")
    >>> print(Program({"x0": np.ones(2)}, {}, [square]).function("here"))
    def here(x0):
        loss = (x0 * x0).sum()
        return loss,
    """

    leaves: dict[str, np.ndarray]
    constants: dict[str, np.ndarray]
    steps: list[Step]

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        return {**self.leaves, **self.constants}

    @property
    def dtype(self) -> Any:
        return next(iter(self.leaves.values())).dtype

    @property
    def results(self) -> list[str]:
        return [step.name for step in self.steps]

    def function(self, side: str) -> str:
        """``def here`` or ``def there``: from the leaves and constants to the values of all steps."""
        lines = [f"def {side}({', '.join(self.inputs)}):"]
        lines += [f"    {step.name} = {getattr(step, side)}" for step in self.steps]
        return "\n".join([*lines, f"    return {', '.join(self.results)}{',' * (len(self.steps) == 1)}"])

    def training_step(self) -> str:
        """``def step``: what ``tg.compile`` gets, a function of the constants with the leaves as its globals."""
        gradients = [f"{name}.grad" for name in self.leaves]
        return "\n".join(
            [
                f"def step({', '.join(self.constants)}):",
                f"    {' = '.join(gradients)} = None",
                f"    {', '.join(self.results)}{',' * (len(self.steps) == 1)} = here({', '.join(self.inputs)})",
                "    loss.backward()",
                f"    return {', '.join(self.results + gradients)}",
            ]
        )

    def without(self, step: Step) -> Program | None:
        """The program without a step that only the loss uses, or None if another one uses it or nothing remains."""
        if step.name == "loss" or any(step.name in other.uses() for other in self.steps if other.name != "loss"):
            return None
        steps = []
        for other in self.steps:
            terms = [term for term in other.here.split(" + ") if f"({step.name} *" not in term]
            if other.name != "loss":
                steps += [other] if other is not step else []
            elif terms:
                steps.append(Step("loss", "loss", " + ".join(terms), " + ".join(terms)))
        used = {name for other in steps for name in other.uses()}
        kept = ({name: x for name, x in arrays.items() if name in used} for arrays in (self.leaves, self.constants))
        return Program(*kept, steps) if steps else None

    def alone(self, step: Step, values: dict[str, np.ndarray]) -> Program:
        """A program of this one step, with the values that went into it and the gradient that came back to it."""
        used = {name: values[name] for name in step.uses()}
        leaves = {name: x for name, x in used.items() if name not in self.constants and x.dtype.kind == "f"}
        constants = {name: x for name, x in used.items() if name not in leaves}
        if step.name == "loss":
            return Program(leaves, constants, [step])
        last = []
        if values[step.name].dtype.kind == "f":
            constants["w0"] = values.get(f"{step.name}.grad", weights(values[step.name].shape, values[step.name].dtype))
            last = [Step("loss", "loss", f"({step.name} * w0).sum()", f"({step.name} * w0).sum()")]
        return Program(leaves, constants, [step, *last])

    def script(self) -> str:
        """A Python program that shows both answers, to be pasted into a file or a notebook."""
        leaves, constants = (
            "".join(f"    {name!r}: np.{x!r},\n" for name, x in arrays.items())
            for arrays in (self.leaves, self.constants)
        )
        return _SCRIPT.format(
            here=self.function("here"),
            there=self.function("there"),
            leaves=leaves,
            constants=constants,
            weights=WEIGHTS,
        )


_SCRIPT = """\
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy import float64, inf, nan

import tinygrad_relu as tg


{here}


{there}


leaves = {{
{leaves}}}
constants = {{
{constants}}}


def show(function, tensor, array, grad):
    xs = {{name: tensor(x, requires_grad=True) for name, x in leaves.items()}}
    values = function(**xs, **{{name: array(x) for name, x in constants.items()}})
    print(function.__name__, "values", *values, sep="\\n    ")
    if values[-1].requires_grad:
        first = grad(values[-1], list(xs.values()), create_graph=True, allow_unused=True)
        print("  gradients", *first, sep="\\n    ")
        terms = [(g * array(np.resize({weights}, tuple(g.shape)))).sum() for g in first if g is not None]
        if any(term.requires_grad for term in terms):
            print("  second", *grad(sum(terms), list(xs.values()), allow_unused=True), sep="\\n    ")


np.seterr(all="ignore")
show(here, tg.Tensor, np.asarray, tg.grad)
show(there, torch.tensor, torch.tensor, torch.autograd.grad)
"""


WEIGHTS = [1.0, -0.5, 2.0, 0.75, -1.25, 1.5, 0.25]
"""Numbers of both signs and different sizes, all exact in binary."""


def weights(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """What the elements of a result count in the loss."""
    return np.resize(WEIGHTS, shape).astype(dtype)
