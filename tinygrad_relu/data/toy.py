"""Toy data in the plane: point sets that show at a glance what a network can and cannot separate."""

from __future__ import annotations

import numpy as np

from ..random import generator

__all__ = ["blobs", "circles", "moons", "spirals", "xor"]


def moons(n: int = 500, noise: float = 0.1, *, seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved half circles of radius 1, around (0, 0) and (1, 1/2): X float32 (n, 2), y int64 (n,).

    ``noise`` is the standard deviation of what is added to each coordinate. The points are shuffled, and the two
    classes have the same size (one point more in class 0 if n is odd). Without ``seed`` the package's generator is
    used, see ``tg.manual_seed``. All sets of this module share this. ValueError for fewer points than classes or
    a noise that is negative or above a million.

    >>> X, y = data.moons(100, seed=0)
    >>> X.shape, X.dtype, np.bincount(y)
    ((100, 2), dtype('float32'), array([50, 50]))
    """
    rng, y = _start("moons", n, 2, noise, seed)
    angle = rng.uniform(0, np.pi, n)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return _noisy(np.where(y[:, None] == 0, upper, [1, 0.5] - upper), noise, rng), y


def circles(
    n: int = 500, noise: float = 0.1, *, factor: float = 0.5, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A circle of radius 1 (class 0) around one of radius ``factor`` (class 1), 0 < factor < 1; else as ``moons``.

    >>> X, y = data.circles(100, noise=0, seed=0)
    >>> np.unique(np.hypot(X[:, 0], X[:, 1]).round(3)).tolist()
    [0.5, 1.0]
    """
    if not 0 < factor < 1:
        raise ValueError(f"circles: factor is the inner radius, between 0 and 1, got {factor}")
    rng, y = _start("circles", n, 2, noise, seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    radius = np.where(y == 0, 1, factor)
    return _noisy(_polar(radius, angle), noise, rng), y


def spirals(
    n: int = 500, noise: float = 0.03, *, classes: int = 2, turns: float = 1.0, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """``classes`` arms that wind ``turns`` times from near the centre out to radius 1; else as ``moons``.

    >>> X, y = data.spirals(90, classes=3, seed=0)
    >>> np.bincount(y)
    array([30, 30, 30])
    """
    rng, y = _start("spirals", n, classes, noise, seed)
    along = np.sqrt(rng.uniform(0.01, 1, n))  # the root spreads the points evenly along the arm
    angle = 2 * np.pi * (turns * along + y / classes)
    return _noisy(_polar(along, angle), noise, rng), y


def blobs(
    n: int = 500, noise: float = 0.3, *, classes: int = 3, seed: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """``classes`` round clouds of standard deviation ``noise``, their centres evenly on the unit circle; as ``moons``.

    >>> X, y = data.blobs(6, noise=0, classes=2, seed=0)
    >>> np.unique(X.round(3), axis=0).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """
    rng, y = _start("blobs", n, classes, noise, seed)
    return _noisy(_polar(np.ones(n), 2 * np.pi * y / classes), noise, rng), y


def xor(n: int = 500, noise: float = 0.0, *, seed: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The square from -1 to 1, class 1 where the signs of the coordinates differ; else as ``moons``.

    No straight line separates it, so a network needs a hidden layer. ``noise`` is added after the labels are given.

    >>> X, y = data.xor(100, seed=0)
    >>> bool(((X[:, 0] * X[:, 1] < 0) == y).all())
    True
    """
    rng, y = _start("xor", n, 2, noise, seed)
    x = rng.uniform(-1, 1, (n, 2))
    x[:, 1] = np.copysign(x[:, 1], np.where(y == 0, x[:, 0], -x[:, 0]))
    return _noisy(x, noise, rng), y


def _start(name: str, n: int, classes: int, noise: float, seed: int | None) -> tuple[np.random.Generator, np.ndarray]:
    """The generator, and labels that are balanced and in random order; the points are then made to fit them."""
    if classes < 2:
        raise ValueError(f"{name}: expected at least 2 classes, got {classes}")
    if n < classes:
        raise ValueError(f"{name}: expected at least one point for each of the {classes} classes, got n={n}")
    if not 0 <= noise <= 1e6:
        raise ValueError(f"{name}: noise is a standard deviation, from 0 to a million, got {noise}")
    rng = generator(seed)
    return rng, rng.permutation(np.arange(n, dtype=np.int64) % classes)


def _polar(radius: np.ndarray, angle: np.ndarray) -> np.ndarray:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _noisy(points: np.ndarray, noise: float, rng: np.random.Generator) -> np.ndarray:
    return (points + noise * rng.standard_normal(points.shape)).astype(np.float32)
