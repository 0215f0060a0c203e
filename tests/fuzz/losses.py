"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np

from .pool import Pool
from .table import calls


def _options(**given: Any) -> str:
    return "".join(f", {key}={value}" for key, value in given.items())


def _pair(pool: Pool) -> tuple[str, str]:
    """A prediction, and a target of its shape: a Tensor or an array."""
    x = pool.value()
    shape = pool.shape_of(x)
    return x, pool.constant(pool.array(shape)) if pool.flag() else pool.of_shape(shape)


def _reduction(pool: Pool) -> str:
    return repr(pool.choose("mean", "sum", "none"))


@calls("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
def regression(pool: Pool, name: str) -> tuple[str, str]:
    x, target = _pair(pool)
    width = {"huber_loss": "delta", "smooth_l1_loss": "beta"}.get(name)
    options = _options(reduction=_reduction(pool), **({width: pool.choose(1.0, 0.5)} if width else {}))
    return f"tg.{name}({x}, {target}{options})", f"F.{name}({x}, {target}{options})"


@calls("hinge_loss")
def hinge_loss(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    target = pool.constant(np.where(pool.constants[pool.mask(pool.shape_of(x))], 1.0, -1.0))
    reduction = pool.choose("mean", "sum", "none")
    theirs = f"torch.relu(1 - {target} * {x})" + ("" if reduction == "none" else f".{reduction}()")
    return f"tg.hinge_loss({x}, {target}{_options(reduction=repr(reduction))})", theirs


@calls("binary_cross_entropy")
def binary_cross_entropy(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value(lambda x: bool(((x >= 0) & (x <= 1)).all()), elements="shares")
    target = pool.constant(pool.array(pool.shape_of(x), "shares"))
    options = _options(reduction=_reduction(pool))
    return f"tg.{name}({x}, {target}{options})", f"F.{name}({x}, {target}{options})"


@calls("binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    target = pool.constant(pool.array(pool.shape_of(x), "shares"))
    options = theirs = _options(reduction=_reduction(pool))
    if pool.flag():
        options, theirs = f"{options}, pos_weight=3.0", f"{theirs}, pos_weight=torch.tensor(3.0, dtype=float)"
    return f"tg.{name}({x}, {target}{options})", f"F.{name}({x}, {target}{theirs})"


@calls("kl_div")
def kl_div(pool: Pool, name: str) -> tuple[str, str]:
    x = pool.value()
    target = pool.constant(pool.array(pool.shape_of(x), "shares"))
    options = _options(reduction=repr(pool.choose("sum", "mean", "none", "batchmean")), log_target=pool.flag())
    return f"tg.kl_div({x}, {target}{options})", f"F.kl_div({x}, {target}{options})"


@calls("cross_entropy", "nll_loss")
def of_classes(pool: Pool, name: str) -> tuple[str, str]:
    """Class indices, some of them ignored, or probabilities; with and without weights and smoothing."""
    x = pool.value(lambda x: 1 <= x.ndim <= 3 and 0 not in x.shape[:2], lambda: (2, 3, *pool.shape(0, 1)))
    shape = pool.shape_of(x)
    along = 1 if len(shape) > 1 else 0
    classes, others = shape[along], shape[:along] + shape[along + 1 :]
    options: dict[str, Any] = {"reduction": _reduction(pool)}
    if pool.flag():
        options["weight"] = pool.constant(pool.array((classes,), "shares"))
    if name == "cross_entropy" and pool.flag():
        options["label_smoothing"] = pool.choose(0.25, 0.1)
    if name == "cross_entropy" and pool.count(0, 3) == 3:
        target = pool.constant(pool.array(shape, "shares"))
    else:
        target = pool.indices(classes, others, low=0)
        if pool.flag():
            options["ignore_index"] = 0
    return f"tg.{name}({x}, {target}{_options(**options)})", f"F.{name}({x}, {target}{_options(**options)})"
