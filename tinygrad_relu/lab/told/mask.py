"""mask, in words and pictures."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...record.words import plural
from .. import figures
from ..findings import Claim, Spread, Table
from ..mask import Mask

__all__ = ["CAPTION", "claims", "figure", "tables"]

# What the note prints for its four numbers.
_PRINTED = ([1.0, 0.0, 3.0, 0.0], [False, True, False, True], [1.0, 0.0, -3.0, 0.0])

CAPTION = (
    "Left: the note's four numbers. Where x <= 0, hatched, relu gives 0 and lets no gradient through. "
    "Middle: the gradient of x in x + relu(x). The engine's and finite differences agree; the note's rule has lost "
    "the part that goes past relu. Right: the loss of networks with skip connections after training with "
    "each rule, by depth: means over the seeds, and the standard deviation."
)


def tables(found: Mask) -> list[Table]:
    """The four numbers, the graphs, and the trainings."""
    output, mask, outgoing = _PRINTED
    numbers = [
        ["x", _list(found.x), "given"],
        ["relu(x)", _list(found.output), _list(output)],
        ["mask", _list(found.mask), _list(mask)],
        ["incoming gradient", _list(found.incoming), "given"],
        ["outgoing gradient", _list(found.outgoing), _list(outgoing)],
        ["incoming, after the note's rule", _list(found.incoming_after_the_note), "-"],
    ]
    graphs = [
        [
            graph.name,
            graph.leaf,
            _list(graph.by_differences),
            _list(graph.by_the_engine),
            _list(graph.by_the_note),
            f"{graph.wrong_slopes} of {graph.compared}",
        ]
        for graph in found.graphs
    ]
    trained = [
        [
            f"{each.blocks}",
            f"{Spread.of(each.losses_by_the_engine)}",
            f"{Spread.of(each.losses_by_the_note)}",
            f"{each.difference.mean:.3f} ± {each.difference.standard_error:.3f}",
            f"{Spread.of(each.cosines).mean:.2f}",
        ]
        for each in found.residuals
    ]
    return [
        Table("the note's numbers", ["", "here", "printed in the note"], numbers),
        Table(
            f"gradients, for an incoming gradient of {_list(found.incoming)}",
            ["graph", "of", "finite differences", "tg.relu", "the note's rule", "its wrong slopes"],
            graphs,
        ),
        Table(
            "training with skip connections: loss at the end, and the cosine of the two first gradients",
            ["blocks", "tg.relu", "the note's rule", "difference (standard error)", "cosine"],
            trained,
        ),
    ]


def claims(found: Mask) -> list[Claim]:
    """The note's answers hold; that its rule may write in place does not."""
    agree = (found.output, found.mask, found.outgoing) == _PRINTED
    spoiled = [graph for graph in found.graphs if graph.wrong_slopes]
    right = all(np.allclose(graph.by_the_engine, graph.by_differences) for graph in found.graphs)
    depths = [f"{each.blocks}" for each in found.residuals]
    suffer = [f"{each.blocks}" for each in found.residuals if each.suffers]
    worst = max(found.residuals, key=lambda each: each.difference.mean)
    return [
        Claim(
            "forward gives [1, 0, 3, 0] and saves the mask [F, T, F, T]; backward makes [1, 0, -3, 0] of [1, 2, -3, 4]",
            "the seminar note, its last cells",
            f"{_list(found.output)}, {_list(found.mask)}, {_list(found.outgoing)}",
            "holds" if agree else "does not hold here",
        ),
        Claim(
            "backward may put the zeros into the array that it is given",
            "the seminar note, Relu.backward",
            f"wrong for {len(spoiled)} of {len(found.graphs)} gradients, those of graphs in which a gradient is "
            f"shared; a rule that makes a new array {'agrees' if right else 'disagrees'} with finite differences "
            "in all. tg.gradcheck finds it. The engine lets it pass unasked; in tg.detect_anomaly() it says: "
            f"{spoiled[0].noticed if spoiled else 'nothing'}. Right behind a sum, which hands on a read-only view, "
            f"it says so unasked: {found.behind_a_sum}",
            "does not hold here" if spoiled else "holds",
        ),
        Claim(
            "so wrong a gradient shows in training",
            "what one would expect of h + relu(linear(h)), which shares the gradient in every block",
            f"of networks with {', '.join(depths)} blocks, the loss of those with {', '.join(suffer) or 'none'} is "
            f"larger by more than three standard errors; with {plural(worst.blocks, 'block')} it is "
            f"{Spread.of(worst.losses_by_the_note)} instead of {Spread.of(worst.losses_by_the_engine)}",
            "holds" if len(suffer) == len(found.residuals) else "holds in part" if suffer else "does not hold here",
        ),
    ]


