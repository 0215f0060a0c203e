"""tinygrad_relu: a tiny autograd engine on NumPy, to learn backpropagation with.

A ``Tensor`` records the graph of a computation, an ``Op`` is one node of it with a forward and a backward rule,
and ``backward()`` goes through the nodes in topological order.
"""

# `as` tells type checkers that a name is for everybody.
from . import data as data, dispatch as dispatch, graph as graph, nn as nn, ops as ops, optim as optim, random as random
from ._version import __version__ as __version__
from .activity import DeadUnits as DeadUnits, UnitActivity as UnitActivity, dead_units as dead_units
from .check import GradcheckError as GradcheckError, gradcheck as gradcheck, gradgradcheck as gradgradcheck
from .compile import CannotCompile as CannotCompile, CompiledFunction as CompiledFunction, compile as compile
from .draw import draw as draw
from .explain import explain as explain
from .functional import grad as grad, hessian as hessian, hvp as hvp, jacobian as jacobian, jvp as jvp, vjp as vjp
from .graph import topological_order as topological_order
from .mode import (
    detect_anomaly as detect_anomaly,
    enable_grad as enable_grad,
    get_default_dtype as get_default_dtype,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    set_default_dtype as set_default_dtype,
)
from .names import nearest as _nearest
from .op import Op as Op, register as register, registry as registry, unregister as unregister
from .ops import *  # noqa: F403
from .random import manual_seed as manual_seed
from .serialize import load as load, save as save
from .summary import LayerSummary as LayerSummary, ModelSummary as ModelSummary, summary as summary
from .tensor import Tensor as Tensor
from .train import History as History, fit as fit, predict as predict

del globals()["tensor"]  # the module: who looks for torch.tensor here is told the right word


def __getattr__(name: str):
    """Ops that a user registers are found here too: after ``@tg.register class Cube``, ``tg.cube`` is its function."""
    if name in registry:
        return registry[name].function
    raise AttributeError(f"module 'tinygrad_relu' has no attribute {name!r}{_nearest(name, globals())}")
