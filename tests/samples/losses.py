"""Samples of the losses: all reductions and options, empty batches, kinks, and scores of 1e4."""

import numpy as np

from . import rng, sample

inf = float("inf")


def _pairs(make, kinks=None, **options):
    """Prediction and target from ``make(rng, shape)``, for three shapes and three reductions."""
    samples = [sample(*make(rng(1), shape), **options) for shape in ((3, 2), (4,), ())]
    samples += [sample(*make(rng(2), (2, 3)), reduction=r, **options) for r in ("sum", "none")]
    samples.append(sample(*make(rng(3), (0, 2)), reduction="sum", **options))
    if kinks:
        samples.append(sample(*(list(k) for k in kinks), kink=True, reduction="none", **options))
    return samples


def _any(r, shape):
    return np.array(r.normal(size=shape)), np.array(r.normal(size=shape))


def _margins(r, shape):
    return np.array(r.normal(size=shape)), np.array(np.sign(r.normal(size=shape)) * 1.1)


def _probabilities(r, shape):
    return np.array(r.uniform(0.1, 0.9, shape)), np.array(r.uniform(0.1, 0.9, shape))


def _scores(r, shape):
    return np.array(r.normal(size=shape)), np.array(r.uniform(0.1, 0.9, shape))


def _log_and_share(r, shape):
    return np.array(np.log(r.uniform(0.1, 0.9, shape))), np.array(r.uniform(0.1, 0.9, shape))


_LOGITS = rng(6).normal(size=(4, 3))
_CLASSES = np.array([0, 2, 1, 2])
_WEIGHT = np.array([0.5, 2.0, 1.5])
_SHARES = rng(7).dirichlet((1.0, 1.0, 1.0), 4)
_HUGE = [[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]

_INDICES = [
    sample(_LOGITS, _CLASSES),
    sample(_LOGITS, _CLASSES, reduction="sum"),
    sample(_LOGITS, _CLASSES, reduction="none"),
    sample(_LOGITS, _CLASSES, weight=_WEIGHT),
    sample(_LOGITS, _CLASSES, weight=_WEIGHT, reduction="none"),
    sample(_LOGITS, np.array([0, -100, 1, -100])),
    sample(_LOGITS, np.array([0, 2, 1, 2]), ignore_index=2, weight=_WEIGHT),
    sample(_LOGITS[0], np.array(1)),
    sample(rng(8).normal(size=(2, 3, 2)), np.array([[0, 1], [2, 0]])),
    sample(rng(8).normal(size=(2, 3, 2)), np.array([[0, 1], [2, 0]]), reduction="none", weight=_WEIGHT),
    sample(np.zeros((0, 3)), np.zeros(0, dtype=int), reduction="sum"),
]

SAMPLES = {
    "mse_loss": _pairs(_any, kinks=([1.0, 0.0], [1.0, inf])),
    "l1_loss": _pairs(_any, kinks=([1.0, 0.0, -0.0], [1.0, 1.0, 0.0])),
    "huber_loss": [
        *_pairs(_any, kinks=([1.0, 0.0, 3.0], [1.0, 1.0, 1.0])),
        *_pairs(_any, delta=0.5, kinks=([0.5, 0.0], [0.0, 0.5])),
    ],
    "smooth_l1_loss": [
        *_pairs(_any, kinks=([1.0, 0.0, 3.0], [1.0, 1.0, 1.0])),
        *_pairs(_any, beta=0.5, kinks=([0.5, 0.0], [0.0, 0.5])),
        *_pairs(_any, beta=0.0),
    ],
    "hinge_loss": _pairs(_margins, kinks=([1.0, -1.0, 2.0], [1.0, -1.0, 0.5])),
    "binary_cross_entropy": _pairs(_probabilities, kinks=([0.0, 1.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0])),
    "binary_cross_entropy_with_logits": [
        *_pairs(_scores, kinks=([1e4, -1e4, 1e4, -1e4, 0.0], [1.0, 0.0, 0.0, 1.0, 1.0])),
        *_pairs(_scores, pos_weight=3.0),
    ],
    "kl_div": [
        *_pairs(_log_and_share),
        sample(*_log_and_share(rng(9), (2, 3)), reduction="batchmean"),
        sample(np.log(_SHARES), np.log(_SHARES[::-1]), log_target=True),
    ],
    "cross_entropy": [
        *_INDICES,
        sample(_LOGITS, _CLASSES, label_smoothing=0.1),
        sample(_LOGITS, np.array([0, -100, 1, 2]), label_smoothing=0.2, weight=_WEIGHT),
        sample(_LOGITS, _SHARES),
        sample(_LOGITS, _SHARES, label_smoothing=0.1, weight=_WEIGHT, reduction="sum"),
        sample(_LOGITS, _SHARES, reduction="none"),
        sample(_LOGITS[0], _SHARES[0]),
        sample(_HUGE, np.array([0, 0]), kink=True),
        sample(_HUGE, np.array([1, 2]), kink=True, label_smoothing=0.1),
    ],
    "nll_loss": [*_INDICES, sample(_HUGE, np.array([0, 0]), kink=True)],
}


def _loss(name):
    def call(torch, input, target, **options):
        for key in ("weight", "pos_weight"):
            if key in options:
                options[key] = torch.as_tensor(options[key], dtype=input.dtype)
        return getattr(torch.nn.functional, name)(input, target, **options)

    return call


def _hinge(torch, input, target, reduction="mean"):
    losses = torch.relu(1 - target * input)
    return losses if reduction == "none" else getattr(losses, reduction)()


TORCH = {name: _loss(name) for name in SAMPLES if name != "hinge_loss"} | {"hinge_loss": _hinge}