def figure(found: Mask) -> Any:
    """The four numbers, one graph, and the trainings."""
    figure, (numbers, gradients, losses) = figures.panels(columns=3, width=5.4)
    bars = {"x": found.x, "relu(x)": found.output, "gradient in": found.incoming, "gradient out": found.outgoing}
    _bars(numbers, bars, (figures.SKY, figures.BLUE, figures.ORANGE, figures.RED))
    for place in np.flatnonzero(found.mask):
        numbers.axvspan(place - 0.5, place + 0.5, facecolor="#f0f0f0", edgecolor="#cccccc", hatch="//", zorder=0)
    labels = [f"x = {value:g}\n{'blocked' if masked else 'passes'}" for value, masked in zip(found.x, found.mask)]
    numbers.set(title="The mask at work", ylim=(-5.5, 9), xticks=range(len(labels)), xticklabels=labels)
    figures.legend(numbers, ncols=2, loc="upper center")

    graph = found.graphs[0]
    answers = {
        "finite differences": graph.by_differences,
        "tg.relu": graph.by_the_engine,
        "the note's, in place": graph.by_the_note,
    }
    _bars(gradients, answers, (figures.GREY, figures.BLUE, figures.RED))
    labels = [f"x = {value:g}" for value in found.x]
    gradients.set(title=f"Gradient of x in {graph.name}", ylim=(-7, 9), xticks=range(len(labels)), xticklabels=labels)
    figures.legend(gradients, loc="upper center")

    depths = [each.blocks for each in found.residuals]
    for label, name, look in (
        ("tg.relu", "losses_by_the_engine", {"color": figures.BLUE, "marker": "o"}),
        ("the note's, in place", "losses_by_the_note", {"color": figures.RED, "marker": "s", "ls": "--"}),
    ):
        spreads = [Spread.of(getattr(each, name)) for each in found.residuals]
        means, deviations = [each.mean for each in spreads], [each.deviation for each in spreads]
        losses.errorbar(depths, means, deviations, label=label, linewidth=2, markersize=8, capsize=5, **look)
    losses.set(xlabel="blocks h + relu(linear(h))", ylabel="training loss at the end", xticks=depths)
    losses.set(ylim=(0, None), title="Trained with skip connections")
    figures.legend(losses)
    return figure


def _bars(axes: Any, groups: dict[str, list[float]], colors: tuple[str, ...]) -> None:
    """For each of the four places a group of bars; a mark shows where a bar has no height."""
    width = 0.8 / len(groups)
    for i, (label, values) in enumerate(groups.items()):
        places = np.arange(len(values)) + (i - (len(groups) - 1) / 2) * width
        axes.bar(places, values, width * 0.9, color=colors[i], label=label)
        zeros = places[np.array(values) == 0]
        axes.plot(zeros, np.zeros(len(zeros)), "x", color=colors[i], markersize=8, markeredgewidth=2.5)
    axes.axhline(0, color=figures.BLACK, linewidth=1)
    axes.grid(axis="x", visible=False)


def _list(values: Any) -> str:
    """[1, 0, 3, 0], and T and F for truths."""
    return "[" + ", ".join(str(v)[0] if isinstance(v, bool) else f"{v + 0:g}" for v in values) + "]"
