"""The table of ops, in the families of the package: for each op a way to draw a call of it.

Such a call is two texts over the names of earlier values, one for this package and one for PyTorch. What PyTorch has
under another name, or in another form, is written so that the second text means the same, to the last kink.
"""

from . import activations, arithmetic, indexing, linalg, losses, reductions, shape
from .table import TABLE

__all__ = ["TABLE", "activations", "arithmetic", "indexing", "linalg", "losses", "reductions", "shape"]
