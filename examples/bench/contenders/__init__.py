"""Who takes part. Each lives in a file of its own here, as a function of a Problem that returns a step to time."""

from __future__ import annotations

import importlib
import importlib.util
import shutil
from collections.abc import Callable
from dataclasses import dataclass

from problem import Problem


@dataclass(frozen=True)
class Contender:
    """A name to show, the function ``file.function`` that sets up its step, and what has to be installed.

    ``note`` tells where it does not train exactly as the others do; ``two_classes`` is false if, with two classes,
    that changes the loss.
    """

    name: str
    place: str
    package: str = "numpy"
    program: str = ""
    note: str = ""
    two_classes: bool = True

    def make(self, problem: Problem) -> Callable[[], float]:
        """The step: it trains once and returns the loss before."""
        module, function = self.place.split(".")
        return getattr(importlib.import_module(f"contenders.{module}"), function)(problem)

    def missing(self) -> str:
        """What would have to be installed, or nothing."""
        if importlib.util.find_spec(self.package) is None:
            return f"the package {self.package}"
        if self.program and shutil.which(self.program) is None:
            return f"the program {self.program}"
        return ""

    def trains_alike(self, problem: Problem) -> bool:
        """Whether its loss must be the others'."""
        return self.two_classes or problem.sizes[-1] > 2


CONTENDERS = {
    "expert": Contender("expert's NumPy", "expert.numpy_by_hand"),
    "tuned": Contender(
        "NumPy tuned by hand",
        "tuned.numpy_tuned",
        note="leaves no gradients behind, and lets a NaN and an infinity pass where ReLU's gradient is 0",
    ),
    "compiled": Contender("tinygrad_relu, compiled", "this_engine.compiled"),
    "eager": Contender("tinygrad_relu", "this_engine.eager"),
    "assigned": Contender("tinygrad_relu, .data set", "this_engine.assigned"),
    "jax": Contender("jax.jit", "jax_jit.jitted", "jax"),
    "torch": Contender("PyTorch", "pytorch.eager", "torch"),
    "torch.compile": Contender("torch.compile", "pytorch.compiled", "torch", program="g++"),
    "mygrad": Contender(
        "MyGrad",
        "mygrad_tensor.eager",
        "mygrad",
        note="has no optimizers: the update is plain NumPy, array by array",
    ),
    "autograd": Contender(
        "HIPS autograd",
        "hips_autograd.eager",
        "autograd",
        note="has no optimizer for single steps: the update is plain NumPy, array by array",
    ),
    "tinygrad": Contender("tinygrad, TinyJit", "tinyjit.jitted", "tinygrad", program="clang"),
    "sklearn": Contender(
        "scikit-learn",
        "sklearn_mlp.partial_fit",
        "sklearn",
        note="checks its input in each step, and has one logistic unit in place of two outputs",
        two_classes=False,
    ),
}
