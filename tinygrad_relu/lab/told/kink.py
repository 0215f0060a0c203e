"""kink, in words and pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..findings import Claim, Spread, Table
from ..kink import DTYPES, WIDTH, Blank, Kink, Training
from ..zeros import Zeros

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Top left: the share of pre-activations that are exactly 0 by chance, with 95 % intervals; an arrow is an "
    "upper bound where none was found, a black bar is what is expected. Top right: zeros for a reason, in narrow "
    "networks at their start, with 95 % intervals, beside theory (lines). Bottom left: how far the weights after "
    "training with relu'(0) = 1 are from those with 0, one point for each seed. Bottom right: the difference to the "
    "left of 0, to the right, and across."
)


def tables(found: Kink) -> list[Table]:
    """Zeros by chance, zeros for a reason, trainings, gradient checks."""
    counted = [
        [
            each.dtype,
            each.where,
            f"{each.values:.2e}",
            f"{each.zeros}",
            _count(each.expected),
            "{:.2g} to {:.2g}".format(*each.interval),
            f"{each.for_a_reason}",
        ]
        for each in found.zeros
    ]
    blanks = [
        [f"{each.width}", f"{each.layer}", f"{each.share.mean:.4f}", f"{each.share.standard_error:.4f}",
         f"{each.theory:.4f}"]
        for each in found.blanks
    ]  # fmt: skip
    trained = [[dtype, *_outcome(_of(found, dtype))] for dtype in DTYPES if _of(found, dtype)]
    checks = [
        [f"{each.slope:g}", f"{each.left:g}", f"{each.central:g}", f"{each.right:g}", each.judged]
        for each in found.checks
    ]
    return [
        Table(
            "pre-activations that are exactly 0",
            ["numbers", "where", "counted", "by chance", "expected", "rate (95 %)", "for a reason"],
            counted,
        ),
        Table(
            "for a reason: share in narrow networks at their start",
            ["width", "layer", "measured", "standard error", "theory"],
            blanks,
        ),
        Table(
            "trained with relu'(0) = 0, 1/2, 1: accuracy on other rows, and the largest difference of a weight",
            ["numbers", "seeds", "weights differ", "largest", "accuracy: 0", "1/2", "1"],
            trained,
        ),
        Table("gradcheck of relu at 0", ["relu'(0) taken", "left", "across", "right", "gradcheck says"], checks),
    ]


def claims(found: Kink) -> list[Claim]:
    """The note's claim, and those of Bertoin et al."""
    chance = {each.dtype: each for each in found.zeros if each.where == "training"}
    common = max((each.share.mean for each in found.blanks), default=0.0)
    differ = {dtype: [each for each in _of(found, dtype) if max(each.distances)] for dtype in DTYPES}
    shares = {dtype: len(differ[dtype]) / len(_of(found, dtype)) for dtype in DTYPES}
    told = {dtype: f"{len(differ[dtype])} of {plural(len(_of(found, dtype)), 'run')}" for dtype in DTYPES}
    single = chance["float32"]
    every = single.values / single.expected if single.expected else math.inf
    source = "Bertoin, Bolte, Gerchinovitz and Pauwels, NeurIPS 2021, abstract"
    return [
        Claim(
            "relu is not differentiable at 0, but 0 is hit so seldom that this is ignored",
            "the seminar note",
            "by chance "
            + ", ".join(f"{each.zeros} of {each.values:.1e} in {dtype}" for dtype, each in chance.items())
            + f" during training; but for a reason, in narrow networks at their start, up to {100 * common:.0f} % "
            "of all",
            "holds in part" if common > 0.01 else _holds(chance["float32"].rate < 1e-5),
        ),
        Claim(
            "in 16 bits the choice of relu'(0) changes what backpropagation gives systematically",
            source,
            f"the weights differ in {told['float16']}",
            _holds(shares["float16"] > 0.9),
        ),
        Claim(
            "in 32 bits it does so around half of the time",
            f"{source}: fully connected, VGG and ResNet networks on MNIST, CIFAR10, SVHN and ImageNet",
            f"the weights differ in {told['float32']}; one zero is expected in {every:.0e} values, and these small "
            f"networks, of two times {WIDTH} units, have had {single.values:.0e} in all",
            _holds(0.25 <= shares["float32"] <= 0.75),
        ),
        Claim(
            "in 64 bits the effect disappears",
            source,
            f"the weights differ in {told['float64']}",
            _holds(shares["float64"] == 0),
        ),
        _best_slope(found, source),
        Claim(
            "a gradient check by central differences finds 1/2 at 0, whatever the backward rule says",
            "a question that learners ask; (f(h) - f(-h)) / 2h with f = relu",
            "; ".join(f"{each.slope:g}: {each.judged}" for each in found.checks)
            + ". Any slope between those of the left and the right is a subgradient and passes",
            _holds(all(each.central == 0.5 for each in found.checks)),
        ),
    ]


def figure(found: Kink) -> Any:
    """Zeros by chance, zeros for a reason, what the trainings differ by, and the kink itself."""
    figure, (chance, reason, weights, kink) = figures.panels(2, 2, width=7)
    _draw_chance(chance, found.zeros)
    _draw_reasons(reason, found.blanks)
    _draw_weights(weights, found)
    _draw_kink(kink)
    return figure


def _count(expected: float | None) -> str:
    return "-" if expected is None else f"{expected:.0f}" if expected >= 10 else f"{expected:.2g}"


