"""The stage: the graph is zoomed, moved and followed, and boxes and arrows say what happens."""

from __future__ import annotations

import re

import numpy as np
import pytest
from computations import HERE, digits_network, doubled, hooked, masked, often_used, perceptron, residual
from seen import PHONE, WINDOW, first_step, go_to, last_step, look

import tinygrad_relu as tg
from tinygrad_relu import Tensor


def view_of(page) -> list[float]:
    """x, y, width and height of what is seen of the graph, after it has come to rest."""
    read_view = "() => document.querySelector('.drawing:not([hidden]) svg').getAttribute('viewBox')"
    seen = ""
    while seen != (seen := page.evaluate(read_view)):
        page.wait_for_timeout(60)
    return [float(number) for number in seen.split()]


def test_zoom_fit_and_follow(visit):
    page = visit(tg.explain(digits_network()).html, "#step=3", reduced_motion="reduce")
    pressed = [page.locator(f"#{name}").get_attribute("aria-pressed") for name in ("fit", "follow")]
    assert pressed == ["false", "true"]
    followed = view_of(page)
    page.click("#zoom-in")
    near = view_of(page)
    assert near[2] < followed[2]
    page.click("#zoom-out")
    assert view_of(page)[2] == pytest.approx(followed[2], rel=1e-6)
    page.click("#fit")
    assert page.locator("#fit").get_attribute("aria-pressed") == "true"
    assert all_boxes_in_view(page)
    page.click("#follow")
    assert page.locator("#follow").get_attribute("aria-pressed") == "true"
    for button in ("last", "first"):
        page.click(f"#{button}")
    for _ in range(last_step(page)):
        page.keyboard.press("ArrowRight")
        assert current_boxes_in_view(page)


_IN_VIEW = """selector => {
  const stage = document.querySelector("#stage").getBoundingClientRect();
  const boxes = document.querySelectorAll(`.drawing:not([hidden]) ${selector} .shape`);
  return [...boxes].every((box) => {
    const { left, right, top, bottom } = box.getBoundingClientRect();
    return left >= stage.left - 1 && right <= stage.right + 1 && top >= stage.top - 1 && bottom <= stage.bottom + 1;
  });
}"""


def all_boxes_in_view(page) -> bool:
    return page.evaluate(_IN_VIEW, ".box")


def current_boxes_in_view(page) -> bool:
    return page.evaluate(_IN_VIEW, ".box.current")


def test_the_graph_is_moved_with_the_mouse_and_zoomed_with_ctrl_and_wheel(visit):
    page = visit(tg.explain(masked()).html, reduced_motion="reduce")
    start = view_of(page)
    page.mouse.move(300, 300)
    page.mouse.wheel(0, 200)
    assert view_of(page) == start
    page.mouse.down()
    page.mouse.move(360, 330, steps=4)
    page.mouse.up()
    moved = view_of(page)
    assert moved[0] < start[0] and moved[1] < start[1] and moved[2] == pytest.approx(start[2])
    page.mouse.move(500, 400)
    assert view_of(page) == moved
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    assert view_of(page)[2] < moved[2]
    page.click("#fit")
    assert all_boxes_in_view(page)


def lines_of(page, name: str) -> list[str]:
    """The lines of the box whose first line begins with a name."""
    boxes = look(page)["boxes"].values()
    return next(box["lines"] for box in boxes if box["lines"][0].split(" (")[0] == name)


def test_a_box_tells_its_shape_all_numbers_where_they_fit_and_that_all_are_alike(visit):
    page = visit(tg.explain(residual(), [1, 2, -3, 4]).html)
    go_to(page, first_step(page, "return"))
    assert lines_of(page, "x") == ["x (4,)", "[1 -2 3 -4]", "so far: [1 2 -3 4]"]
    weight = Tensor(np.zeros((5, 6)), requires_grad=True, name="weight")
    page = visit(tg.explain((weight * np.full((5, 6), 2.5)).sum()).html)
    page.click("#last")
    assert lines_of(page, "weight") == ["weight (5, 6)", "all 0", "grad: all 2.5"]
    page = visit(tg.explain(doubled()).html)
    assert lines_of(page, "a")[0] == "a"


