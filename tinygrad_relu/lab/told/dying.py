"""dying, in words and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..born_dead import BornDead, born_dead_probability
from ..dying import Death, Dying, Rate
from ..findings import Claim, Spread, Table, named_seeds

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Above, left: dead units against the learning rate: the mean over the seeds, and the least and the most of "
    "them. More units are silent on a batch than are dead. Right: the share of networks that are silent at birth, "
    "counted (points, 95 % intervals) and by the formula (lines). Below: one unit as it dies. The band holds its sums "
    "for all rows of the data; once it lies below 0 as a whole, no row gives a gradient, and weights and bias stay."
)


def tables(found: Dying) -> list[Table]:
    """Dead units by learning rate, the steps around a death, and the born dead."""
    return [_rates(found), *([_around(found.death)] if found.death else []), found.born.table()]


def claims(found: Dying) -> list[Claim]:
    """Verdicts on CS231n, of the seminar note, and of the formula of Lu et al."""
    of_death = [_no_gradient(found.death)] if found.death else []
    return [_large_rates(found), _negative_sums(found), *of_death, _born_dead(found.born)]


def figure(found: Dying) -> Any:
    """Dead units by learning rate, born dead by depth, and the death of a unit."""
    figure, (by_rate, by_depth, sums, parameters) = figures.panels(2, 2, width=7)
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.12)
    _draw_rates(by_rate, found.rates)
    _draw_born_dead(by_depth, found.born)
    if found.death:
        _draw_sums(sums, found.death)
        _draw_parameters(parameters, found.death)
    return figure


# ---------------------------------------------------------------------- tables


def _rates(found: Dying) -> Table:
    columns = ["learning rate", "layer", "dead", "silent on a batch", "zeros", "came back", "training error"]
    start = [
        ["before" if not layer else "", f"{layer + 1}", dead.percent(), "", "", "", ""]
        for layer, dead in enumerate(found.dead_at_start)
    ]
    rows = [
        [
            f"{rate.lr:g}" if not layer else "",
            f"{layer + 1}",
            rate.dead[layer].percent(),
            rate.silent_on_batch[layer].percent(),
            f"{rate.zeros[layer].mean:.0%}",
            f"{rate.came_back[layer]}",
            rate.error.percent() if not layer else "",
        ]
        for rate in found.rates
        for layer in range(len(rate.dead))
    ]
    title = f"dead units before and after the training, {named_seeds(found.seeds)}, mean ± deviation"
    return Table(title, columns, [*start, *rows])


def _around(death: Death) -> Table:
    near = [i for i, step in enumerate(death.steps) if -3 <= step <= 3]
    rows = [
        [
            f"{death.steps[i]:+d}",
            f"{death.highest[i]:.3f}",
            f"{death.active[i]:.0%}",
            " ".join(f"{number:+.3f}" for number in death.parameters[i]),
            f"{death.gradient[i]:.3g}",
        ]
        for i in near
    ]
    title = f"unit {death.unit} of the first layer dies in step {death.step} (learning rate {death.lr:g})"
    return Table(title, ["step", "largest sum", "rows active", "weights, bias", "gradient"], rows)


# ---------------------------------------------------------------------- claims


def _average(shares: list[Spread]) -> float:
    """In per cent, over layers that are equally wide."""
    return 100 * sum(share.mean for share in shares) / len(shares)


def _large_rates(found: Dying) -> Claim:
    calm = min(found.rates, key=lambda rate: rate.lr)
    many = [rate for rate in found.rates if rate.dead_of_all.mean >= 0.4]
    first = min(many, key=lambda rate: rate.lr) if many else max(found.rates, key=lambda rate: rate.lr)
    good = [rate for rate in found.rates if rate.error.mean < 0.05]
    measured = (
        f"of all units {_average(found.dead_at_start):.1f} % are dead before the first step. After the last, "
        f"{calm.dead_of_all.percent()} are dead at the rate {calm.lr:g}, {first.dead_of_all.percent()} at "
        f"{first.lr:g}, where {first.error.percent()} of the training rows are classified wrongly"
    )
    if good:
        harmless = max(good, key=lambda rate: rate.dead_of_all.mean)
        measured += f"; where less than 5 % are, at most {harmless.dead_of_all.percent()}, at {harmless.lr:g}"
    return Claim(
        "as much as 40 % of the network can be dead if the learning rate is set too high",
        "Stanford CS231n, notes on neural networks 1, commonly used activation functions",
        measured,
        "holds" if many else "does not hold here",
    )


def _negative_sums(found: Dying) -> Claim:
    back = np.sum([rate.came_back for rate in found.rates], axis=0)
    calm = min(found.rates, key=lambda rate: rate.error.mean)
    silent = np.mean([spread.mean for spread in calm.zeros])
    return Claim(
        "from the moment that a unit's weighted sum turns negative it gives only 0, and nothing changes any more",
        "the seminar note, limits of ReLU",
        f"at the rate {calm.lr:g}, {silent:.0%} of the sums are negative but {calm.dead_of_all.percent()} of the "
        f"units are dead, for that takes a negative sum for every row. Dead units of the first layer came back "
        f"{plural(back[0], 'time')}, those of the second {plural(back[1], 'time')}: what comes in there still changes",
        "holds" if not back.any() and silent - calm.dead_of_all.mean < 0.05 else "holds in part",
    )


def _no_gradient(death: Death) -> Claim:
    still = death.largest_gradient_after == 0 and death.moved_after == 0
    killing = death.gradient[death.steps.index(0)]
    return Claim(
        "the gradient of a dead unit is 0, so its weights are not updated",
        "the seminar note, limits of ReLU",
        f"in the {plural(death.steps_after, 'step')} after its death the largest gradient of the unit is "
        f"{death.largest_gradient_after:g}, and its weights move by {death.moved_after:g}; the step that killed it "
        f"followed a gradient of {killing:.2g}",
        "holds" if still else "does not hold here",
    )


def _born_dead(born: BornDead) -> Claim:
    worst = born.farthest
    return Claim(
        "a network of H hidden layers of N units, without biases, is silent at an input with probability "
        "1 - (1 - 2^-N)^H",
        "Lu, Shin, Su and Karniadakis 2019, arXiv 1903.06733",
        f"in {plural(len(born.cells), 'cell')} of {plural(worst.networks, 'network')} the squared distances add up to "
        f"{born.chi_square:.1f} ({born.score:+.1f} standard deviations from what chance gives); the "
        f"largest is {abs(worst.z):.1f} standard errors",
        "holds" if abs(born.score) < 4 else "does not hold here",
    )


# ---------------------------------------------------------------------- the panels


def _draw_rates(axes: Any, rates: list[Rate]) -> None:
    x = np.arange(len(rates))
    for i, (color, marker) in enumerate(((figures.BLUE, "o"), (figures.ORANGE, "s"))):
        beside = x + 0.1 * (i - 0.5)  # so that the whiskers of both layers are seen
        dead = [rate.dead[i] for rate in rates]
        means, ends = [100 * s.mean for s in dead], [(100 * s.least, 100 * s.most) for s in dead]
        axes.plot(beside, means, color=color, marker=marker, label=f"layer {i + 1}: dead on all data")
        axes.errorbar(beside, means, figures.whiskers(means, ends), fmt="none", color=color, capsize=4)
        silent = [100 * rate.silent_on_batch[i].mean for rate in rates]
        look = {"color": color, "marker": marker, "fillstyle": "none"}
        axes.plot(beside, silent, ":", label=f"layer {i + 1}: silent on a batch", **look)
    error = [100 * rate.error.mean for rate in rates]
    axes.plot(x, error, "--", color=figures.BLACK, marker="X", label="training error")
    axes.set_xticks(x, [f"{rate.lr:g}" for rate in rates])
    axes.set(xlabel="learning rate (not to scale)", ylabel="units, or rows (%)", title="Dead after the training")
    axes.set_ylim(-4, 109)
    figures.legend(axes, loc="upper left")


def _draw_born_dead(axes: Any, born: BornDead) -> None:
    widths = sorted({cell.width for cell in born.cells})
    depths = range(1, max(cell.depth for cell in born.cells) + 1)
    for width, color, marker in zip(widths, figures.COLORS, figures.MARKERS):
        axes.plot(depths, [100 * born_dead_probability(depth, width) for depth in depths], color=color)
        cells = [cell for cell in born.cells if cell.width == width]
        counted = [100 * cell.estimate for cell in cells]
        ends = [(100 * low, 100 * high) for low, high in (cell.interval for cell in cells)]
        axes.errorbar(
            [cell.depth for cell in cells], counted, figures.whiskers(counted, ends), fmt=marker, color=color, capsize=4
        )
        end = (depths[-1] + 0.6, 100 * born_dead_probability(depths[-1], width))
        axes.text(*end, f"{width} wide", va="center", color=figures.BLACK, size=13)
    axes.set(xlabel="hidden layers H", ylabel="silent networks (%)", ylim=(-4, 104), title="Born dead")
    axes.set(xlim=(0, 1.2 * depths[-1]), xticks=sorted({1, *(cell.depth for cell in born.cells)}))


def _draw_sums(axes: Any, death: Death) -> None:
    axes.fill_between(death.steps, death.lowest, death.highest, color=figures.SKY, alpha=0.5)
    axes.plot(death.steps, death.highest, "o-", color=figures.BLUE, label="largest sum")
    axes.plot(death.steps, death.lowest, "-", color=figures.BLUE, alpha=0.5, label="least sum")
    axes.axhline(0, color=figures.BLACK, linewidth=1)
    axes.axvspan(1, death.steps[-1], color=figures.GREY, alpha=0.12)
    axes.text(6.5, 0.5 * death.highest[death.steps.index(0)], "dead", ha="center", color=figures.BLACK, size=15)
    axes.set(xlabel="steps from the one that kills", ylabel="sum, over all rows", title=f"Unit {death.unit} as it dies")
    figures.legend(axes, loc="lower left")


def _draw_parameters(axes: Any, death: Death) -> None:
    columns = zip(*death.parameters)
    for column, label, color, marker in zip(columns, ("weight 1", "weight 2", "bias"), figures.COLORS, figures.MARKERS):
        axes.plot(death.steps, column, color=color, marker=marker, markersize=4, label=label)
    axes.bar(death.steps, death.gradient, color=figures.BLACK, width=0.5, label="length of the gradient")
    axes.axvspan(1, death.steps[-1], color=figures.GREY, alpha=0.12)
    axes.set(xlabel="steps from the one that kills", ylabel="value", title="What moves it, and what no longer does")
    figures.legend(axes)
