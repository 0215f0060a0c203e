"""A module for each loss; formulas and slopes stand with the functions (``tg.cross_entropy``).

Each is called as ``loss(prediction, target)``. ``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``.
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensor import Tensor
from .activations import WithOptions, options

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HingeLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss",
    "NLLLoss", "SmoothL1Loss",
]  # fmt: skip


@options
class MSELoss(WithOptions):
    """The mean of (prediction - target)^2, as ``tg.mse_loss``.

    >>> nn.MSELoss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(2.)
    """

    reduction: str = "mean"

    def forward(self, input, target) -> Tensor:
        return ops.mse_loss(input, target, reduction=self.reduction)


@options
class L1Loss(WithOptions):
    """The mean of |prediction - target|, as ``tg.l1_loss``.

    >>> nn.L1Loss()(Tensor([1.0, 2.0]), Tensor([1.0, 4.0]))
    Tensor(1.)
    """

    reduction: str = "mean"

    def forward(self, input, target) -> Tensor:
        return ops.l1_loss(input, target, reduction=self.reduction)


@options
class HuberLoss(WithOptions):
    """Squared for small errors and linear beyond ``delta``, as ``tg.huber_loss``.

    >>> nn.HuberLoss(delta=2.0)(Tensor([1.0, 2.0]), Tensor([1.5, 9.0]))
    Tensor(6.0625)
    """

    reduction: str = "mean"
    delta: float = 1.0

    def forward(self, input, target) -> Tensor:
        return ops.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


@options
class SmoothL1Loss(WithOptions):
    """``HuberLoss`` divided by its delta, here called ``beta``, as ``tg.smooth_l1_loss``.

    >>> nn.SmoothL1Loss()(Tensor([1.0, 2.0]), Tensor([1.5, 9.0]))
    Tensor(3.3125)
    """

    reduction: str = "mean"
    beta: float = 1.0

    def forward(self, input, target) -> Tensor:
        return ops.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


@options
class CrossEntropyLoss(WithOptions):
    """-log softmax(scores)[target], as ``tg.cross_entropy``: give it scores (logits), not probabilities.

    ``weight`` has one number for each class; targets equal to ``ignore_index`` count nothing; ``label_smoothing``
    gives that share of each target to all classes alike.

    >>> nn.CrossEntropyLoss(label_smoothing=0.1)(Tensor([[2.0, 0.0], [0.0, 3.0]]), [0, 1])
    Tensor(0.2128)
    """

    weight: Any = None
    ignore_index: int = -100
    reduction: str = "mean"
    label_smoothing: float = 0.0

    def forward(self, input, target) -> Tensor:
        return ops.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


@options
class NLLLoss(WithOptions):
    """-input[target] of log-probabilities, as ``tg.nll_loss``.

    >>> nn.NLLLoss()(tg.log_softmax(Tensor([[2.0, 0.0]])), [0])
    Tensor(0.1269)
    """

    weight: Any = None
    ignore_index: int = -100
    reduction: str = "mean"

    def forward(self, input, target) -> Tensor:
        return ops.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


@options
class BCELoss(WithOptions):
    """Two-class cross entropy of probabilities, as ``tg.binary_cross_entropy``; with scores, BCEWithLogitsLoss.

    >>> nn.BCELoss()(Tensor([0.9, 0.2]), Tensor([1.0, 0.0]))
    Tensor(0.1643)
    """

    reduction: str = "mean"

    def forward(self, input, target) -> Tensor:
        return ops.binary_cross_entropy(input, target, reduction=self.reduction)


@options
class BCEWithLogitsLoss(WithOptions):
    """Two-class cross entropy of scores (logits), as ``tg.binary_cross_entropy_with_logits``.

    >>> nn.BCEWithLogitsLoss()(Tensor([2.0, -2.0]), Tensor([1.0, 0.0]))
    Tensor(0.1269)
    """

    reduction: str = "mean"
    pos_weight: Any = None

    def forward(self, input, target) -> Tensor:
        return ops.binary_cross_entropy_with_logits(input, target, reduction=self.reduction, pos_weight=self.pos_weight)


@options
class HingeLoss(WithOptions):
    """max(0, 1 - target * score) for targets -1 and 1, as ``tg.hinge_loss``.

    >>> nn.HingeLoss()(Tensor([0.5, -3.0]), Tensor([1.0, -1.0]))
    Tensor(0.25)
    """

    reduction: str = "mean"

    def forward(self, input, target) -> Tensor:
        return ops.hinge_loss(input, target, reduction=self.reduction)


@options
class KLDivLoss(WithOptions):
    """target * (log target - input) of log-probabilities: ``tg.kl_div``; textbooks use ``reduction="batchmean"``.

    >>> nn.KLDivLoss(reduction="batchmean")(Tensor([[0.5, 0.5]]).log(), Tensor([[0.9, 0.1]]))
    Tensor(0.3681)
    """

    reduction: str = "mean"
    log_target: bool = False

    def forward(self, input, target) -> Tensor:
        return ops.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