_COVERED = """() => {
  const drawing = document.querySelector(".drawing:not([hidden])");
  const stage = document.querySelector("#stage").getBoundingClientRect();
  const tag = drawing.querySelector(".message rect")?.getBoundingClientRect();
  if (!tag) return [];
  const isOut = tag.left < stage.left || tag.right > stage.right || tag.top < stage.top || tag.bottom > stage.bottom;
  const covers = (element) => {
    const box = element.getBoundingClientRect();
    const width = Math.min(tag.right, box.right) - Math.max(tag.left, box.left);
    return width > 1 && Math.min(tag.bottom, box.bottom) - Math.max(tag.top, box.top) > 1;
  };
  const covered = [...drawing.querySelectorAll(".box .shape, .report")].filter(covers);
  return [...covered.map((element) => element.parentElement.textContent), ...(isOut ? ["out of sight"] : [])];
}"""


@pytest.mark.parametrize(
    "make, window",
    [(masked, WINDOW), (masked, PHONE), (perceptron, WINDOW), (perceptron, PHONE), (often_used, WINDOW)],
)
def test_the_words_of_a_message_cover_no_box_and_no_badge(visit, make, window):
    page = visit(tg.explain(make()).html, viewport=window, reduced_motion="reduce")
    for i in range(last_step(page)):
        assert page.evaluate(_COVERED) == [], i
        page.keyboard.press("ArrowRight")


def test_a_large_graph_opens_where_it_begins_and_can_be_read(visit):
    page = visit(tg.explain(digits_network()).html, reduced_motion="reduce")
    text = page.locator(".drawing:not([hidden]) .box text.line").first
    assert text.bounding_box()["height"] > 10
    assert page.evaluate(_IN_VIEW, '.box[data-id="t0"]')


def test_a_message_travels_and_the_arrow_of_a_step_is_marked(visit):
    page = visit(tg.explain(doubled()).html)
    for i in range(1, last_step(page)):
        page.keyboard.press("ArrowRight")
        kind = look(page)["kind"]
        arrows = page.locator(".drawing:not([hidden]) .arrow.current").count()
        assert arrows == (0 if kind == "seed" else 1), i
        assert page.locator(".drawing:not([hidden]) .message circle").count() == arrows


def test_sources_and_links_to_the_lines(visit):
    page = visit(tg.explain(doubled()).html)
    go_to(page, first_step(page, "compute"))
    line = 1 + HERE.read_text(encoding="utf-8").splitlines().index("    b = a + a")
    link = page.locator("#card .place a")
    assert link.inner_text() == f"{HERE.name}:{line}"
    assert link.get_attribute("href") == f"{HERE.as_uri()}#L{line}"
    assert "b = a + a" in page.locator("#card pre").first.inner_text()
    details = page.locator("#card details")
    assert details.count() == 1 and details.get_attribute("open") is None
    details.locator("summary").click()
    assert "def forward(self, x, y)" in details.locator("pre").inner_text()
    source = details.locator("a")
    file, number = re.fullmatch(r"(.*):(\d+)", source.inner_text()).groups()
    lines = (HERE.parents[2] / file).read_text(encoding="utf-8").splitlines()
    assert lines[int(number) - 1].startswith(("class Add", "@register"))
    go_to(page, first_step(page, "rule"))
    opened_now = page.locator("#card details[open]")
    assert opened_now.count() == 1 and "def backward(self, grad)" in opened_now.inner_text()
    opened_now.locator("summary").focus()
    page.keyboard.press("Enter")
    assert page.locator("#card details[open]").count() == 0
    with page.context.expect_page() as opened:  # beside the page, which stays where it is
        page.locator("#card .place a").first.click()
    opened.value.wait_for_url(f"{HERE.as_uri()}#L{line + 1}")


def test_a_hook_has_a_step_of_its_own_that_shows_both_gradients(visit):
    page = visit(tg.explain(hooked()).html)
    go_to(page, first_step(page, "hook"))
    shown = [cell.get_attribute("data-value") for cell in page.locator("#details [data-value]").all()]
    assert [float(value) for value in shown] == [3, 3, 30, 30]
    assert "hook" in page.locator("#sentence").inner_text()
