"""init, in words and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..findings import Claim, Table, named_seeds
from ..init import CHANCE, HE, STARTS, XAVIER, Init, Moments, Trainings

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Left: the mean square of the signal after each of the layers, averaged over the seeds; dotted: "
    "theory. Right: the loss while deep networks learn, a thin line for each seed and a thick one for their "
    "median; grey: chance, ln 3."
)


def tables(found: Init) -> list[Table]:
    """The moments after some layers, and how the trainings ended."""
    depth = len(found.moments[0].measured)
    shown = sorted({layer for layer in (1, 5, 10, 22, depth) if layer <= depth})
    moments = [
        [
            each.start,
            named_seeds(each.seeds).partition(" ")[2],
            *(f"{each.measured[layer - 1].mean:.3g} ({each.expected[layer - 1]:.3g})" for layer in shown),
            f"{each.factor.mean:.4f} ± {each.factor.standard_error:.4f} ({each.expected_factor:.4f})",
        ]
        for each in found.moments
    ]
    trainings = [
        [
            f"{each.layers}",
            each.start,
            f"{10**each.first_gradient.mean:.1e}",
            _loss(each),
            f"{each.error}",
            " ".join(f"{run.error:.3f}" for run in each.runs),
        ]
        for each in found.trainings
    ]
    seeds = named_seeds([run.seed for run in found.trainings[0].runs])
    epochs = len(found.trainings[0].runs[0].losses)
    return [
        Table(
            "mean square of the signal, measured (and in theory)",
            ["start", "seeds", *(f"after {layer}" for layer in shown), "a layer multiplies by"],
            moments,
        ),
        Table(
            f"{plural(epochs, 'epoch')} of training ({seeds}); chance: loss {CHANCE:.4f}, error 0.667",
            ["layers", "start", "first gradient", "loss at the end", "error", "of each seed"],
            trainings,
        ),
    ]


def claims(found: Init) -> list[Claim]:
    """Claims of He et al. about the signal and of the training of moderately and very deep networks."""
    shallow, deep = min(each.layers for each in found.trainings), max(each.layers for each in found.trainings)
    he, xavier = found.training(HE, deep), found.training(XAVIER, deep)
    he_22, xavier_22 = found.training(HE, shallow), found.training(XAVIER, shallow)
    after = f"after {plural(len(he.runs[0].losses), 'epoch')}"
    both = he_22.learns and xavier_22.loss.mean < CHANCE - 0.01
    lost = 10 ** (xavier.first_gradient.mean - he.first_gradient.mean)
    return [
        _moments_claim(found),
        Claim(
            f"with {deep} layers He's start makes the network converge, Xavier's completely stalls",
            "He et al. 2015, figure 3: 27 convolutional and 3 fully connected layers, images",
            f"{after} with {deep} dense layers: loss {_loss(he)} against {_loss(xavier)}, chance "
            f"being {CHANCE:.4f}; error {he.error} against {xavier.error}: He's "
            f"{'has converged' if he.converged else 'learns, and is not done' if he.learns else 'does not learn'}. "
            f"Before the first step Xavier's first layer gets {lost:.1e} times the gradient of He's; "
            f"theory: 2^(-{deep - 1}/2) = {2 ** (-(deep - 1) / 2):.1e}",
            _verdict(xavier.stalled and he.learns, he.converged),
        ),
        Claim(
            f"with {shallow} layers both converge, He's start earlier",
            "He et al. 2015, figure 2",
            f"{after} error {he_22.error} with He's, {xavier_22.error} with Xavier's, whose loss "
            f"{_loss(xavier_22)} is {CHANCE - xavier_22.loss.mean:.2f} below chance",
            _verdict(both and he_22.loss.mean < xavier_22.loss.mean, he_22.converged and xavier_22.converged),
        ),
    ]


def figure(found: Init) -> Any:
    """The signal by layer, and the loss by epoch."""
    figure, (left, right) = figures.panels(columns=2, width=6.6, height=5.0)
    for i, moments in enumerate(found.moments):
        _draw_moments(left, moments, figures.COLORS[i], figures.MARKERS[i])
    left.plot([], [], ":", color=figures.BLACK, label="theory")
    left.set(yscale="log", xlabel="layer", ylabel="mean square", title="The signal through ReLU layers")
    figures.legend_below(left)
    colors = dict(zip((start.name for start in STARTS), figures.COLORS))
    dashes = dict(zip(sorted({each.layers for each in found.trainings}), ("-", "--", ":")))
    for training in found.trainings:
        _draw_training(right, training, colors[training.start], dashes[training.layers])
    right.axhline(CHANCE, color=figures.GREY, linewidth=1.2, zorder=0)
    right.annotate(
        "chance", (0.01, CHANCE), xycoords=("axes fraction", "data"), xytext=(0, 5), textcoords="offset points",
        color=figures.GREY, fontsize=12,
    )  # fmt: skip
    highest = max(max(run.losses) for training in found.trainings for run in training.runs)
    right.set(xlabel="epoch", ylabel="loss", title="Learning three spirals", ylim=(0, 1.05 * max(highest, CHANCE)))
    figures.legend_below(right)
    return figure


def _loss(found: Trainings) -> str:
    """That of the last epoch, with as many digits as tell it from chance."""
    return f"{found.loss.mean:.4f} ± {found.loss.deviation:.2g}"


def _moments_claim(found: Init) -> Claim:
    """He et al. on the mean square of the signal."""
    he, xavier, small = found.moments
    depth = len(he.measured)
    within = [
        abs(each.measured[-1].mean / each.expected[-1] - 1) <= 3 * each.standard_error[-1] for each in found.moments
    ]
    return Claim(
        "a ReLU layer multiplies the mean square of the signal by n Var[W] / 2, so that only He's start keeps it",
        "He et al. 2015, section 2.2, equation 9",
        f"after {plural(depth, 'layer')} {he.measured[-1].mean:.2g} with He's start, "
        f"{xavier.measured[-1].mean:.2g} with Xavier's (2^-{depth} = {2.0**-depth:.2g}), "
        f"{small.measured[-1].mean:.2g} with std 0.01 ({small.expected[-1]:.2g}); over "
        f"{plural(he.measured[-1].count, 'seed')} theory allows ± {he.standard_error[-1]:.0%} as one standard error",
        _verdict(all(within)),
    )


def _verdict(*parts: bool) -> str:
    """The first part is the claim itself; the others are what it needs to hold without an if."""
    if all(parts):
        return "holds"
    return "holds in part" if parts[0] else "does not hold here"


def _draw_moments(axes: Any, found: Moments, color: str, marker: str) -> None:
    """Markers for what was measured, dots for theory."""
    layers = np.arange(1, len(found.measured) + 1)
    means = [layer.mean for layer in found.measured]
    axes.plot(layers, means, marker, color=color, markersize=7, label=found.start)
    axes.plot(layers, found.expected, ":", color=figures.BLACK, linewidth=1.4)


def _draw_training(axes: Any, found: Trainings, color: str, style: str) -> None:
    """A thin line for each seed, a thick one for their median."""
    losses = np.array([run.losses for run in found.runs])
    epochs = np.arange(1, losses.shape[1] + 1)
    axes.plot(epochs, losses.T, color=color, linestyle=style, linewidth=0.8, alpha=0.4)
    label = f"{found.start}, {plural(found.layers, 'layer')}"
    axes.plot(epochs, np.median(losses, axis=0), color=color, linestyle=style, linewidth=2.8, label=label)