def _outcome(trainings: list[Training]) -> list[str]:
    """The trainings of one precision as cells of a table."""
    largest = [max(each.distances) for each in trainings]
    accuracies = [Spread.of(column) for column in zip(*(each.accuracies for each in trainings))]
    return [
        f"{len(trainings)}",
        f"{np.count_nonzero(largest)} of {len(trainings)}",
        f"{max(largest):.2g}",
        *(f"{each.mean:.4f} ± {each.deviation:.4f}" for each in accuracies),
    ]


def _of(found: Kink, dtype: str) -> list[Training]:
    return [each for each in found.trainings if each.dtype == dtype]


def _holds(it_does: bool) -> str:
    return "holds" if it_does else "does not hold here"


def _best_slope(found: Kink, source: str) -> Claim:
    """Tell whether relu'(0) = 0 gives more accuracy than 1, where the weights differ at all."""
    gains = Spread.of(each.accuracies[0] - each.accuracies[-1] for each in _of(found, "float16"))
    return Claim(
        "for plain SGD relu'(0) = 0 seems the most efficient; on ImageNet more than 10 points above 1",
        source,
        f"in float16, accuracy with 0 minus accuracy with 1: {100 * gains.mean:.2f} points, standard error "
        f"{100 * gains.standard_error:.2f}",
        _holds(gains.mean > 3 * gains.standard_error),
    )


def _draw_chance(axes: Any, zeros: list[Zeros]) -> None:
    """The share of zeros by precision, each place beside the others."""
    kinds = list(dict.fromkeys(each.where for each in zeros))
    for i, kind in enumerate(kinds):
        color, marker = figures.COLORS[i], figures.MARKERS[i]
        axes.plot([], [], marker, color=color, markersize=9, label=kind)
        for found in (one for one in zeros if one.where == kind):
            x = DTYPES.index(found.dtype) + 0.22 * (i - 1)
            low, high = found.interval
            if found.zeros:
                axes.plot([x, x], [low, high], color=color, linewidth=2)
                axes.plot(x, found.rate, marker, color=color, markersize=9)
            else:
                arrow = {"arrowstyle": "-|>", "color": color, "linewidth": 2}
                axes.annotate("", (x, high / 30), (x, high), arrowprops=arrow)
                axes.plot(x, high, "_", color=color, markersize=14, markeredgewidth=2)
            if found.expected is not None:
                axes.plot(x, found.expected / found.values, "_", color="black", markersize=20, markeredgewidth=2)
    axes.plot([], [], "_", color="black", markersize=16, markeredgewidth=2, label="expected")
    axes.set(yscale="log", ylim=(1e-20, 1e1), xlim=(-0.5, 2.5), xticks=range(3), xticklabels=DTYPES)
    axes.set(ylabel="share that is exactly 0", title="Zero by chance")
    figures.legend(axes, ncols=2, loc="upper center")


def _draw_reasons(axes: Any, blanks: list[Blank]) -> None:
    """The share of zeros by layer, as markers, and theory as lines."""
    for i, width in enumerate(dict.fromkeys(blank.width for blank in blanks)):
        found = [each for each in blanks if each.width == width]
        layers, shares = [each.layer for each in found], [each.share for each in found]
        look = {"color": figures.COLORS[i], "marker": figures.MARKERS[i], "linestyle": "", "markersize": 9}
        means, ends = [each.mean for each in shares], [each.share_interval for each in shares]
        axes.errorbar(layers, means, figures.whiskers(means, ends), capsize=5, label=f"width {width}", **look)
        axes.plot(layers, [each.theory for each in found], color=figures.COLORS[i], linewidth=1.5)
    axes.set(xlabel="hidden layer", ylabel="share that is exactly 0", title="Zero for a reason")
    axes.set(xticks=sorted({each.layer for each in blanks}), ylim=(-0.02, None))
    figures.legend(axes, loc="upper left")


def _draw_weights(axes: Any, found: Kink) -> None:
    """A marker for each seed, and a word where all weights are the same."""
    for i, dtype in enumerate(DTYPES):
        distances = [each.distances[-1] for each in _of(found, dtype)]
        places = i + np.linspace(-0.2, 0.2, len(distances)) if len(distances) > 1 else [i]
        axes.plot(places, distances, figures.MARKERS[i], color=figures.COLORS[i], markersize=9)
        if not any(distances):
            axes.annotate("all bits\nthe same", (i, 0), (i, 0.3e-3), ha="center", fontsize=12)
    axes.set_yscale("symlog", linthresh=1e-3)
    axes.set(xlim=(-0.5, 2.5), ylim=(-3e-4, 10), xticks=range(3), xticklabels=DTYPES)
    axes.set(ylabel="largest difference of a weight", title="relu'(0) = 1 against 0, after training")


def _draw_kink(axes: Any) -> None:
    """relu near 0, and the three differences there."""
    step = 1.0
    x = np.array([-1.6, 0, 1.6])
    axes.plot(x, np.maximum(x, 0), color=figures.BLACK, linewidth=3, label="relu")
    for a, b, color, style, name in (
        (-step, 0.0, figures.BLUE, "o--", "left: slope {:g}"),
        (0.0, step, figures.RED, "s--", "right: slope {:g}"),
        (-step, step, figures.GREEN, "D-.", "across: slope {:g}"),
    ):
        ends = np.maximum([a, b], 0)
        slope = (ends[1] - ends[0]) / (b - a)
        axes.plot([a, b], ends, style, color=color, linewidth=2.5, markersize=8, label=name.format(slope))
    axes.set(xlabel="x", ylabel="relu(x)", title="Which slope at 0?", xticks=[-1, 0, 1], yticks=[0, 1])
    axes.set(xticklabels=["-h", "0", "h"], yticklabels=["0", "h"])
    figures.legend(axes, loc="upper left")
