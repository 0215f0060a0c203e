"""For everybody: with a screen reader, on a phone, in the dark, without motion, on paper."""

from __future__ import annotations

import json
import re

import pytest
from browser import opened, serious_findings, watched_page
from computations import doubled, masked, nonfinite, perceptron
from seen import LANGUAGES, PHONE, WINDOW, first_step, go_to, last_step, step_of

import tinygrad_relu as tg


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [WINDOW, PHONE], ids=["wide", "narrow"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_serious(visit, language, window, scheme):
    page = visit(tg.explain(perceptron()).html, f"#lang={language}", color_scheme=scheme, viewport=window)
    go_to(page, first_step(page, "compute", "relu"))
    assert serious_findings(page) == []
    go_to(page, first_step(page, "return", "relu"))
    assert serious_findings(page) == []
    page.click(".switch")
    assert page.locator("#reveal").is_visible()
    assert serious_findings(page) == []
    page.click("#compare")
    for _ in range(7):
        page.click("#comparison-next")
    assert serious_findings(page) == []


@pytest.mark.parametrize("window", [WINDOW, PHONE], ids=["wide", "narrow"])
def test_axe_finds_nothing_serious_where_arrays_have_to_be_scrolled(visit, window):
    page = visit(tg.explain(nonfinite()).html, viewport=window)
    go_to(page, last_sum(page))
    assert page.locator("#card [data-value]").count() >= 15
    assert serious_findings(page) == []


def last_sum(page) -> int:
    """The number of the last step in which a gradient is added to another."""
    steps = json.loads(page.locator("#story").text_content())["steps"]
    return max(i for i, step in enumerate(steps) if step.get("before") is not None)


_CONTRASTS = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((channel) => channel / 255);
  const linear = (channel) => (channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4);
  const weights = [0.2126, 0.7152, 0.0722];
  const light = (colour) => channels(colour).map(linear).reduce((sum, x, i) => sum + x * weights[i], 0);
  const pairs = [];
  for (const text of document.querySelectorAll(".drawing:not([hidden]) .box text")) {
    const ground = text.parentElement.querySelector("rect, .shape");
    const [one, other] = [text, ground].map((element) => light(getComputedStyle(element).fill));
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    pairs.push([text.textContent, ratio]);
  }
  return pairs;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_texts_of_the_graph_stand_out(visit, scheme):
    page = visit(tg.explain(masked()).html, color_scheme=scheme)
    for kind in ("compute", "return", "end"):
        go_to(page, first_step(page, kind))
        contrasts = page.evaluate(_CONTRASTS)
        assert len(contrasts) > 10
        assert [pair for pair in contrasts if pair[1] < 4.5] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_on_a_phone_all_can_be_reached_and_nothing_sticks_out(visit, language):
    page = visit(tg.explain(perceptron()).html, f"#lang={language}", viewport=PHONE, has_touch=True)
    steps = [0, first_step(page, "compute"), first_step(page, "rule"), first_step(page, "return"), last_step(page)]
    for step in steps:
        go_to(page, step)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for name in ("first", "back", "play", "forward", "last"):
            box = page.locator(f"#{name}").bounding_box()
            assert box["height"] >= 40 and box["width"] >= 40
            assert 0 <= box["x"] <= PHONE["width"] - box["width"] and 0 <= box["y"] <= PHONE["height"] - box["height"]
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.locator("#back").tap()
    assert step_of(page) == last_step(page) - 1
    page.evaluate("scrollTo(0, 0)")
    page.locator("#compare").tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    dialog = page.locator("#comparison")
    assert dialog.evaluate("dialog => dialog.scrollWidth <= dialog.clientWidth")
    page.locator("#comparison-close").tap()
    assert not dialog.is_visible()


@pytest.mark.parametrize(
    "name", [".switch", "#compare", "#language", "#speed", "#zoom-in", "#zoom-out", "#fit", "#follow", "#slider"]
)
def test_on_a_phone_each_control_is_large_enough_for_a_finger(phone_page, name):
    box = phone_page.locator(name).bounding_box()
    assert 0 <= box["x"] and box["x"] + box["width"] <= PHONE["width"]
    assert min(box["width"], box["height"]) >= 22 and max(box["width"], box["height"]) >= 40, box


@pytest.fixture(scope="module")
def phone_page(browser, tmp_path_factory):
    with watched_page(browser, viewport=PHONE, has_touch=True) as page:
        yield opened(page, tg.explain(masked()).html, tmp_path_factory.mktemp("phone") / "page.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_covers_the_controls_above_the_graph(visit, scheme):
    page = visit(tg.explain(masked()).html, viewport=PHONE, color_scheme=scheme)
    shown = page.locator(".top").screenshot()
    page.evaluate("document.querySelector('main').style.visibility = 'hidden'")
    assert page.locator(".top").screenshot() == shown


@pytest.mark.parametrize("width", [1280, 1920])
def test_the_graph_has_most_of_a_wide_window(visit, width):
    page = visit(tg.explain(perceptron()).html, viewport={"width": width, "height": 800})
    sizes = set()
    for step in (0, first_step(page, "compute"), first_step(page, "return"), last_step(page)):
        go_to(page, step)
        stage = page.locator("#stage").bounding_box()
        sizes.add((stage["x"], stage["y"], stage["width"], stage["height"]))
    assert len(sizes) == 1, "the stage does not change its size from step to step"
    assert sizes.pop()[2] >= 0.65 * width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("#last").bounding_box()["y"] < 800


def dot_of(page) -> tuple[str, str]:
    dot = page.locator(".drawing:not([hidden]) .message circle")
    return dot.get_attribute("cx"), dot.get_attribute("cy")


@pytest.mark.parametrize("motion, moves", [("reduce", False), ("no-preference", True)])
def test_nothing_moves_for_those_who_want_no_motion(visit, motion, moves):
    page = visit(tg.explain(doubled()).html, reduced_motion=motion, alone=True)
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    page.keyboard.press("ArrowRight")
    at_once = dot_of(page)
    page.clock.run_for(2_000)
    assert (dot_of(page) != at_once) == moves
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }))"
    assert page.evaluate(f"({press}, document.getAnimations().length > 0)") == moves


