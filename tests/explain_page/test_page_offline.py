"""Nothing from outside: the page loads nothing, complains of nothing, and works in a frame."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
import pytest
from browser import opened
from computations import COMPUTATIONS, digits_network, doubled, masked
from expected import Engine
from seen import LANGUAGES, arrays_under, assert_same, look, read_back, step_of

import tinygrad_relu as tg


@pytest.mark.parametrize("language, scheme", [("en", "dark"), ("ko", "light")])
def test_every_page_opens_without_a_complaint(visit, language, scheme):
    """What is logged, raised or requested fails any test; that all steps are shown is tested in the other looks."""
    for make in (*COMPUTATIONS, digits_network):
        page = visit(tg.explain(make()).html, f"#step=4&lang={language}", color_scheme=scheme)
        assert step_of(page) == 4
        page.keyboard.press("End")
        assert look(page)["kind"] == "end"


def test_the_page_may_load_nothing(browser, tmp_path):
    context = browser.new_context(offline=True)
    page = opened(context.new_page(), tg.explain(doubled()).html, tmp_path / "page.html")
    blocked = page.evaluate(
        """async () => {
          const found = [];
          document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
          const image = document.createElement("img");
          image.src = "https://example.org/picture.png";
          const script = document.createElement("script");
          script.src = "https://example.org/script.js";
          const frame = document.createElement("iframe");
          frame.src = "https://example.org/";
          document.body.append(image, script, frame);
          await fetch("https://example.org/").catch(() => null);
          for (let i = 0; i < 50 && found.length < 4; i += 1) {
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return found;
        }"""
    )
    context.close()
    assert set(blocked) == {"img-src", "script-src-elem", "frame-src", "connect-src"}


def test_it_works_in_the_frame_of_a_notebook(visit):
    explorer = tg.explain(masked())
    frame_text = explorer._repr_mimebundle_()["text/html"]
    assert re.match(r'<iframe sandbox="allow-scripts allow-popups" ', frame_text) and "srcdoc=" in frame_text
    page = visit(f"<!doctype html><title>notebook</title><body>{frame_text}</body>")
    frame = page.frame_locator("iframe")
    frame.locator("#forward").click()
    assert frame.locator("#card").get_attribute("data-step") == "1"
    frame.locator("#card").press("End")
    assert frame.locator("#card").get_attribute("data-kind") == "end"
    frame.locator("#language").select_option("ko")
    assert frame.locator("#title").inner_text() == LANGUAGES["ko"]["end.title"]
    frame.locator("#compare").click()
    assert frame.locator("#comparison").is_visible()
    assert page.frames[1].evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_scripts_it_says_what_it_needs(visit):
    page = visit(tg.explain(doubled()).html, java_script_enabled=False)
    assert page.locator("noscript").inner_text() == LANGUAGES["en"]["page.noscript"]


def test_a_large_page_is_small_and_opens_at_its_end(visit):
    output = digits_network()
    html = tg.explain(output).html
    assert len(html.encode()) < 1_000_000
    page = visit(html)
    page.click("#last")
    assert look(page)["kind"] == "end"
    shown = arrays_under(look(page), "gradients", "en")
    arrays = json.loads(page.locator("#story").text_content())["arrays"]
    wanted = Engine(output).steps()[-1].arrays["gradients"]
    assert len(shown) == len(wanted) > 4
    for figure, array in zip(shown, wanted):
        if figure["drawn"]:
            assert_map_shows(arrays[figure["index"]], figure["text"], array)
        else:
            assert_same([read_back(figure)], [array])
    page.keyboard.press("ArrowLeft")
    canvas = page.locator("#card canvas").first
    assert "array of shape" in canvas.get_attribute("aria-label")
    before = page.locator("#card .readout").first.inner_text()
    canvas.hover()
    assert page.locator("#card .readout").first.inner_text() != before


def assert_map_shows(described: dict[str, Any], text: str, array: np.ndarray) -> None:
    """Each colour is the number within the width of one of 255 levels; least, mean and greatest stand there as text."""
    heat = described["map"]
    assert described["shape"] == list(array.shape) and not heat["shrunk"]
    levels = np.frombuffer(base64.b64decode(heat["data"]), dtype=np.uint8)
    step = (heat["high"] - heat["low"]) / 255
    shown = heat["low"] + levels.astype(np.float64) * step
    np.testing.assert_allclose(shown, array.reshape(-1), rtol=0, atol=step)
    least, mean, most = (float(x) for x in re.search(r"min (\S+) · mean (\S+) · max (\S+)", text).groups())
    np.testing.assert_allclose([least, most], [array.min(), array.max()], rtol=1e-3)
    np.testing.assert_allclose(mean, array.mean(), rtol=1e-3, atol=step / 100)
