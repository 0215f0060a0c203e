"""The rehearsal: the first batch forward, without a step. What could not be learned is told before anything changes.

What the loss is made of is read from the record that it leaves: which op it is, what made the scores that it gets,
which labels it can take, and whose gradient would flow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import nn, ops
from ..graph import topological_order
from ..mode import no_grad
from ..nn.module import evaluating
from ..random import generator
from ..record.words import plural
from ..tensor import Tensor
from .given import check_output
from .steps import check_loss, matching, slices

__all__ = ["Rehearsal", "check_single_numbers", "check_validation", "rehearse"]


@dataclass
class Rehearsal:
    """Findings of the first batch."""

    labels: tuple[tuple[int, ...], str]  # the shape of one, and whether they are integers
    leaves: list[Tensor]  # the tensors that require a gradient and that the loss depends on
    demands: list[Demand]

    def check_trained(self, model: nn.Module, optimizer: Any) -> None:
        """Raise ValueError if nothing would learn, or if something would that nobody changes."""
        trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
        if not any(id(leaf) in trained for leaf in self.leaves):
            raise ValueError(
                "fit: the loss depends on no parameter that the optimizer changes, and could not get better. Are all "
                "frozen, or does .data, .detach(), a plain NumPy array or no_grad() stand between them and the loss?"
            )
        known = trained | {id(parameter) for _, parameter in model.named_parameters()}
        for leaf in self.leaves:
            if id(leaf) not in known:
                name = f"{leaf.name!r} of shape {leaf.shape}" if leaf.name else f"of shape {leaf.shape}"
                raise ValueError(
                    f"fit: the loss depends on a {type(leaf).__name__} {name} that {type(model).__name__}.parameters() "
                    "does not list, so that nobody would train it. Make it an nn.Parameter or a module that is an "
                    "attribute of the model, or freeze it with requires_grad = False"
                )


@dataclass
class Demand:
    """Demands of one loss on its labels."""

    loss: str
    classes: int
    ignore_index: int

    def check(self, y: np.ndarray, called: str) -> None:
        """Raise ValueError for the first label that this loss cannot take."""
        if self.classes:
            check_classes(y, self.classes, called, self.ignore_index)
            return
        if self.loss == "hinge_loss":
            wrong, wanted = np.abs(y) != 1, "-1 and 1 (2 * y - 1 makes them of 0 and 1)"
        else:
            wrong, wanted = (y < 0) | (y > 1), "0 and 1, and what lies between"
            wanted += " ((y + 1) / 2 makes them of -1 and 1)" if (y < 0).any() else "; more classes need cross_entropy"
        if wrong.any():
            place = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ValueError(f"fit: {self.loss} takes labels {wanted}; the {called} in row {place[0]} is {y[place]}")


def check_classes(y: np.ndarray, classes: int, called: str = "label", ignored: int = -100) -> None:
    """Raise ValueError for the first label that is no class."""
    wrong = np.flatnonzero(((y < 0) | (y >= classes)) & (y != ignored))
    if wrong.size:
        raise ValueError(
            f"fit: the {called} {y[wrong[0]]} in row {wrong[0]} is no class; the model has "
            f"{plural(classes, 'output')}, for labels from 0 to {classes - 1}"
        )


def rehearse(
    model: nn.Module, criterion: Callable[..., Any], X: np.ndarray, y: np.ndarray, batch_size: int, by_labels: bool
) -> Rehearsal:
    """Compute the loss of the first rows as training will, check all labels, and leave everything as it was.

    ``by_labels``: the loss is the one that goes with the labels. Warns of what is computed twice or learns badly.
    """
    check_single_numbers("fit", model, X)
    with _undisturbed(model), np.errstate(all="ignore"):
        output = _tried(model, X[:batch_size])
        if by_labels:
            _check_fit(y, output.shape[1:])
        labels = matching(y[:batch_size], output)
        loss = criterion(output, labels)
    check_loss(loss)
    if not loss.requires_grad:
        return Rehearsal((y.shape[1:], y.dtype.kind), [], [])
    nodes = topological_order([loss])
    demands = []
    for op in [node.op for node in nodes if isinstance(node.op, ops.losses.Loss)]:
        demand = _demand(op)
        if demand is not None and op.arguments[1] is labels:
            demand.check(y, "label")
            demands.append(demand)
        elif demand is not None:  # the loss has made its own targets of the labels
            demand.check(np.asarray(op.inputs[1]), "target")
        advice = _advice(op)
        if advice:
            warnings.warn(f"fit: {advice}", stacklevel=4)  # the line that calls fit
    return Rehearsal((y.shape[1:], y.dtype.kind), [node for node in nodes if node.op is None], demands)


def check_validation(
    model: nn.Module, criterion: Callable[..., Any], X: np.ndarray, y: np.ndarray, batch_size: int, rehearsal: Rehearsal
) -> None:
    """Raise what validation would raise after the first epoch, or what would be of another kind than in training."""
    if (y.shape[1:], y.dtype.kind) != rehearsal.labels:
        raise ValueError(
            f"fit: the labels for validation are of another kind than those for training: {y.dtype} of shape {y.shape}"
        )
    for demand in rehearsal.demands:
        demand.check(y, "validation label")
    with evaluating(model), no_grad(), np.errstate(all="ignore"):
        rows = slices(model, len(X), max(batch_size, 256))[0]
        output = _tried(model, X[rows])
        check_loss(criterion(output, matching(y[rows], output)))


def check_single_numbers(caller: str, model: nn.Module, X: np.ndarray) -> None:
    """Raise ValueError for one example where rows are expected: for a vector that the model takes as a whole."""
    if X.ndim > 1:
        return
    try:
        with evaluating(model), no_grad():
            output = model(Tensor._from_array(X[:1]))
            check_output(caller, model, output, 1)
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(
            f"{caller}: X of shape {X.shape} has one number for each example, which the model cannot take ({error}). "
            "If X is one example, give X[None]"
        ) from error


def _tried(model: nn.Module, X: np.ndarray) -> Tensor:
    try:
        output = model(Tensor._from_array(X))
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"fit: the model cannot take X, whose rows have shape {X.shape[1:]}: {error}") from error
    check_output("fit", model, output)
    return output


def _check_fit(y: np.ndarray, shape: tuple[int, ...]) -> None:
    """Raise ValueError for labels that do not go with outputs of this shape for a row."""
    if y.dtype.kind == "f":
        if y.shape[1:] != shape and np.prod(shape) * y[0].size != 1:
            raise ValueError(
                f"fit: the model gives {shape or '()'} for a row, the labels have {y.shape[1:] or '()'}; "
                "for classes give integer labels"
            )
        return
    if y.ndim != 1 or len(shape) != 1 or shape == (1,):
        raise ValueError(
            f"fit: integer labels are classes, one for each row, and the model needs an output for each class; got "
            f"labels of shape {y.shape} and outputs {shape} for a row. For one output give "
            "loss=tg.binary_cross_entropy_with_logits, and for a quantity give float labels"
        )
    check_classes(y, shape[0])


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Training mode for a while; modes, buffers and the random numbers to come are the same as before afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [
        (module, name, getattr(module, name), np.array(getattr(module, name)))
        for module in model.modules()
        for name in module._persistent
        if isinstance(getattr(module, name), np.ndarray)
    ]
    rng = generator()
    state = rng.bit_generator.state
    model.train()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
        for module, name, array, values in buffers:
            if not np.array_equal(array, values):
                array[...] = values
            setattr(module, name, array)
        rng.bit_generator.state = state


# ---------------------------------------------------------------------- what a loss gets

_CLASSES = ("cross_entropy", "nll_loss")
_TWO_SIDED = ("binary_cross_entropy", "binary_cross_entropy_with_logits", "hinge_loss")
_SAME_NUMBERS = ("reshape", "transpose", "squeeze", "expand_dims", "swapaxes", "moveaxis", "getitem", "astype")
_SQUEEZES = ("softmax", "sigmoid", "hard_sigmoid")  # into numbers between 0 and 1


def _demand(op: Any) -> Demand | None:
    if op.name in _TWO_SIDED:
        return Demand(op.name, 0, 0)
    if op.name not in _CLASSES:
        return None
    classes = op.inputs[0].shape[op.axis]
    if classes == 1:
        raise ValueError(
            f"fit: {op.name} chooses among classes, and one output leaves no choice: the loss would be 0 for all "
            "weights. Give the model an output for each class, or use loss='binary_cross_entropy_with_logits'"
        )
    if np.shape(op.inputs[0]) == np.shape(op.inputs[1]):  # probabilities
        return None
    return Demand(op.name, classes, op.options.get("ignore_index", -100))


def _advice(op: Any) -> str:
    """Advice on the scores that a loss is given, as what made them tells; '' if nothing is."""
    made_by: Any = getattr(op.arguments[0], "op", None)
    while made_by is not None and made_by.name in _SAME_NUMBERS:
        made_by = getattr(made_by.arguments[0], "op", None)
    name = "" if made_by is None else made_by.name
    if name in ("softmax", "log_softmax") and made_by.output.shape[made_by.options.get("axis", -1)] == 1:
        raise ValueError(
            f"fit: {name} over a single number is the same for all weights, so that nothing could be learned"
        )
    if op.name in ("cross_entropy", "binary_cross_entropy_with_logits"):
        own = "softmax" if op.name == "cross_entropy" else "sigmoid"
        after = f"tg.{own}(tg.predict(model, X)) gives probabilities afterwards"
        if name in _SQUEEZES:
            return (
                f"{op.name} takes scores and applies {own} itself, but gets what {name} has made, numbers between 0 "
                f"and 1 with which it can never be sure, and it learns slowly. Take {name} out of the model; {after}"
            )
        if name == "log_softmax" and own == "softmax":
            return f"cross_entropy applies log_softmax itself; a second time changes nothing, so leave it out; {after}"
        if name in ("log_softmax", "log_sigmoid"):
            return f"{op.name} takes scores, but gets the logarithms that {name} has made. Take {name} out of the model"
    if op.name in ("nll_loss", "kl_div") and (name in _SQUEEZES or np.max(op.inputs[0], initial=0) > 1e-3):
        return (
            f"{op.name} takes log-probabilities, which are never above 0, but gets {name or 'scores'} "
            f"up to {np.max(op.inputs[0]):.3g}. Put log_softmax before it, or give scores to cross_entropy"
        )
    return ""
