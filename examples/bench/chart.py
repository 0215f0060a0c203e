"""A chart of what train_step.py has measured: a panel for each network, two bars for each contender.

    python examples/bench/chart.py runs/bench/train_step.json

It is drawn for light and for dark pages, as SVG and PNG. Colours are those of Okabe and Ito, which the colour-blind can
tell apart; the two rules differ by hatching too, our bars and the expert's by bold names.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402
from matplotlib.ticker import MaxNLocator, NullFormatter  # noqa: E402

ORANGE, BLUE, SKY, GREY = "#E69F00", "#0072B2", "#56B4E9", "#8C8C8C"
KINDS = {"expert": ORANGE, "compiled": BLUE, "eager": SKY, "assigned": SKY}
PAGES = {"light": ("#FFFFFF", "#111111", "#D8D8D8"), "dark": ("#0D1117", "#F0F0F0", "#3A3F47")}
HATCHES = {"SGD": "", "Adam": "///"}
HEIGHT = 0.4  # of one bar
MOST = 15  # how many times the shortest bar a bar may be on a scale from 0


def draw(everything: dict, folder: Path) -> Iterator[Path]:
    """Draw the chart in both colour schemes and both formats; yields the files."""
    for scheme in PAGES:
        with plt.rc_context(settings(scheme)):
            figure = chart(everything)
            for ending in ("svg", "png"):
                path = folder / f"train_step-{scheme}.{ending}"
                figure.savefig(path, dpi=100)
                yield path
            plt.close(figure)


def settings(scheme: str) -> Any:
    """Matplotlib's settings for light or dark pages."""
    paper, ink, lines = PAGES[scheme]
    values: dict[str, Any] = {"font.size": 17, "svg.hashsalt": "bench", "hatch.color": paper}
    values |= dict.fromkeys(("figure.facecolor", "axes.facecolor"), paper)
    values |= dict.fromkeys(("axes.edgecolor", "grid.color"), lines)
    return values | dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), ink)


def chart(everything: dict) -> Figure:
    """The figure: panels side by side, two in a row."""
    results = everything["results"]
    titles = list(dict.fromkeys(result["network"] for result in results))
    columns = min(2, len(titles))
    rows = math.ceil(len(titles) / columns)
    size = (9 * columns, 1.6 + rows * (1.7 + 0.62 * len(everything["names"])))
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for place in axes.flat[len(titles) :]:
        place.remove()
    for place, title in zip(axes.flat, titles):
        panel(place, [result for result in results if result["network"] == title], everything["names"])
    legend(figure, results)
    return figure


def panel(axes: Axes, results: list[dict], names: dict[str, str]) -> None:
    """One network: contenders from the fastest down."""
    first = results[0]["microseconds"]
    order = sorted(first, key=first.__getitem__)
    for number, result in enumerate(results):
        times = result["microseconds"]
        best = times.get("expert", min(times.values()))
        for row, key in enumerate(order):
            y = row + (number - (len(results) - 1) / 2) * HEIGHT
            colour, hatch = KINDS.get(key, GREY), HATCHES[result["optimizer"]]
            axes.barh(y, times[key], HEIGHT * 0.92, color=colour, hatch=hatch, linewidth=0)
            text = f"{duration(times[key])}  ({ratio(times[key] / best)}×)"
            axes.annotate(text, (times[key], y), (6, 0), textcoords="offset points", va="center", fontsize=15)
    every = [value for result in results for value in result["microseconds"].values()]
    scale(axes, min(every), max(every))
    axes.set_yticks(range(len(order)), [names[key] for key in order])
    for tick, key in zip(axes.get_yticklabels(), order):
        tick.set_fontweight("bold" if key in KINDS else "normal")
    axes.invert_yaxis()
    axes.set_title(f"{results[0]['network']}, batch {results[0]['batch']}", fontweight="bold", loc="left")
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def scale(axes: Axes, fastest: float, slowest: float) -> None:
    """A scale from 0, unless the fastest bars would vanish on it; the axis then says that it is logarithmic."""
    if slowest <= MOST * fastest:
        axes.set_xlim(0, slowest * 1.45)
        axes.xaxis.set_major_locator(MaxNLocator(5))
    else:
        axes.set_xscale("log")
        axes.set_xlim(fastest / 2, slowest * (slowest / fastest * 2) ** 0.45)
        axes.set_xlabel("logarithmic scale")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:.3g} ms" if value >= 1000 else f"{value:.0f} µs")
    axes.xaxis.set_minor_formatter(NullFormatter())


def ratio(value: float) -> str:
    """In two or three digits: 0.95, 3.4, 35."""
    if value < 2:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"


def duration(microseconds: float) -> str:
    """With a unit: 47 µs, 1.50 ms, 28.6 ms."""
    if microseconds < 1000:
        return f"{microseconds:.0f} µs"
    milliseconds = microseconds / 1000
    return f"{milliseconds:.2f} ms" if milliseconds < 10 else f"{milliseconds:.1f} ms"


def legend(figure: Figure, results: list[dict]) -> None:
    """What colours and hatches say."""
    kinds = {"NumPy by an expert's hand": ORANGE, "this engine, compiled": BLUE, "this engine": SKY, "its peers": GREY}
    present = {KINDS.get(key, GREY) for result in results for key in result["microseconds"]}
    patches = [Patch(facecolor=colour, label=name) for name, colour in kinds.items() if colour in present]
    ink = plt.rcParams["text.color"]
    for rule in dict.fromkeys(result["optimizer"] for result in results):
        patches.append(Patch(facecolor=ink, hatch=HATCHES[rule], linewidth=0, label=rule))
    figure.legend(handles=patches, loc="outside upper center", ncols=3, frameon=False)
    figure.supxlabel("one training step on one core, medians; in brackets: times the expert's", fontsize=16)


if __name__ == "__main__":
    source = Path(sys.argv[1])
    for written in draw(json.loads(source.read_text()), source.parent):
        print(written)
