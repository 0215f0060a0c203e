"""siblings, in words and pictures."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..findings import Claim, Spread, Table, named_seeds
from ..siblings import ELU, FUNCTIONS, LEAKY, PRELU, RATES, RELU, SWISH, Curve, Errors, Mean, Revival, Siblings

__all__ = ["CAPTION", "claims", "figure", "tables"]

_MADE_TO_MEND = (LEAKY.name, PRELU.name, ELU.name, SWISH.name)  # the others are smoother, or bounded

CAPTION = (
    "Left: each function (solid) and its slope (dashed), as the engine draws them. Right, from top to bottom: the mean "
    "output for standard normal inputs, measured (points with standard errors, which they hide) and expected (bars); "
    "wrong answers on digits that were not trained on, small for each seed and large for their mean; the share of dead "
    "units that come back, by how deep they lay, with 95 % intervals."
)


def tables(found: Siblings) -> list[Table]:
    """Means, errors, and revivals."""
    means = [
        [each.function, f"{each.measured:.4f} ± {each.standard_error:.4f}", f"{each.expected:.4f}", each.by]
        for each in found.means
    ]
    relu = found.errors[0]
    errors = [
        [each.function, f"{each.lr:g}", Spread.of(each.errors).percent(), _difference(each, relu)]
        for each in found.errors
    ]
    depths = sorted({each.depth for each in found.revivals})
    revivals = [[f.name, *(_revived(found.revival(f, depth)) for depth in depths)] for f in FUNCTIONS]
    seeds, tuned = named_seeds(found.seeds), named_seeds(found.tuning_seeds)
    rates = ", ".join(f"{rate:g}" for rate in RATES)
    units = len(found.revivals[0].steps)
    return [
        Table(
            f"mean output for standard normal inputs, {found.sample:,} of them ± standard error",
            ["function", "measured", "expected", "by"],
            means,
        ),
        Table(
            f"wrong answers on other digits, mean ± deviation, {seeds}; rate: the best of {rates} for {tuned}",
            ["function", "rate", "wrong", "more than ReLU (standard error)"],
            errors,
        ),
        Table(
            f"{plural(units, 'dead unit')}: slope at the start, came back in {plural(found.steps, 'step')} "
            "(95 % interval), median step",
            ["function", *(f"largest sum -{depth:g}" for depth in depths)],
            revivals,
        ),
    ]


def claims(found: Siblings) -> list[Claim]:
    """Claims of the note, Maas et al., Clevert et al. and Ramachandran et al."""
    return [_performance(found), _mending(found), _leaky(found), _means(found), _swish(found)]


def figure(found: Siblings) -> Any:
    """The functions as small multiples; below them means, errors and revivals."""
    figure, axes = figures.mosaic("abcxx;defyy;ghizz", width=16, height=13)
    for letter, curve in zip("abcdefghi", found.curves):
        _draw_curve(axes[letter], curve)
    figures.legend(axes["a"], loc="upper left")
    _draw_means(axes["x"], found.means)
    _draw_errors(axes["y"], found.errors)
    _draw_revivals(axes["z"], found)
    return figure


def _difference(one: Errors, other: Errors) -> str:
    """In points, with the standard error of the mean of the differences."""
    if one is other:
        return "-"
    spread = one.minus(other)
    return f"{100 * spread.mean:+.1f} ± {100 * spread.standard_error:.1f}"


def _revived(found: Revival) -> str:
    """The slope at the start, how many came back with the interval of their share, and the median step of those."""
    steps = [step for step in found.steps if math.isfinite(step)]
    low, high = found.interval
    when = f", after {statistics.median_high(steps):g}" if steps else ""
    return f"{found.slope:.2g}: {len(steps)} ({100 * low:.0f} to {100 * high:.0f} %){when}"


# ---------------------------------------------------------------------- claims


def _performance(found: Siblings) -> Claim:
    relu, *others = found.errors
    worse = [each.function for each in others if _beyond_chance(each.minus(relu)) > 0]
    better = [each.function for each in others if _beyond_chance(each.minus(relu)) < 0]
    made_to_mend = [name for name in worse if name in _MADE_TO_MEND]
    return Claim(
        "ReLU does well enough, and functions that were made to mend it sometimes do worse",
        "the seminar note, its conclusion",
        f"on the digits ReLU is wrong for {Spread.of(relu.errors).percent()} of the rows. Of the {len(others)} others "
        f"{_listed(worse)} {_are(worse)} worse by more than four standard errors, "
        f"{_listed(better)} better; the rest cannot be told apart with {plural(len(relu.errors), 'seed')}. Of those "
        f"that were made to mend it, {', '.join(_MADE_TO_MEND)}, {_listed(made_to_mend)} {_are(made_to_mend)} worse",
        ("does not hold here", "holds in part", "holds")[bool(made_to_mend) + (not better)],
    )


def _mending(found: Siblings) -> Claim:
    depths = sorted({each.depth for each in found.revivals})
    back = {depth: [f.name for f in FUNCTIONS if found.revival(f, depth).share > 0.5] for depth in depths}
    told = "; ".join(f"from -{depth:g}: {_listed(names)}" for depth, names in back.items())
    all_do = all(set(names) == {f.name for f in FUNCTIONS if f != RELU} for names in back.values())
    return Claim(
        "the siblings make up for ReLU's limits, such as units that die",
        "the seminar note, its conclusion",
        f"more than half of the dead units come back in {plural(found.steps, 'step')} {told}. ReLU's weights and "
        f"biases move by {max(found.revival(RELU, depth).moved for depth in depths):g}",
        "holds" if all_do else "holds in part" if any(back.values()) else "does not hold here",
    )


def _leaky(found: Siblings) -> Claim:
    (curve,) = (each for each in found.curves if each.function == LEAKY.name)
    revivals = [each for each in found.revivals if each.function == LEAKY.name]
    everywhere = min(curve.slope) > 0
    shares = ", ".join(f"{each.share:.0%} from -{each.depth:g}" for each in revivals)
    all_do = min(each.share for each in revivals) > 0.5
    return Claim(
        "with a slope of 0.01 below 0 the gradient is nowhere 0, so that a unit can come back",
        "Maas, Hannun and Ng 2013, on rectifier nonlinearities in acoustic models",
        f"the smallest slope is {min(curve.slope):g}; in {plural(found.steps, 'step')} {shares} come back: slowly, "
        "since a hundredth of the gradient gets through",
        "does not hold here" if not everywhere else "holds" if all_do else "holds in part",
    )


def _means(found: Siblings) -> Claim:
    means = {each.function: each for each in found.means}
    relu, elu = means[RELU.name], means[ELU.name]
    agree = all(abs(each.measured - each.expected) < 4 * each.standard_error for each in (relu, elu))
    return Claim(
        "ELU has negative values too, which pushes the mean of its outputs nearer to 0 than that of ReLU",
        "Clevert, Unterthiner and Hochreiter 2015, on exponential linear units, arXiv 1511.07289",
        f"for standard normal inputs {elu.measured:.4f} ± {elu.standard_error:.4f} against {relu.measured:.4f} ± "
        f"{relu.standard_error:.4f}, where the formulas give {elu.expected:.4f} and {relu.expected:.4f}",
        "holds" if agree and abs(elu.measured) < abs(relu.measured) else "does not hold here",
    )


def _swish(found: Siblings) -> Claim:
    place, value = found.swish_minimum
    deep = [each for each in found.revivals if each.function == SWISH.name and -each.depth < place]
    shares = ", ".join(f"{each.share:.0%} from -{each.depth:g}" for each in deep) or "none were tried"
    return Claim(
        "Swish is not monotonic: it falls before it rises",
        "Ramachandran, Zoph and Le 2017, on searching for activation functions, arXiv 1710.05941",
        f"it is lowest at x = {place:.4f}, with {value:.4f}. A unit whose sums lie below that is pushed further down "
        f"when it ought to put out more. Of dead units there come back: {shares}",
        "holds" if abs(place + 1.2785) < 1e-4 and abs(value + 0.2785) < 1e-4 else "does not hold here",
    )


def _beyond_chance(difference: Spread) -> int:
    """1 or -1 if the mean lies more than four standard errors above or below 0, else 0."""
    return int(np.sign(difference.mean)) if abs(difference.mean) > 4 * difference.standard_error else 0


def _are(names: Sequence[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


# ---------------------------------------------------------------------- the panels


def _draw_curve(axes: Any, curve: Curve) -> None:
    """The function, and its slope; where they jump, their lines have a gap."""
    axes.axhline(0, color=figures.GREY, linewidth=0.8)
    axes.axvline(0, color=figures.GREY, linewidth=0.8)
    axes.plot(*_with_gaps(curve.x, curve.y), color=figures.BLUE, linewidth=3, label="f(x)")
    axes.plot(*_with_gaps(curve.x, curve.slope), "--", color=figures.RED, linewidth=2.5, label="slope f'(x)")
    axes.set(title=curve.function, xlabel="x", xlim=(-4, 4), ylim=(-1.2, 3.2), xticks=[-4, -2, 0, 2, 4])


def _with_gaps(x: Sequence[float], y: Sequence[float], jump: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """The same points, and none between two that lie so far apart in y."""
    places = np.flatnonzero(np.abs(np.diff(y)) > jump) + 1
    return np.insert(x, places, np.nan), np.insert(y, places, np.nan)


def _draw_means(axes: Any, means: Sequence[Mean]) -> None:
    """A bar for what is expected, a point for what was measured."""
    places = range(len(means))
    axes.barh(places, [each.expected for each in means], color=figures.SKY, label="expected")
    measured, errors = [each.measured for each in means], [2 * each.standard_error for each in means]
    axes.errorbar(measured, places, xerr=errors, fmt="o", color=figures.BLACK, markersize=8, label="measured")
    axes.set(title="Mean output for normal inputs", xlabel="mean")
    _name(axes, [each.function for each in means])
    figures.legend(axes, loc="upper right")


def _draw_errors(axes: Any, errors: Sequence[Errors]) -> None:
    """Small markers for the seeds, a large one for their mean; a line at ReLU's mean."""
    means = [100 * Spread.of(each.errors).mean for each in errors]
    axes.axvline(means[0], color=figures.BLUE, linestyle="--", linewidth=1.6, label="ReLU's mean")
    for place, each in enumerate(errors):
        axes.plot([100 * e for e in each.errors], [place] * len(each.errors), ".", color=figures.GREY, markersize=9)
    axes.plot(means, range(len(means)), "D", color=figures.RED, markersize=10, label="mean over the seeds")
    axes.set(title="Wrong on other digits", xlabel="wrong answers (%)")
    axes.set_xlim(left=0)
    _name(axes, [each.function for each in errors])
    figures.legend(axes, loc="upper right")


def _draw_revivals(axes: Any, found: Siblings) -> None:
    """Markers side by side for the depths."""
    depths = sorted({each.depth for each in found.revivals})
    for i, depth in enumerate(depths):
        intervals = np.array([found.revival(function, depth).interval for function in FUNCTIONS])
        shares = [100 * found.revival(function, depth).share for function in FUNCTIONS]
        places = [place + 0.25 * (i - (len(depths) - 1) / 2) for place in range(len(shares))]
        look = {"color": figures.COLORS[i], "marker": figures.MARKERS[i], "markersize": 9, "linestyle": ""}
        axes.plot(shares, places, label=f"from -{depth:g}", **look)
        axes.hlines(places, *100 * intervals.T, color=figures.COLORS[i], linewidth=2)
    axes.set(title="Dead units that come back", xlim=(-4, 104))
    axes.set_xlabel(f"units (%) in {plural(found.steps, 'step')}, by largest sum")
    _name(axes, [function.name for function in FUNCTIONS])
    axes.set_ylim(bottom=len(FUNCTIONS) + 0.6)  # with room for the legend
    figures.legend(axes, loc="lower right", ncols=3)


def _name(axes: Any, names: Sequence[str]) -> None:
    """The functions from top to bottom."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
