"""The page of a drawing, used as a person would."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from browser import serious_findings
from computations import COMPUTATIONS, HERE, digits_network, doubled, masked, oddly_named, perceptron
from seen import PHONE, WINDOW

import tinygrad_relu as tg


@pytest.fixture
def drawing(visit, tmp_path):
    """The page of a drawing of a computation."""

    def open_drawing(make, **options):
        path = tg.draw(make()).save(tmp_path / "drawing.html")
        return visit(Path(path).read_text(encoding="utf-8"), **options)

    return open_drawing


def seen_of_drawing(page) -> list[float]:
    return [float(number) for number in page.locator("main > svg").get_attribute("viewBox").split()]


@pytest.mark.parametrize("make", [*COMPUTATIONS, digits_network, oddly_named], ids=lambda make: make.__name__)
def test_a_drawing_as_a_page_opens_without_a_complaint(drawing, make):
    page = drawing(make)
    assert page.locator("main .box").count() > 2 and page.locator("h1").inner_text()
    assert page.locator("body > script").count() == 1 and page.locator("img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [WINDOW, PHONE], ids=["wide", "narrow"])
def test_axe_finds_nothing_serious_in_a_drawing(drawing, window, scheme):
    page = drawing(perceptron, color_scheme=scheme, viewport=window)
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= window["width"]
    colour = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
    channels = [int(channel) for channel in re.findall(r"\d+", colour)[:3]]
    assert max(channels) < 60 if scheme == "dark" else min(channels) > 200


def test_a_drawing_is_zoomed_by_buttons_keys_and_wheel_and_moved_with_the_mouse(drawing):
    page = drawing(masked)
    page.click("button[data-action=fit]")
    whole = seen_of_drawing(page)
    page.click("button[data-action=in]")
    near = seen_of_drawing(page)
    assert near[2] < whole[2]
    page.click("button[data-action=out]")
    assert seen_of_drawing(page) == pytest.approx(whole)
    for key, compare in (("+", np.less), ("0", np.equal), ("-", np.greater), ("0", np.equal)):
        page.keyboard.press(key)
        assert compare(seen_of_drawing(page)[2], whole[2])
    page.keyboard.press("ArrowRight")
    assert seen_of_drawing(page)[0] > whole[0]
    page.keyboard.press("0")
    page.mouse.move(600, 400)
    page.mouse.wheel(0, 100)
    assert seen_of_drawing(page) == whole
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    assert seen_of_drawing(page)[2] < whole[2]
    page.keyboard.press("0")
    page.mouse.down()
    page.mouse.move(660, 430, steps=4)
    page.mouse.up()
    moved = seen_of_drawing(page)
    assert moved[0] < whole[0] and moved[1] < whole[1] and moved[2:] == whole[2:]


def test_a_drawing_leads_to_the_line_that_made_a_node(drawing):
    page = drawing(doubled)
    line = 1 + HERE.read_text(encoding="utf-8").splitlines().index("    b = a + a")
    links = page.locator("main a").evaluate_all("links => links.map((link) => link.getAttribute('href'))")
    assert f"{HERE.as_uri()}#L{line}" in links and f"{HERE.as_uri()}#L{line + 1}" in links
    with page.context.expect_page() as found:
        page.locator(f'main a[href="{HERE.as_uri()}#L{line}"]').first.click()
    assert found.value.url == f"{HERE.as_uri()}#L{line}"
    assert "b = a + a" in found.value.locator("body").inner_text()


def test_a_drawing_on_paper_is_whole_and_has_no_buttons(drawing):
    page = drawing(masked, color_scheme="dark")
    page.click("button[data-action=in]")
    page.emulate_media(media="print")
    assert not page.locator("button").first.is_visible()
    assert page.locator("main .box").first.is_visible()
