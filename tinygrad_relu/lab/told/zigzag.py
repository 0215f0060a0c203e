"""zigzag, in words and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import figures
from ..findings import Claim, Spread, Table, named_seeds
from ..zigzag import GOAL, Course, Signs, Zigzag

__all__ = ["CAPTION", "claims", "figure", "tables"]

CAPTION = (
    "Above: second-layer units whose weight gradients all have one sign, and units that the next draw pulls back, "
    "by the size of the batch: the mean over the seeds, and the least and the most of them. Below: two weights on "
    "their way to (1, -1), the star, over the contours of the loss, with the first seed and the same learning rate; on "
    "the right the inputs have been centred."
)


def tables(found: Zigzag) -> list[Table]:
    """Signs of gradients, reversals, and the paths."""
    over = f"mean ± deviation, {named_seeds(found.seeds)}"
    sizes = ["one example", *(f"batch of {size}" for size in found.batch_sizes[1:])]
    shares = [
        [signs.network, signs.first_layer[0].percent(0), *(spread.percent(0) for spread in signs.second_layer)]
        for signs in found.signs
    ]
    reversals = [
        [signs.network, signs.positive.percent(0), *(spread.percent(0) for spread in signs.reversals)]
        for signs in found.signs
    ]
    courses = [
        [
            course.inputs,
            course.way,
            f"{course.condition.mean:.1f}",
            f"{course.lr.mean:.2g}",
            *(_number(spread) for spread in (course.steps, course.reversals)),
            f"{course.together.mean:.0%}",
            _number(course.length),
        ]
        for course in found.courses
    ]
    columns = ["inputs", "by", "condition", "rate", "steps", "reversals", "together", "length"]
    return [
        Table(f"units with weight gradients of one sign, {over}", ["network", "layer 1", *sizes], shares),
        Table(f"units pulled back by the next draw, {over}", ["network", "gradient > 0", *sizes], reversals),
        Table(f"two weights on their way, {over}", columns, courses),
    ]


def claims(found: Zigzag) -> list[Claim]:
    """Verdicts on LeCun et al. and of the seminar note."""
    return [_one_sign(found), _zigzag(found), _centring(found)]


def figure(found: Zigzag) -> Any:
    """Signs and reversals by batch size, and the two weights over their loss."""
    figure, (one_sign, reversals, positive, centred) = figures.panels(2, 2, width=7, height=4.9)
    figure.get_layout_engine().set(h_pad=0.12, w_pad=0.12)
    _draw_shares(one_sign, found, "second_layer", "Weight gradients of one sign")
    _draw_shares(reversals, found, "reversals", "Pulled back by the next draw")
    one_sign.set(ylim=(-4, 140), yticks=range(0, 101, 20))  # with room for the legend
    figures.legend(one_sign, ncols=2, loc="upper right")
    for axes, inputs in ((positive, "positive"), (centred, "centred")):
        _draw_courses(axes, _courses(found, inputs)[:2])
    return figure


def _number(spread: Spread) -> str:
    return f"{spread.mean:.1f} ± {spread.deviation:.1f}"


# ---------------------------------------------------------------------- claims


def _one_sign(found: Zigzag) -> Claim:
    of_relu, of_sigmoid, of_tanh = (_signs(found, name).second_layer[0] for name in ("relu", "sigmoid", "tanh"))
    holds = of_relu.mean == of_sigmoid.mean == 1 and of_tanh.mean < 0.05
    return Claim(
        "with inputs that are all positive, the weights of a unit can only all grow or all shrink together for a "
        "given example",
        'LeCun, Bottou, Orr and Müller 1998, "Efficient BackProp", section 4.3',
        f"for single examples {of_relu.percent(0)} of the units behind ReLU have weight gradients of one sign, "
        f"{of_sigmoid.percent(0)} behind sigmoid, {of_tanh.percent(0)} behind tanh",
        "holds" if holds else "does not hold here",
    )


def _zigzag(found: Zigzag) -> Claim:
    of_relu, of_sigmoid, leaky = (_signs(found, name) for name in ("relu", "sigmoid", "leaky_relu"))
    single, largest = of_relu.second_layer[0].mean, of_relu.second_layer[-1].mean
    premise = of_relu.positive.mean > 0.95
    return Claim(
        "outputs and gradients of ReLU are both positive, so that its weights zigzag as those of sigmoid do",
        "the seminar note, limits of ReLU",
        f"the slope is 0 or 1, but the gradient that a unit gets is positive for {of_relu.positive.percent(0)} of "
        f"units only. Over a batch of {found.batch_sizes[-1]}, {largest:.0%} of the units have weight gradients of "
        f"one sign, {of_sigmoid.second_layer[-1].mean:.0%} behind sigmoid. The next single example pulls back "
        f"{of_relu.reversals[0].mean:.0%} of the units behind ReLU, and {leaky.reversals[0].mean:.0%} of those behind "
        "leaky ReLU, whose outputs have both signs",
        "holds" if premise and largest > 0.5 else "holds in part" if single == 1 else "does not hold here",
    )


def _centring(found: Zigzag) -> Claim:
    positive, centred = (_courses(found, inputs) for inputs in ("positive", "centred"))
    at_best = positive[2].steps.mean / centred[2].steps.mean
    at_same = positive[0].steps.mean / centred[0].steps.mean
    return Claim(
        "convergence is usually faster if the average of each input is close to 0",
        'LeCun, Bottou, Orr and Müller 1998, "Efficient BackProp", section 4.3',
        f"centring brings the condition number from {positive[0].condition.mean:.1f} to "
        f"{centred[0].condition.mean:.1f}. With one example a step, at the same rate, the path is "
        f"{positive[0].length.mean:.1f} times as long as the straight line before, {centred[0].length.mean:.1f} times "
        f"after, and takes {_number(positive[0].steps)} and {_number(centred[0].steps)} steps; with all examples, at "
        f"the best rate of each, it takes {_number(positive[2].steps)} and {_number(centred[2].steps)}",
        "holds" if min(at_best, at_same) > 1.25 else "holds in part" if at_best > 1.25 else "does not hold here",
    )


def _signs(found: Zigzag, network: str) -> Signs:
    return next(signs for signs in found.signs if signs.network == network)


def _courses(found: Zigzag, inputs: str) -> list[Course]:
    return [course for course in found.courses if course.inputs == inputs]


# ---------------------------------------------------------------------- the panels


def _draw_shares(axes: Any, found: Zigzag, name: str, title: str) -> None:
    """A line for each network, by the size of the batch."""
    for i, (signs, color, marker) in enumerate(zip(found.signs, figures.COLORS, figures.MARKERS)):
        spreads: list[Spread] = getattr(signs, name)
        x = [size * 1.03 ** (i - 3) for size in found.batch_sizes]  # side by side, where they would hide each other
        means, ends = [100 * s.mean for s in spreads], [(100 * s.least, 100 * s.most) for s in spreads]
        axes.errorbar(
            x, means, figures.whiskers(means, ends), color=color, marker=marker, capsize=3, label=signs.network
        )
    axes.set_xscale("log")
    axes.set_xticks(found.batch_sizes, [f"{size}" for size in found.batch_sizes])
    axes.minorticks_off()
    axes.set(xlabel="examples in a batch", ylabel="units (%)", title=title)
    axes.set_ylim(bottom=-4)


def _draw_courses(axes: Any, courses: list[Course]) -> None:
    """The contours of the loss, which is quadratic, and both paths."""
    x, y = np.meshgrid(np.linspace(-2.2, 2.2, 180), np.linspace(-1.9, 1.1, 120))
    offsets = np.stack([x - GOAL[0], y - GOAL[1]], axis=-1)
    loss = np.einsum("...i,ij,...j->...", offsets, np.array(courses[0].hessian), offsets) / 2
    axes.contour(x, y, loss, levels=loss.max() * np.linspace(0.03, 1, 12) ** 2, colors=figures.GREY, alpha=0.5)
    looks = ((figures.RED, "o", 1.5), (figures.BLUE, "s", 2.5))
    for course, (color, marker, width) in zip(courses, looks):
        path = np.array(course.points)
        label = f"{course.way} a step"
        axes.plot(*path.T, "-", color=color, marker=marker, markersize=4, linewidth=width, label=label)
    axes.plot(*GOAL, "*", color=figures.BLACK, markersize=16)
    title = f"{courses[0].inputs.capitalize()} inputs, condition number {np.linalg.cond(courses[0].hessian):.1f}"
    axes.set(xlabel="weight 1", ylabel="weight 2", title=title, xlim=(-2.2, 2.2), ylim=(-1.9, 1.1))
    axes.set_aspect("equal")  # so that steps down the slope cross the contours at right angles
    figures.legend(axes, loc="upper right")
