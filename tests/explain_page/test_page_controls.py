"""The timeline: buttons, keys, slider, speed, address and language."""

from __future__ import annotations

import pytest
from browser import visible_texts
from computations import doubled
from seen import LANGUAGES, last_step, step_of

import tinygrad_relu as tg


def test_buttons_go_through_the_steps(visit):
    page = visit(tg.explain(doubled()).html)
    last = last_step(page)
    assert step_of(page) == 0
    for button, step in (("forward", 1), ("forward", 2), ("back", 1), ("last", last), ("back", last - 1), ("first", 0)):
        page.click(f"#{button}")
        assert step_of(page) == step
        assert page.locator("#slider").input_value() == str(step)
        assert f"#step={step}" in page.url
    assert page.locator("#first").is_disabled() and page.locator("#back").is_disabled()
    page.click("#last")
    assert page.locator("#forward").is_disabled() and page.locator("#last").is_disabled()
    assert page.locator("#card").get_attribute("data-phase") == "backward"


def test_buttons_are_reached_and_pressed_with_the_keyboard(visit):
    page = visit(tg.explain(doubled()).html, "#step=3")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
        if reached[-1] == "speed":
            break
    wanted = ["compare", "predict", "language", "zoom-out", "zoom-in", "fit", "follow", "card"]
    wanted += ["slider", "first", "back", "play", "forward", "last", "speed"]
    assert [name for name in reached if name in wanted] == wanted
    presses = [("forward", "Enter", 4), ("back", "Space", 3), ("last", "Space", 14), ("first", "Enter", 0)]
    for button, key, step in presses:
        page.focus(f"#{button}")
        page.keyboard.press(key)
        assert step_of(page) == step


def test_keys_go_through_the_steps_wherever_the_focus_is(visit):
    page = visit(tg.explain(doubled()).html)
    last = last_step(page)
    for focus in ("body", "#compare", "#card", "#slider"):
        if focus == "body":
            page.evaluate("document.activeElement.blur()")
        else:
            page.focus(focus)
        for key, step in (("End", last), ("ArrowLeft", last - 1), ("Home", 0), ("ArrowLeft", 0), ("ArrowRight", 1)):
            page.keyboard.press(key)
            assert step_of(page) == step, (focus, key)
        page.keyboard.press("Home")
    page.evaluate("document.activeElement.blur()")
    for key in ("Control+End", "Alt+ArrowRight", "Meta+ArrowRight"):
        page.keyboard.press(key)
        assert step_of(page) == 0


