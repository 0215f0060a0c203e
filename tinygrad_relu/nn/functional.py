"""The functions that stand under ``tg``, and PyTorch's spellings of some, for those who know them from there."""

from __future__ import annotations

import numpy as np

from .. import ops, random
from ..ops import *  # noqa: F403
from ..tensor import Tensor


def dropout(x, p: float = 0.5, training: bool = True) -> Tensor:
    """Put each element to 0 with probability ``p`` and divide the others by 1 - p, so that the mean stays.

    What falls out is drawn from the package's generator (``tg.manual_seed``). Without ``training``, x as it is.
    Raises ValueError for a p outside of [0, 1).

    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    >>> dropped = nn.functional.dropout(Tensor([1.0, 1.0, 1.0, 1.0]), p=0.5)
    >>> sorted(set(dropped.tolist()) | {0.0, 2.0})
    [0.0, 2.0]
    """
    checked_share("dropout", p)
    x = x if isinstance(x, Tensor) else Tensor(x)
    if not training or p == 0:
        return x
    kept = random.generator().random(x.shape) >= p
    return ops.multiply(x, (kept / (1 - p)).astype(x.dtype))


def checked_share(caller: str, p: float) -> float:
    """The share that falls out, if it is one; ValueError if not."""
    if not (isinstance(p, (int, float, np.number)) and 0 <= p < 1):
        raise ValueError(f"{caller}: p is the share that falls out, from 0 to below 1; got {p!r:.60}")
    return p


hardtanh = ops.hard_tanh
hardsigmoid = ops.hard_sigmoid
hardswish = ops.hard_swish
logsigmoid = ops.log_sigmoid
