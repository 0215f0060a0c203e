"""tinygrad_relu: a tiny autograd engine on NumPy, to learn backpropagation with.

A ``Tensor`` records the graph of a computation, an ``Op`` is one node of it with a forward and a backward rule,
and ``backward()`` goes through the nodes in topological order.
"""

# `as` tells type checkers that a name is for everybody.
from . import data as data
from . import dispatch as dispatch
from . import graph as graph
from . import nn as nn
from . import ops as ops
from . import optim as optim
from . import random as random
from ._version import __version__ as __version__
from .check import GradcheckError as GradcheckError
from .check import gradcheck as gradcheck
from .check import gradgradcheck as gradgradcheck
from .compile import CannotCompile as CannotCompile
from .compile import CompiledFunction as CompiledFunction
from .compile import compile as compile
from .draw import draw as draw
from .explain import explain as explain
from .functional import grad as grad
from .functional import hessian as hessian
from .functional import hvp as hvp
from .functional import jacobian as jacobian
from .functional import jvp as jvp
from .functional import vjp as vjp
from .graph import topological_order as topological_order
from .mode import (
    detect_anomaly as detect_anomaly,
)
from .mode import (
    enable_grad as enable_grad,
)
from .mode import (
    get_default_dtype as get_default_dtype,
)
from .mode import (
    is_grad_enabled as is_grad_enabled,
)
from .mode import (
    no_grad as no_grad,
)
from .mode import (
    set_default_dtype as set_default_dtype,
)
from .names import here as _here
from .op import Op as Op
from .op import register as register
from .op import registry as registry
from .op import unregister as unregister
from .ops import *  # noqa: F403
from .random import manual_seed as manual_seed
from .record.activity import DeadUnits as DeadUnits
from .record.activity import UnitActivity as UnitActivity
from .record.activity import dead_units as dead_units
from .record.summary import LayerSummary as LayerSummary
from .record.summary import ModelSummary as ModelSummary
from .record.summary import summary as summary
from .serialize import load as load
from .serialize import save as save
from .tensor import Tensor as Tensor
from .train import History as History
from .train import fit as fit
from .train import predict as predict

del globals()["tensor"]  # the module: who looks for torch.tensor here is told the right word


def __getattr__(name: str):
    """Ops that a user registers are found here too: after ``@tg.register class Cube``, ``tg.cube`` is its function."""
    if name in registry:
        return registry[name].function
    raise AttributeError(f"module 'tinygrad_relu' has no attribute {name!r}{_here(name, globals())}")
