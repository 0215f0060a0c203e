"""speed, in words and pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..findings import Claim, Table, named_seeds
from ..speed import NETWORKS, RELU_XAVIER, SIGMOID, TANH, TANH_XAVIER, Network, Ratio, Speed, Trials

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Left: epochs to 25 % training error against the learning rate; small: each seed, large: their median; hollow "
    "at the top: runs that did not arrive, and lines that lead to them. Right: how many times as many epochs other "
    "networks take as ReLU with He's start, each at its own best learning rate; a dot for each seed, a bar for the "
    "median."
)


def tables(found: Speed) -> list[Table]:
    """The epochs, and the ratios at equal and at the best learning rates."""
    rates = sorted({trials.lr for trials in found.trials})
    by_place = {(trials.network, trials.lr): trials for trials in found.trials}
    epochs = [
        [f"{net}", *(_cell(by_place[str(net), lr], found.most_epochs) for lr in rates), f"{found.best_lr[str(net)]:g}"]
        for net in NETWORKS
    ]
    equal = {(ratio.slower, ratio.faster_lr): ratio for ratio in found.at_equal}
    ratios = [[ratio.slower, *(f"{equal[ratio.slower, lr]}" for lr in rates), f"{ratio}"] for ratio in found.at_best]
    names = [f"lr {lr:g}" for lr in rates]
    seeds, tuned = named_seeds(found.seeds), named_seeds(found.tuning_seeds)
    return [
        Table(
            f"epochs to 25 % training error: median (range), {seeds}; the best rate is chosen with {tuned}",
            ["network", *names, "best lr"],
            epochs,
        ),
        Table(
            f"epochs / those of ReLU, He: median (range) over {seeds}; at most {plural(found.most_epochs, 'epoch')}",
            ["network", *names, "each at its best"],
            ratios,
        ),
    ]


def claims(found: Speed) -> list[Claim]:
    """Claims of Krizhevsky et al. and the note."""
    tanh_xavier, tanh, sigmoid = found.ratio(TANH_XAVIER), found.ratio(TANH), found.ratio(SIGMOID)
    sure = f"{tanh_xavier.confidence:.0%} sure"
    return [
        Claim(
            "a network with ReLU reaches 25 % training error six times faster than one with tanh",
            "Krizhevsky et al. 2012, figure 1: four convolutional layers, CIFAR-10, the best learning rate for "
            "each; they add that the factor varies with the architecture, and is several times throughout",
            f"at the best rates tanh with Xavier's start takes {tanh_xavier} times as many epochs as ReLU with "
            f"He's (the range covers the median over all seeds, {sure}); at equal rates "
            f"{_at_equal(found, TANH_XAVIER)}",
            _six_times(tanh_xavier),
        ),
        Claim(
            "it is the function that makes ReLU faster: simple, with a slope of 1",
            "the seminar note, on why ReLU learns fast",
            f"tanh whose weights start with the gain that keeps its signal takes {tanh} times as many epochs as "
            f"ReLU; at equal rates {_at_equal(found, TANH)}. ReLU with Xavier's start takes "
            f"{found.ratio(RELU_XAVIER)} times as many as with He's",
            "holds" if min(tanh.ratios) > 1 else "does not hold here",
        ),
        Claim(
            "ReLU learns about six times faster than sigmoid",
            "the seminar note",
            f"at the best rates sigmoid takes {sigmoid} times as many epochs; at equal rates "
            f"{_at_equal(found, SIGMOID)}",
            _six_times(sigmoid),
        ),
    ]


def figure(found: Speed) -> Any:
    """The epochs against the learning rate, and the ratios at the best rates."""
    figure, (left, right) = figures.panels(columns=2, width=6.6, height=5.0)
    ceiling = 1.5 * found.most_epochs
    for i, net in enumerate(NETWORKS):
        trials = sorted((each for each in found.trials if each.network == str(net)), key=lambda each: each.lr)
        _draw_epochs(left, trials, ceiling, i)
    left.set(
        xscale="log",
        yscale="log",
        ylim=(0.5, 1.25 * ceiling),
        xlabel="learning rate",
        ylabel="epochs to 25 % training error",
    )
    left.set_title("Epochs, by learning rate")
    ticks = [1, 3, 10, 30]
    left.set_yticks([*ticks, ceiling], [*map(str, ticks), f"> {found.most_epochs}"])
    left.minorticks_off()
    rates = sorted({trials.lr for trials in found.trials})
    left.set_xticks(rates, [f"{lr:g}" for lr in rates])
    figures.legend(left, loc="lower left")
    for place, ratio in enumerate(found.at_best):
        _draw_ratio(right, ratio, place)
    right.axvline(6, color=figures.BLACK, linestyle="--", linewidth=1.4, label="six times")
    right.axvline(1, color=figures.GREY, linewidth=1.4, label="as fast as ReLU")
    right.set(xscale="log", xlabel="epochs / those of ReLU, He", title="Each at its best learning rate")
    right.set_xticks([0.5, 1, 2, 4, 6, 10, 20], ["0.5", "1", "2", "4", "6", "10", "20"])
    right.minorticks_off()
    right.set_yticks(range(len(found.at_best)), [ratio.slower for ratio in found.at_best])
    right.set_ylim(len(found.at_best) - 0.3, -0.7)
    figures.legend(right, loc="lower left", ncols=2)
    return figure


def _cell(trials: Trials, most_epochs: int) -> str:
    """The median and the range, and how many runs did not arrive."""
    count = len(trials.epochs)
    if trials.censored == count:
        return f"> {most_epochs}"
    worst = f"> {most_epochs}, {trials.censored} of {count}" if trials.censored else f"{max(trials.epochs):g}"
    median = f"> {most_epochs}" if math.isinf(trials.median) else f"{trials.median:g}"
    return f"{median} ({min(trials.epochs):g} to {worst})"


def _at_equal(found: Speed, slower: Network) -> str:
    """The ratios at the learning rates at which ReLU arrives."""
    ratios = [ratio for ratio in found.at_equal if ratio.slower == str(slower) and not ratio.at_most]
    return ", ".join(f"{ratio} at {ratio.faster_lr:g}" for ratio in ratios) or "ReLU does not arrive"


def _six_times(ratio: Ratio) -> str:
    """Tell whether six lies within the range of the ratios; in part if all are above 1."""
    low, high = min(ratio.ratios), max(ratio.ratios)
    if not ratio.bound and low <= 6 <= high:
        return "holds"
    return "holds in part" if low > 1 and not ratio.at_most else "does not hold here"


def _draw_epochs(axes: Any, found: list[Trials], ceiling: float, place: int) -> None:
    """The seeds and their median at each rate; those that did not arrive are hollow, at the ceiling."""
    color, marker = figures.COLORS[place], figures.MARKERS[place]
    shift = 1.06 ** (place - 2)  # so that markers at the same place stand side by side
    rates = [shift * trials.lr for trials in found]
    for lr, trials in zip(rates, found):
        heights = np.minimum(trials.epochs, ceiling)
        axes.plot([lr] * len(heights), heights, marker, color=color, markersize=4, alpha=0.5, zorder=1)
    medians = np.array([min(trials.median, ceiling) for trials in found])
    axes.plot(rates, medians, color=color, linewidth=1.8, zorder=2)
    for arrived, face in ((medians < ceiling, color), (medians == ceiling, "white")):
        axes.plot(
            np.array(rates)[arrived],
            medians[arrived],
            marker,
            color=color,
            markerfacecolor=face,
            markersize=10,
            zorder=3,
        )
    axes.plot([], [], f"{marker}-", color=color, markersize=9, label=found[0].network)


def _draw_ratio(axes: Any, ratio: Ratio, place: int) -> None:
    """A marker for each seed, a bar for the median."""
    color, marker = figures.COLORS[place + 1], figures.MARKERS[place + 1]
    axes.plot(ratio.ratios, [place] * len(ratio.ratios), marker, color=color, markersize=9, alpha=0.6)
    axes.plot([ratio.median] * 2, [place - 0.25, place + 0.25], color=color, linewidth=4)
    axes.annotate(
        f"{ratio.bound}{ratio.median:.2g} ×", (ratio.median, place - 0.3), ha="center", va="bottom", fontsize=13,
        color=figures.BLACK, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )  # fmt: skip
