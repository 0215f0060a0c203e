"""Take the pictures of the README again, in light and dark, with a real browser.

    .venv/bin/python examples/pictures/take.py

They show what the package draws now, so they are taken, never touched up. The experiments of the lab are run anew, and
their figures drawn for a white ground.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

import tinygrad_relu as tg
from tinygrad_relu import Tensor, lab, plots
from tinygrad_relu.lab import figures

HERE = Path(__file__).parent
LAB = ("dying", "siblings")
STEP = "relu sends a gradient"  # the moment that the explorer is shown at


def explorer_page(folder: Path) -> str:
    """The seminar's layer in small: a weighted input, a bias, ReLU, which stops half of the gradient."""
    x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True)
    w = Tensor([0.5, 1.0, 2.0, 1.0], requires_grad=True)
    b = Tensor(0.1, requires_grad=True)
    loss = (w * x + b).relu().sum()
    explorer = tg.explain(loss)
    explorer.save(folder / "explorer.html")
    step = next(i for i, sentence in enumerate(explorer.sentences("en")) if sentence.startswith(STEP))
    return f"{(folder / 'explorer.html').as_uri()}#step={step}"


def graph_page(folder: Path) -> str:
    """The graph of the seminar's example: x is used twice, and ReLU blocks half of one way back."""
    x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True)
    y = x + x.relu()
    y.backward([1, 2, -3, 4], retain_graph=True)
    tg.draw(y).save("graph.svg", folder)
    return (folder / "graph.svg").as_uri()


def take(browser: Browser, url: str, name: str, width: int, height: int) -> None:
    """One PNG in light, one in dark, at twice the resolution."""
    for scheme, suffix in (("light", ""), ("dark", "-dark")):
        page = browser.new_page(
            viewport={"width": width, "height": height},
            device_scale_factor=1.5,
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        page.goto(url)
        page.screenshot(path=HERE / f"{name}{suffix}.png")
        page.close()


def main() -> None:
    """Write the pictures beside this file."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("there is no Chromium; make everything installs it")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        take(browser, explorer_page(folder), "explorer", 1280, 800)
        take(browser, graph_page(folder), "graph", 860, 96)
        browser.close()
    for name in LAB:
        figures.write({".svg": plots.as_svg(lab.run(name).figure())}, HERE / name)


if __name__ == "__main__":
    main()
