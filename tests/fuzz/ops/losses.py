"""Losses, with all their options."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..pool import Pool
from .table import Call, calls

REDUCTIONS = ("'mean'", "'sum'", "'none'")


def loss(name: str, x: str, target: str, **options: Any) -> Call:
    """A loss that both call the same, with options that they call the same."""
    given = ", ".join([x, target, *(f"{key}={value}" for key, value in options.items())])
    return f"tg.{name}({given})", f"F.{name}({given})"


@calls("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss")
def regression(pool: Pool, name: str) -> Call:
    x = pool.value()
    shape = pool.shape_of(x)
    target = pool.constant(pool.array(shape)) if pool.flag() else pool.of_shape(shape)
    options: dict[str, Any] = {"reduction": pool.choose(*REDUCTIONS)}
    if name in ("huber_loss", "smooth_l1_loss"):
        options["delta" if name == "huber_loss" else "beta"] = pool.choose(1.0, 0.5)
    return loss(name, x, target, **options)


@calls("hinge_loss")
def hinge_loss(pool: Pool, name: str) -> Call:
    x = pool.value()
    signs = np.where(pool.array(pool.shape_of(x), "shares") > 0.5, 1, -1)
    target, reduction = pool.constant(signs.astype(pool.dtype)), pool.choose(*REDUCTIONS)
    theirs = f"torch.relu(1 - {target} * {x})" + ("" if reduction == "'none'" else f".{reduction[1:-1]}()")
    return f"tg.hinge_loss({x}, {target}, reduction={reduction})", theirs


@calls("binary_cross_entropy")
def binary_cross_entropy(pool: Pool, name: str) -> Call:
    x = pool.value(lambda x: bool(((x >= 0) & (x <= 1)).all()), elements="shares")
    target = pool.constant(pool.array(pool.shape_of(x), "shares"))
    return loss(name, x, target, reduction=pool.choose(*REDUCTIONS))


@calls("binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(pool: Pool, name: str) -> Call:
    x = pool.value()
    target = pool.constant(pool.array(pool.shape_of(x), "shares"))
    here, there = loss(name, x, target, reduction=pool.choose(*REDUCTIONS))
    if pool.flag():
        return f"{here[:-1]}, pos_weight=3.0)", f"{there[:-1]}, pos_weight={x}.new_tensor(3.0))"
    return here, there


@calls("kl_div")
def kl_div(pool: Pool, name: str) -> Call:
    x = pool.value()
    target = pool.constant(pool.array(pool.shape_of(x), "shares"))
    return loss(name, x, target, reduction=pool.choose(*REDUCTIONS, "'batchmean'"), log_target=pool.flag())


@calls("cross_entropy", "nll_loss")
def of_classes(pool: Pool, name: str) -> Call:
    """Class indices, some of them ignored, or probabilities; with and without weights and smoothing."""
    x = pool.value(lambda x: 1 <= x.ndim <= 3 and 0 not in x.shape[:2], lambda: (2, 3, *pool.shape(0, 1)))
    shape = pool.shape_of(x)
    along = 1 if len(shape) > 1 else 0
    classes, others = shape[along], shape[:along] + shape[along + 1 :]
    options: dict[str, Any] = {"reduction": pool.choose(*REDUCTIONS)}
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
    return loss(name, x, target, **options)
