"""Networks: modules that hold parameters, layers, activations, losses, and how weights start."""

from . import activations, functional, init, layers, losses, normalization, utils
from .activations import *
from .layers import *
from .losses import *
from .module import Module
from .normalization import *
from .parameter import Parameter

__all__ = ["Module", "Parameter", "functional", "init", "utils"]
__all__ += activations.__all__
__all__ += layers.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
