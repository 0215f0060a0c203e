"""Data to learn with: toy sets in the plane, real handwritten digits, CSV files, and batches of any of them.

A data set is a pair of arrays: ``X`` has one row for each example, ``y`` one label.

>>> X, y = data.moons(200, noise=0.1, seed=0)
>>> for xb, yb in data.batches(X, y, batch_size=64, seed=0):
...     print(xb.shape, yb.shape)
(64, 2) (64,)
(64, 2) (64,)
(64, 2) (64,)
(8, 2) (8,)
"""

from .batches import batches, standardize, train_test_split
from .digits import digits
from .tables import Table, read_csv
from .toy import blobs, circles, moons, spirals, xor

__all__ = [
    "Table",
    "batches",
    "blobs",
    "circles",
    "digits",
    "moons",
    "read_csv",
    "spirals",
    "standardize",
    "train_test_split",
    "xor",
]
