"""vanishing, in words and pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..findings import Claim, Spread, Table, named_seeds
from ..vanishing import NETWORKS, ORDINARY, SMALL, Decay, Jacobians, Vanishing

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Left: the gradient at the layers below the last hidden one, as a share of that at the last; lines for the "
    "deepest networks (bands: one standard deviation over the seeds), large markers for the first layer of each "
    "depth, dots for the theory of wide layers. Right: the mean singular value of each layer's Jacobian in tanh "
    "networks, beside the quarter-circle law."
)


def tables(found: Vanishing) -> list[Table]:
    """The share that reaches the first layer by depth, the factor of one layer, and the singular values."""
    depths = sorted({decay.depth for decay in found.decays})
    first = {(decay.network, decay.depth): decay.shares[0] for decay in found.decays}
    reaches = [[f"{net}", *(_times(first[str(net), depth]) for depth in depths)] for net in NETWORKS]
    deepest = [(net, found.deepest(net)) for net in NETWORKS]
    factors = [
        [f"{net}", f"{net.variance:.2g}", f"{decay.factor}", f"{decay.expected_factor:.3f}"] for net, decay in deepest
    ]
    values = [
        [
            each.start,
            f"{each.inputs:g}",
            f"{each.formula:.4f}",
            f"{each.mean.mean:.4f}",
            *(f"{layer.mean:.4f}" for layer in each.layers),
        ]
        for each in found.jacobians
    ]
    seeds = named_seeds(found.seeds)
    layers = [f"layer {i + 1}" for i in range(len(found.jacobians[0].layers))]
    return [
        Table(
            f"RMS gradient at the first hidden layer / at the last, by depth (geometric mean ×/÷ spread, {seeds})",
            ["network", *(plural(depth, "layer") for depth in depths)],
            reaches,
        ),
        Table(
            f"the factor of one layer, fitted over {plural(depths[-1], 'layer')}",
            ["network", "n Var[W]", "measured", "theory"],
            factors,
        ),
        Table(
            f"mean singular value of a layer's Jacobian in tanh networks ({seeds})",
            ["start", "std of inputs", "formula", "measured", *layers],
            values,
        ),
    ]


def claims(found: Vanishing) -> list[Claim]:
    """Claims of the note, Karpathy, He et al. and Glorot and Bengio."""
    sigmoid, _, _, he, xavier = (found.deepest(net) for net in NETWORKS)
    return [
        Claim(
            "with ReLU there is no vanishing gradient, which sigmoid has",
            "the seminar note, on why hidden layers use ReLU",
            f"at the first of {he.depth} layers arrive {_times(sigmoid.shares[0])} of the gradient with sigmoid, "
            f"{_times(he.shares[0])} with ReLU and He's weights, but {_times(xavier.shares[0])} with ReLU and "
            "Xavier's: it takes the weights that go with it",
            _verdict(_keeps(he) and not _keeps(sigmoid), _keeps(xavier)),
        ),
        Claim(
            "the slope of sigmoid is at most 1/4, so that each layer takes at least three quarters of the gradient",
            'A. Karpathy, "Yes you should understand backprop", 2016; for weights that do not make up for it',
            f"one layer multiplies it by {sigmoid.factor}; theory: {sigmoid.expected_factor:.3f}",
            _verdict(sigmoid.factor.mean <= 0.25),
        ),
        Claim(
            "with n Var[W] = 2 a ReLU layer keeps the gradient's size, with 1 (Xavier) it divides it by sqrt(2)",
            "He et al. 2015, section 2.2, for the mean square over all weights",
            f"factor {he.factor} and {xavier.factor}; theory: {he.expected_factor:.3f} and "
            f"{xavier.expected_factor:.3f}. The typical network lies a little below the mean, which a few with "
            "large gradients pull up",
            _verdict(_near(he.factor.mean, 1.0), _near(xavier.factor.mean, 1 / math.sqrt(2))),
        ),
        _glorot(found),
    ]


def figure(found: Vanishing) -> Any:
    """The gradient by layer, and the singular values by layer."""
    figure, (left, right) = figures.panels(columns=2, width=6.6, height=5.0)
    for i, net in enumerate(NETWORKS):
        _draw_decay(left, found.deepest(net), figures.COLORS[i], figures.MARKERS[i])
        reached = [(each.depth - 1, 10 ** each.shares[0].mean) for each in found.decays if each.network == str(net)]
        axes_options = {"color": figures.COLORS[i], "markersize": 9, "markeredgecolor": "white"}
        left.plot(*zip(*reached), figures.MARKERS[i], **axes_options)
    left.set(
        yscale="log",
        xlabel="layers below the last hidden one",
        ylabel="gradient (RMS) / that at the last",
        title="What is left of the gradient",
    )
    left.plot([], [], ":", color=figures.BLACK, label="theory for wide layers")
    left.xaxis.get_major_locator().set_params(integer=True)
    figures.legend(left, loc="lower left")
    for i, jacobians in enumerate(found.jacobians):
        _draw_jacobians(right, jacobians, figures.COLORS[i // 2], figures.MARKERS[i])
    right.set(xlabel="layer", ylabel="mean singular value", title="Jacobian of a tanh layer", ylim=(0, 1.05))
    right.plot([], [], ":", color=figures.BLACK, label="8 / (3π) √(n Var[W])")
    right.xaxis.get_major_locator().set_params(integer=True)
    figures.legend(right, loc="lower right")
    return figure


def _times(share: Spread) -> str:
    """A geometric mean, and by what most networks are above or below it."""
    return f"{10**share.mean:.2g} ×/÷ {10**share.deviation:.2f}"


def _verdict(*parts: bool) -> str:
    """The first part is the claim itself; the others are what it needs to hold without an if."""
    if all(parts):
        return "holds"
    return "holds in part" if parts[0] else "does not hold here"


def _keeps(decay: Decay) -> bool:
    """A tenth or more of the gradient reaches the first layer."""
    return decay.shares[0].mean > -1


def _near(measured: float, expected: float) -> bool:
    return abs(measured - expected) <= 0.05 * expected


def _glorot(found: Vanishing) -> Claim:
    """Glorot and Bengio's two numbers, for small and for ordinary inputs."""
    standard, normalised = (each for each in found.jacobians if each.inputs == SMALL)
    small = [standard.mean.mean, normalised.mean.mean]
    ordinary = [each.mean.mean for each in found.jacobians if each.inputs == ORDINARY]
    return Claim(
        "the mean singular value of a layer's Jacobian is about 0.5 with the standard start, 0.8 normalised",
        "Glorot and Bengio 2010, section 4.2, tanh networks",
        f"{small[0]:.4f} and {small[1]:.4f} for small inputs, ± {standard.mean.standard_error:.4f} and "
        f"{normalised.mean.standard_error:.4f}, where the formula gives {standard.formula:.4f} and "
        f"{normalised.formula:.4f}; {ordinary[0]:.2f} and {ordinary[1]:.2f} on average over the layers for inputs "
        "of standard deviation 1, which reach the flat ends of tanh",
        _verdict(_rounded(small) == (0.5, 0.8), _rounded(ordinary) == (0.5, 0.8)),
    )


