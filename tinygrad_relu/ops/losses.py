"""Losses: how far a prediction is from its target, as one number to go back from.

All are PyTorch's, with the same defaults and the same ``reduction``: "mean", "sum" or "none". Prediction and target
must have the same shape; a pair like (N, 1) and (N,) raises instead of being broadcast to (N, N).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ..op import Op, function, register
from .activations import log_of_softmax, log_sigmoid, log_softmax, sigmoid
from .arithmetic import slope_of_abs
from .sums import add_up, finer, rounded, widened

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "hinge_loss", "huber_loss", "kl_div",
    "l1_loss", "mse_loss", "nll_loss", "smooth_l1_loss",
]  # fmt: skip


class Loss(Op):
    """Common part of all losses: the check of prediction and target, and the reduction on the way forward and back."""

    def matched(self, input, target):
        """The target in the dtype of the prediction: integers and float64 there must not widen a float32 network.

        ValueError unless both have the same shape, TypeError unless the prediction is of floats.
        """
        dtype = self.float_dtype(input)
        if np.shape(input) != np.shape(target):
            raise ValueError(
                f"the prediction has shape {np.shape(input)} and the target {np.shape(target)}; they must be the same, "
                "since broadcasting would compare each prediction with every target. Reshape one of them"
            )
        return target.astype(dtype, copy=False) if dtype is not None and hasattr(target, "dtype") else target

    @staticmethod
    def float_dtype(input):
        """The dtype of the prediction (None for a Python number), or TypeError: what is learned is never an integer."""
        dtype = getattr(input, "dtype", None)
        if dtype is not None and dtype.kind != "f":
            raise TypeError(
                f"expected a prediction of floats as the first argument, got {dtype}. "
                "Convert it with .astype(np.float32), or exchange prediction and target"
            )
        return dtype

    def reduce(self, losses, reduction: str, count=None):
        """The losses as they are, their sum, or their mean over ``count`` (all of them if not given)."""
        if reduction not in _REDUCTIONS:
            raise ValueError(f'reduction: expected "mean", "sum" or "none", got {reduction!r}')
        self.scale: float = 1
        if reduction == "none":
            return losses
        if finer(losses) is None:  # noqa: SIM108 - so the program of a compiled step calls it total
            total = np.add.reduce(losses, axis=None)
        else:
            total = add_up(widened(losses))
        if reduction == "sum":
            return rounded(total, losses)
        count = np.size(losses) if count is None else count
        self.scale = 1 / count if count else 0  # the mean of nothing is NaN, but no input has a part in it
        return rounded(total * (self.scale if count else math.nan), losses)


_REDUCTIONS = ("mean", "sum", "none")


@register(name="mse_loss")
class MSELoss(Loss):
    """The mean of (input - target)**2. Slope 2 * (input - target) / N.

    >>> tg.mse_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(2.)
    """

    def forward(self, input, target, reduction: str = "mean"):
        target = self.matched(input, target)
        return self.reduce(np.square(input - target), reduction)

    def backward(self, grad):
        input, target = self.inputs
        slope = (input - target) * (2 * self.scale * grad)
        return slope, -slope


mse_loss = function(MSELoss)


@register(name="l1_loss")
class L1Loss(Loss):
    """The mean of |input - target|. Slope the sign of the difference / N: 0 where both are equal.

    >>> tg.l1_loss(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(1.)
    """

    def forward(self, input, target, reduction: str = "mean"):
        target = self.matched(input, target)
        self.sign = slope_of_abs(input - target)
        return self.reduce(np.abs(input - target), reduction)

    def backward(self, grad):
        slope = self.sign * (self.scale * grad)
        return slope, -slope


l1_loss = function(L1Loss)


def _held(d, bound: float):
    """d held between -bound and bound; at both it is a constant already, as in PyTorch."""
    return np.where(np.abs(d) < bound, d, bound * np.sign(d))


@register
class HuberLoss(Loss):
    """The mean of d**2 / 2 where |d| <= delta and delta * (|d| - delta/2) beyond, for d = input - target (Huber 1964).

    Slope: d held between -delta and delta, / N. ValueError unless delta > 0.

    >>> tg.huber_loss(Tensor([1.0, 2.0]), Tensor([1.5, 9.0]))
    Tensor(3.3125)
    """

    def forward(self, input, target, reduction: str = "mean", delta: float = 1.0):
        target = self.matched(input, target)
        if delta <= 0:
            raise ValueError(f"expected delta > 0, got {delta}")
        self.delta = delta
        size = np.abs(input - target)
        return self.reduce(np.where(size <= delta, 0.5 * size * size, delta * (size - 0.5 * delta)), reduction)

    def backward(self, grad):
        input, target = self.inputs
        slope = _held(input - target, self.delta) * (self.scale * grad)
        return slope, -slope


huber_loss = function(HuberLoss)


@register(name="smooth_l1_loss")
class SmoothL1Loss(Loss):
    """The Huber loss with delta = beta, divided by beta (Girshick 2015); with beta = 0 it is the L1 loss.

    Slope: d / beta held between -1 and 1, / N, for d = input - target. ValueError if beta < 0.

    >>> tg.smooth_l1_loss(Tensor([1.0, 2.0]), Tensor([1.5, 9.0]))
    Tensor(3.3125)
    """

    def forward(self, input, target, reduction: str = "mean", beta: float = 1.0):
        target = self.matched(input, target)
        if beta < 0:
            raise ValueError(f"expected beta >= 0, got {beta}")
        self.beta = beta
        size = np.abs(input - target)
        if not beta:
            self.sign = slope_of_abs(input - target)
            return self.reduce(size, reduction)
        return self.reduce(np.where(size < beta, 0.5 * size * size / beta, size - 0.5 * beta), reduction)

    def backward(self, grad):
        d = self.inputs[0] - self.inputs[1]
        slope = (_held(d / self.beta, 1) if self.beta else self.sign) * (self.scale * grad)
        return slope, -slope


smooth_l1_loss = function(SmoothL1Loss)


@register
class HingeLoss(Loss):
    """The mean of max(0, 1 - target * input) for targets of -1 and 1: the max-margin loss of a support vector machine.

    Slope -target / N where the margin target * input is below 1; 0 at 1 and above.

    >>> tg.hinge_loss(Tensor([0.5, -3.0]), Tensor([1.0, -1.0]))
    Tensor(0.25)
    """

    def forward(self, input, target, reduction: str = "mean"):
        target = self.matched(input, target)
        margin = input * target
        self.mask = np.greater_equal(margin, 1)
        return self.reduce(np.where(self.mask, 0, 1 - margin), reduction)

    def backward(self, grad):
        input, target = self.inputs
        inside = np.where(self.mask, 0, -self.scale * grad)
        return inside * target, inside * input


hinge_loss = function(HingeLoss)


@register
class BinaryCrossEntropy(Loss):
    """The mean of -(t log p + (1-t) log(1-p)) for probabilities p. Slope (p - t) / (p (1-p)) / N.

    As in PyTorch a logarithm is at least -100 and p (1-p) at least 1e-12, so that 0 and 1 give finite numbers. With
    numbers from minus to plus infinity instead of probabilities, ``binary_cross_entropy_with_logits`` is exact.
    ValueError if an input is not between 0 and 1.

    >>> tg.binary_cross_entropy(Tensor([0.9, 0.2]), Tensor([1.0, 0.0]))
    Tensor(0.1643)
    """

    def forward(self, input, target, reduction: str = "mean"):
        target = self.matched(input, target)
        if not np.all((input >= 0) & (input <= 1)):
            raise ValueError(
                "expected probabilities between 0 and 1. Apply sigmoid first, or give the raw "
                "scores to binary_cross_entropy_with_logits"
            )
        with np.errstate(divide="ignore"):
            yes, no = np.maximum(np.log(input), -100), np.maximum(np.log1p(-input), -100)
        return self.reduce((target - 1) * no - target * yes, reduction)

    def backward(self, grad):
        p, target = self.inputs
        grad = grad * self.scale
        to_target = None if self.parents[1] is None else grad * (np.log1p(-p) - np.log(p))
        return grad * ((p - target) / np.maximum((1 - p) * p, 1e-12)), to_target


binary_cross_entropy = function(BinaryCrossEntropy)


@register
class BinaryCrossEntropyWithLogits(Loss):
    """binary_cross_entropy(sigmoid(input), target), exact and finite for any input. Slope (sigmoid(x) - target) / N.

    ``pos_weight`` multiplies the part of the positive targets, as a number or one for each column.

    >>> tg.binary_cross_entropy_with_logits(Tensor([1e4, -1e4, 0.0]), Tensor([1.0, 0.0, 1.0]))
    Tensor(0.231)
    """

    def forward(self, input, target, reduction: str = "mean", pos_weight=None):
        target = self.matched(input, target)
        self.extra = 0 if pos_weight is None else np.asarray(pos_weight, dtype=np.result_type(input)) - 1
        softplus_minus = np.log1p(np.exp(-np.abs(input))) + np.maximum(-input, 0)  # log(1 + e**-x)
        return self.reduce((1 - target) * input + (1 + self.extra * target) * softplus_minus, reduction)

    def backward(self, grad):
        x, target = self.inputs
        grad = grad * self.scale
        to_target = None
        if self.parents[1] is not None:
            to_target = grad * (self.extra * -log_sigmoid(x) - x)
        return grad * ((1 - target) - (1 + self.extra * target) * sigmoid(-x)), to_target


binary_cross_entropy_with_logits = function(BinaryCrossEntropyWithLogits)


@register(name="kl_div")
class KLDiv(Loss):
    """The mean of t * (log t - input), where the input holds log-probabilities (Kullback & Leibler 1951). Slope -t / N.

    ``reduction="batchmean"`` divides the sum by the rows and is the divergence in the books; "mean" divides by all
    elements, as in PyTorch. With ``log_target`` the target too holds log-probabilities. 0 log 0 is 0.

    >>> tg.kl_div(Tensor([[0.5, 0.5]]).log(), Tensor([[0.9, 0.1]]), reduction="batchmean")
    Tensor(0.3681)
    """

    def forward(self, input, target, reduction: str = "mean", log_target: bool = False):
        target = self.matched(input, target)
        self.log_target = log_target
        if log_target:
            losses = np.exp(target) * (target - input)
        else:
            losses = target * (np.log(np.where(target == 0, 1, target)) - input)
        if reduction == "batchmean":
            return self.reduce(losses, "mean", count=np.shape(input)[0] if np.ndim(input) else 1)
        return self.reduce(losses, reduction)

    def backward(self, grad):
        input, target = self.inputs
        grad = grad * self.scale
        share = np.exp(target) if self.log_target else target
        to_target = None
        if self.parents[1] is not None:
            to_target = grad * (share * (target - input + 1) if self.log_target else np.log(target) + 1 - input)
        return -grad * share, to_target


kl_div = function(KLDiv)


# ---------------------------------------------------------------------- classes


class ClassLoss(Loss):
    """Common part of the two losses over classes: axis 1 holds the classes (axis 0 if there is only one example).

    They compute with the classes along the first axis, where NumPy goes over all examples in one sweep.
    """

    times = plus = None  # for a target of probabilities: chosen = target * times + plus
    all_count_once = False  # whether what is chosen adds up to 1 in each example

    def choose(self, input, target, weight, ignore_index: int, label_smoothing: float = 0.0):
        """Save how much each class counts in each example, classes first; return what a mean divides by."""
        self.float_dtype(input)
        shape = np.shape(input)
        if not shape:
            raise ValueError("expected scores of shape (C,), (N, C) or (N, C, ...) for C classes, got a single number")
        self.axis = 1 if len(shape) > 1 else 0
        classes, others = shape[self.axis], shape[: self.axis] + shape[self.axis + 1 :]
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing: expected a number from 0 to 1, got {label_smoothing}")
        if weight is not None:
            weight = weight.astype(input.dtype) if hasattr(weight, "astype") else np.asarray(weight, input.dtype)
            if weight.shape != (classes,):
                raise ValueError(f"weight: expected one number for each of the {classes} classes, got {weight.shape}")
            weight = weight.reshape((classes,) + (1,) * len(others))

        target = target if hasattr(target, "shape") else np.asarray(target)
        if target.shape == others:
            chosen, count = self._choose_indices(target, classes, ignore_index)
            self.all_count_once = weight is None and count == target.size
            if weight is not None:
                count = add_up(chosen * weight).item()
            if label_smoothing:
                spread = chosen * (1 - label_smoothing) + label_smoothing / classes
                chosen = spread if self.all_count_once else spread * np.logical_or.reduce(chosen, axis=0)
            self.takes_part = chosen if chosen.dtype == bool else chosen != 0
            if weight is not None:
                chosen = chosen * weight
        elif target.shape == shape and target.dtype.kind == "f":
            count = target.size // classes
            self.times, self.plus = 1 - label_smoothing, label_smoothing / classes
            if weight is not None:
                self.times, self.plus = self.times * weight, self.plus * weight
            chosen = self.classes_first(target) * self.times + self.plus
            self.takes_part = np.ones(chosen.shape, bool)  # 0 times minus infinity too, which is NaN as in PyTorch
        else:
            raise ValueError(
                f"expected class indices of shape {others}, or probabilities of shape {shape}, for an input of shape "
                f"{shape} with {classes} classes along axis {self.axis}; got a target of shape {target.shape}"
            )
        # float64 in a target, or in numbers made here, must not widen a float32 network
        self.chosen = chosen if chosen.dtype == bool else chosen.astype(input.dtype, copy=False)
        return count

    def _choose_indices(self, target, classes: int, ignore_index: int):
        indices = target if target.dtype.kind in "iu" else self._as_indices(target)
        chosen = indices == _numbers(classes, indices.ndim)
        if 0 <= ignore_index < classes:
            chosen &= indices != ignore_index
        count = np.count_nonzero(chosen)
        if count == target.size:
            return chosen, target.size
        self._check_range(indices, classes, ignore_index)
        return chosen, count if type(count) is int else count.item()

    def classes_first(self, x):
        """A view with the axis of the classes before the others."""
        return x.T if x.ndim == 2 else np.moveaxis(x, self.axis, 0)

    def classes_back(self, x):
        """A view with the axis of the classes where the input has it."""
        return x.T if x.ndim == 2 else np.moveaxis(x, 0, self.axis)

    def reduce_chosen(self, log_p, reduction: str, count):
        """-chosen * log_p, reduced; what is not chosen counts nothing even if its logarithm is minus infinity."""
        if self.all_count_once and self.chosen.dtype == bool and reduction != "none":
            return -self.reduce(log_p[self.chosen], reduction, count)
        picked = np.where(self.takes_part, log_p, 0)
        if self.chosen.dtype != bool:
            picked = picked * self.chosen
        if reduction == "none":
            picked = add_up(picked, 0)
        result = -self.reduce(picked, reduction, count)
        if reduction == "mean" and not count and self.takes_part.any():
            self.scale = math.nan  # all weights are 0: such a mean has no gradient, and does not say it is 0
        return result

    @staticmethod
    def _as_indices(target):
        indices = target.astype(np.int64)
        if not np.array_equal(indices, target):
            raise TypeError("expected class indices 0, 1, 2, ... as whole numbers, got numbers with a fraction")
        return indices

    @staticmethod
    def _check_range(target, classes: int, ignore_index: int) -> None:
        wrong = (target != ignore_index) & ((target < 0) | (target >= classes))
        if wrong.any():
            where = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise IndexError(
                f"class index {target[where]} at {where} is not between 0 and {classes - 1}; the input has {classes} "
                f"classes. Start counting at 0, or mark examples to leave out with ignore_index ({ignore_index})"
            )


@register
class CrossEntropy(ClassLoss):
    """The mean of -log(softmax(input)[target]): how surprised the network is by the right class.

    ``input``: scores (logits), (C,), (N, C) or (N, C, ...). ``target``: class indices, (N,) or (N, ...), or
    probabilities in the shape of the input. ``weight``: one number for each class. Examples with ``ignore_index``
    count nothing. ``label_smoothing`` gives this share of the target to all classes alike (Szegedy et al. 2015).
    Slope (softmax(input) - one_hot(target)) / N. Safe for scores of any size.

    Raises IndexError for a class that does not exist, ValueError for shapes that do not fit.

    >>> tg.cross_entropy(Tensor([[2.0, 0.0, 0.0], [0.0, 1e4, 0.0]]), [0, 1])
    Tensor(0.1198)
    """

    def forward(
        self, input, target, weight=None, ignore_index: int = -100, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):  # fmt: skip
        count = self.choose(input, target, weight, ignore_index, label_smoothing)
        self.log_probabilities = log_of_softmax(self.classes_first(input).copy(), 0)
        return self.reduce_chosen(self.log_probabilities, reduction, count)

    def backward(self, grad):
        input, target = self.inputs
        log_p = self.log_probabilities
        if hasattr(input, "op"):  # a Tensor: the slope is itself to be differentiated
            log_p = self.classes_first(log_softmax(input, axis=self.axis))
        each = grad * self.scale  # the gradient of each example's loss
        softmax = np.exp(log_p)
        if self.all_count_once:
            return self.classes_back(each * (softmax - self.chosen)), None
        chosen = self.chosen if self.times is None else self.classes_first(target) * self.times + self.plus
        each = np.where(np.logical_or.reduce(self.takes_part, axis=0), each, 0)
        total = (np.logical_or if chosen.dtype == bool else np.add).reduce(chosen, axis=0)
        to_target = None if self.times is None else self.classes_back(each * (log_p * -self.times))
        return self.classes_back(each * (softmax * total - chosen)), to_target


cross_entropy = function(CrossEntropy)


@register(name="nll_loss")
class NLLLoss(ClassLoss):
    """The mean of -input[target], where the input holds log-probabilities: cross_entropy without the softmax.

    Arguments as in ``cross_entropy``, but the target can only be class indices. Slope -1 / N at the target.

    >>> tg.nll_loss(tg.log_softmax(Tensor([[2.0, 0.0], [0.0, 3.0]])), [0, 1])
    Tensor(0.0878)
    """

    def forward(self, input, target, weight=None, ignore_index: int = -100, reduction: str = "mean"):
        if np.shape(input) == np.shape(target):
            raise ValueError("the target must be class indices; use cross_entropy or kl_div with probabilities")
        count = self.choose(input, target, weight, ignore_index)
        return self.reduce_chosen(self.classes_first(input), reduction, count)

    def backward(self, grad):
        each = grad * self.scale  # the gradient of each example's loss
        return self.classes_back(np.where(self.takes_part, -each * self.chosen, 0)), None


nll_loss = function(NLLLoss)


@functools.lru_cache(maxsize=32)
def _numbers(classes: int, others: int) -> np.ndarray:
    """0, 1, 2, ... along the first axis, the one of the classes, with ``others`` more of length 1."""
    return np.arange(classes).reshape((classes,) + (1,) * others)
