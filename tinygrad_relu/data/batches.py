"""From one data set to what training takes: a part to train on and a part to test on, scaled, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..random import generator
from ..record.words import plural
from ..tensor import Tensor, as_array

__all__ = ["batches", "standardize", "train_test_split"]


def batches(
    X, y, batch_size: int, shuffle: bool = True, seed: int | None = None, drop_last: bool = False
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Go once through the rows of ``X`` and ``y`` together, ``batch_size`` rows at a time.

    The last batch has what is left over, unless ``drop_last``. Every call shuffles anew, with the package's
    generator or from ``seed``. ValueError if the lengths differ or ``batch_size`` is below 1.

    >>> X, y = np.arange(10).reshape(5, 2), np.arange(5)
    >>> for xb, yb in data.batches(X, y, 2, shuffle=False):
    ...     print(xb.tolist(), yb.tolist())
    [[0, 1], [2, 3]] [0, 1]
    [[4, 5], [6, 7]] [2, 3]
    [[8, 9]] [4]
    """
    X, y = _same_length("batches", X, y)
    if batch_size < 1:
        raise ValueError(f"batches: batch_size must be at least 1, got {batch_size}")
    return _batches(X, y, batch_size, generator(seed) if shuffle else None, drop_last)


def _batches(X, y, batch_size: int, rng: np.random.Generator | None, drop_last: bool):
    n = len(X)
    end = n - n % batch_size if drop_last else n
    order = None if rng is None else rng.permutation(n)
    for start in range(0, end, batch_size):
        chosen: Any = slice(start, start + batch_size)
        if order is not None:
            chosen = order[chosen]
        yield X[chosen], y[chosen]


def train_test_split(
    X, y, test_fraction: float = 0.2, seed: int | None = None, stratified: bool | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Split the rows at random: ``X_train, X_test, y_train, y_test``, the order scikit-learn's function has.

    ``test_fraction`` of the rows, rounded, goes to the test part; between 0 and 1, and so that both parts get a
    row. ``stratified`` keeps the shares of the classes in both parts, to within one row; it is what integer labels
    get if nothing is said. ValueError if the lengths differ or a part would be empty.

    >>> X, y = data.digits()
    >>> X_train, X_test, y_train, y_test = data.train_test_split(X, y, test_fraction=0.2, seed=0)
    >>> len(X_train), len(X_test)
    (1438, 359)
    """
    X, y = _same_length("train_test_split", X, y)
    n_test = round(len(X) * test_fraction) if 0 < test_fraction < 1 else 0
    if not 0 < n_test < len(X):
        raise ValueError(
            f"train_test_split: test_fraction={test_fraction} of {plural(len(X), 'row')} leaves one part empty; "
            "give a share between 0 and 1 that leaves rows for both"
        )
    rng = generator(seed)
    order = rng.permutation(len(X))
    if stratified if stratified is not None else y.dtype.kind in "iub" and y.ndim == 1:
        order = _by_class(order, y)
    test, train = rng.permutation(order[:n_test]), rng.permutation(order[n_test:])
    return X[train], X[test], y[train], y[test]


def _by_class(order: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The same rows so arranged that every beginning has the classes in about the shares of the whole."""
    place = np.empty(len(y))
    for label in np.unique(y):
        members = order[y[order] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    return order[np.argsort(place[order], kind="stable")]


def standardize(X) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shift and scale each column to mean 0 and standard deviation 1: ``standardized, mean, scale``.

    Use ``mean`` and ``scale`` of the training part for the test part too: ``(X_test - mean) / scale``. A constant
    column is only shifted (its scale is 1). The dtype is kept; integers become float32. Numbers of any size will do.
    ValueError if there are no rows, or NaN or infinity in one.

    >>> X, mean, scale = data.standardize(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> X.tolist(), mean.tolist(), scale.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [2.0, 5.0], [1.0, 1.0])
    """
    X = as_array(X, "standardize: X")
    if not X.ndim or not len(X):
        raise ValueError("standardize: there are no rows")
    dtype = X.dtype if X.dtype.kind == "f" else np.dtype(np.float32)
    wide = X.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ValueError("standardize: there is NaN or infinity in X; remove these rows or fill in numbers")
    # In units of a power of two, which changes no digit, squares and sums of the largest numbers do not overflow.
    unit = np.maximum(np.frexp(np.abs(wide).max(axis=0))[1], -1000)
    wide = np.ldexp(wide, -unit)
    mean, scale = wide.mean(axis=0), wide.std(axis=0)
    constant = (scale <= 1e-12 * np.abs(mean)) | (np.ldexp(scale, unit).astype(dtype) == 0)  # up to rounding
    scale = np.where(constant, np.ldexp(1.0, -unit), scale)
    standardized = ((wide - mean) / scale).astype(dtype)
    return standardized, np.ldexp(mean, unit).astype(dtype), np.ldexp(scale, unit).astype(dtype)


def as_plain(x, called: str) -> np.ndarray:
    """A plain array of what came in, of text too; TypeError if a mask hides some of it, or it is sparse."""
    if np.ma.isMaskedArray(x) or hasattr(x, "toarray"):
        return as_array(x, called)
    return np.asarray(x.detach() if isinstance(x, Tensor) else x)


def _same_length(caller: str, X, y) -> tuple[np.ndarray, np.ndarray]:
    X, y = as_plain(X, f"{caller}: X"), as_plain(y, f"{caller}: y")
    if not X.ndim or not y.ndim or len(X) != len(y):
        raise ValueError(f"{caller}: X and y need the same number of rows, got shapes {X.shape} and {y.shape}")
    return X, y