@pytest.mark.parametrize("focus", ["#speed", "#language"])
def test_keys_stay_with_a_list_that_needs_them(visit, focus):
    page = visit(tg.explain(doubled()).html, "#step=5")
    page.focus(focus)
    for key in ("Home", "End", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        assert step_of(page) == 5
    if focus == "#speed":
        page.keyboard.press("End")
        assert page.locator(focus).input_value() == "4"


def test_space_plays_and_pauses_and_does_not_scroll(visit):
    page = visit(tg.explain(doubled()).html, alone=True)
    page.clock.install()
    page.keyboard.press("Space")
    assert step_of(page) == 1 and page.locator("#play").get_attribute("aria-label") == "Pause"
    page.keyboard.press("Space")
    assert page.locator("#play").get_attribute("aria-label") == "Play"
    page.clock.run_for(60_000)
    assert step_of(page) == 1
    page.focus("#predict")
    page.keyboard.press("Space")
    assert page.locator("#predict").is_checked() and step_of(page) == 1
    page.focus("#play")
    page.keyboard.press("Space")
    assert page.locator("#play").get_attribute("aria-label") == "Pause" and step_of(page) == 2


def test_play_goes_to_the_end_and_stops_and_then_begins_again(visit):
    page = visit(tg.explain(doubled()).html, alone=True)
    page.clock.install()
    page.click("#play")
    assert step_of(page) == 1
    page.clock.run_for(10_000)
    assert 1 < step_of(page) < last_step(page)
    page.click("#back")
    page.clock.run_for(60_000)
    assert step_of(page) == last_step(page)
    assert page.locator("#play").get_attribute("aria-label") == "Play"
    page.click("#play")
    assert step_of(page) <= 1
    page.click("#play")
    paused_at = step_of(page)
    page.clock.run_for(60_000)
    assert step_of(page) == paused_at


def test_speed_is_that_of_playing(visit):
    page = visit(tg.explain(doubled()).html, alone=True)
    page.clock.install()
    reached = []
    for speed in page.locator("#speed option").evaluate_all("all => all.map((option) => option.value)"):
        page.select_option("#speed", speed)
        page.click("#first", force=True)
        page.click("#play")
        page.clock.run_for(4_000)
        page.click("#play")
        reached.append(step_of(page))
        page.click("#back")
    assert reached == sorted(set(reached)) and len(reached) > 2


def test_slider_and_ticks(visit):
    page = visit(tg.explain(doubled()).html)
    last = last_step(page)
    assert page.locator("#ticks .tick").count() == last + 1
    for step in (last, 4, 11, 0):
        tick = page.locator("#ticks .tick").nth(step).bounding_box()
        page.mouse.click(tick["x"] + tick["width"] / 2, tick["y"] + tick["height"] / 2)
        assert step_of(page) == step
        assert page.locator("#ticks .past").count() == step + 1
    page.focus("#slider")
    for key, step in (("ArrowRight", 1), ("ArrowUp", 2), ("ArrowDown", 1), ("End", last), ("Home", 0)):
        page.keyboard.press(key)
        assert step_of(page) == step
    assert page.locator("#slider").get_attribute("aria-valuetext").startswith(f"Step 0 of {last}, Forward pass")
    page.keyboard.press("PageUp")
    assert step_of(page) > 0


@pytest.mark.parametrize(
    "address, step, language",
    [
        ("#step=6", 6, "en"),
        ("#step=999", 14, "en"),
        ("#step=-3", 0, "en"),
        ("#step=", 0, "en"),
        ("#step=x<y&lang=xx", 0, "en"),
        ("#%E0%A4%A&&=&step=NaN", 0, "en"),
        ("#step=1e3&lang=__proto__", 1, "en"),
        ("#lang=ko&step=9", 9, "ko"),
    ],
)
def test_the_address_says_where_to_begin(visit, address, step, language):
    page = visit(tg.explain(doubled()).html, address)
    assert step_of(page) == step
    assert page.locator("html").get_attribute("lang") == language
    assert page.locator("#language").input_value() == language
    assert page.locator("#title").inner_text() and page.locator("#wide .box").count() == 5


def test_the_address_may_change_and_follows(visit):
    page = visit(tg.explain(doubled()).html)
    for address, step in (("step=7", 7), ("step=999", 14), ("step=-1", 0), ("step=8&lang=ko", 8)):
        page.evaluate("address => { location.hash = address }", address)
        page.wait_for_function("step => document.querySelector('#card').dataset.step === String(step)", arg=step)
    assert page.locator("html").get_attribute("lang") == "ko"
    page.keyboard.press("ArrowRight")
    assert "step=9" in page.url and "lang=ko" in page.url
    page.reload()
    assert step_of(page) == 9 and page.locator("html").get_attribute("lang") == "ko"
    before = page.evaluate("history.length")
    page.click("#last")
    assert page.evaluate("history.length") == before


def test_language_switch_changes_all_texts_and_keeps_the_step(visit):
    page = visit(tg.explain(doubled()).html, "#step=10")
    english = set(visible_texts(page))
    assert page.locator("#language option").all_inner_texts() == ["English", "한국어"]
    page.select_option("#language", "ko")
    assert step_of(page) == 10 and page.locator("html").get_attribute("lang") == "ko"
    assert page.title() == LANGUAGES["ko"]["page.title"].replace("{title}", "c")
    assert page.locator("#forward").get_attribute("aria-label") == LANGUAGES["ko"]["control.forward"]
    page.select_option("#language", "en")
    assert set(visible_texts(page)) == english


def test_a_page_can_be_korean_from_the_start(visit):
    page = visit(tg.explain(doubled(), language="ko").html)
    assert page.locator("html").get_attribute("lang") == "ko"
    assert page.title() == LANGUAGES["ko"]["page.title"].replace("{title}", "c")
