"""tinygrad_relu: a tiny autograd engine on NumPy, to learn backpropagation with.

A ``Tensor`` records the graph of a computation, an ``Op`` is one node of it with a forward and a backward rule,
and ``backward()`` goes through the nodes in topological order.
"""

from . import data, dispatch, graph, nn, ops, optim, random
from ._version import __version__
from .activity import DeadUnits, UnitActivity, dead_units
from .check import GradcheckError, gradcheck, gradgradcheck
from .compile import CannotCompile, CompiledFunction, compile
from .draw import draw
from .explain import explain
from .functional import grad, hessian, hvp, jacobian, jvp, vjp
from .graph import topological_order
from .mode import (
    detect_anomaly,
    enable_grad,
    get_default_dtype,
    is_grad_enabled,
    no_grad,
    set_default_dtype,
)
from .op import Op, _nearest, register, registry, unregister
from .ops import *  # noqa: F403
from .random import manual_seed
from .serialize import load, save
from .summary import LayerSummary, ModelSummary, summary
from .tensor import Tensor
from .train import History, fit, predict


def __getattr__(name: str):
    """Ops that a user registers are found here too: after ``@tg.register class Cube``, ``tg.cube`` is its function."""
    if name in registry:
        return registry[name].function
    raise AttributeError(f"module 'tinygrad_relu' has no attribute {name!r}{_nearest(name, globals())}")