def _rounded(means: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(mean, 1) for mean in means)


def _draw_decay(axes: Any, decay: Decay, color: str, marker: str) -> None:
    """A line from the last layer down to the first, its spread as a band, theory as dots."""
    down = np.arange(decay.depth)
    mean = np.array([share.mean for share in reversed(decay.shares)])
    deviation = np.array([share.deviation for share in reversed(decay.shares)])
    axes.plot(down, 10**mean, color=color, linewidth=2.2, label=decay.network, marker=marker, markersize=4)
    axes.fill_between(down, 10 ** (mean - deviation), 10 ** (mean + deviation), color=color, alpha=0.18, linewidth=0)
    axes.plot(down, decay.expected[::-1], ":", color=figures.BLACK, linewidth=1.4)


def _draw_jacobians(axes: Any, found: Jacobians, color: str, marker: str) -> None:
    """The singular values layer by layer, and the formula as a dotted line."""
    layers = np.arange(1, len(found.layers) + 1)
    means = [layer.mean for layer in found.layers]
    label = f"{found.start} start, inputs of std {found.inputs:g}"
    axes.plot(layers, means, color=color, marker=marker, linewidth=2, markersize=8, label=label)
    axes.axhline(found.formula, color=figures.BLACK, linestyle=":", linewidth=1.4)