@pytest.mark.parametrize("scheme, is_dark", [("light", False), ("dark", True)])
def test_dark_mode_is_dark(visit, scheme, is_dark):
    page = visit(tg.explain(masked()).html, color_scheme=scheme)
    for selector in ("html", ".card", ".stage"):
        colour = page.locator(selector).evaluate("element => getComputedStyle(element).backgroundColor")
        channels = [int(channel) for channel in re.findall(r"\d+", colour)[:3]]
        assert max(channels) < 60 if is_dark else min(channels) > 200, selector


def test_on_paper_there_are_no_controls_but_all_steps(visit):
    explorer = tg.explain(masked())
    page = visit(explorer.html, "#step=5", color_scheme="dark")
    assert not page.locator("#all-steps").is_visible()
    page.emulate_media(media="print")
    page.wait_for_selector("#all-steps table")
    for hidden in (".timeline", ".settings", ".views", "#reveal", "#slider"):
        assert not page.locator(hidden).is_visible()
    rows = page.locator("#all-steps tbody tr").all_inner_texts()
    assert len(rows) == len(explorer.sentences())
    for i, (row, sentence) in enumerate(zip(rows, explorer.sentences())):
        cells = row.split("\t")
        assert cells[0] == str(i) and " ".join(cells[2:]).strip() == sentence
    assert page.locator("#title").is_visible() and page.locator("#stage .box").first.is_visible()
    ground = page.locator("html").evaluate("html => getComputedStyle(html).backgroundColor")
    assert ground in ("rgb(255, 255, 255)", "rgba(0, 0, 0, 0)")
    page.emulate_media(media="screen")
    page.wait_for_selector("#all-steps", state="hidden")
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 6
