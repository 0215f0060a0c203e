"""Every step: its numbers are those that the engine gives when it is asked without the explorer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from computations import COMPUTATIONS, masked
from expected import Engine, Expected
from seen import (
    LANGUAGES,
    arrays_under,
    assert_box_says,
    assert_same,
    fill,
    first_step,
    go_to,
    look,
    read_back,
    step_of,
)

import tinygrad_relu as tg


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("make", COMPUTATIONS, ids=lambda make: make.__name__)
def test_every_step_shows_the_numbers_of_the_engine(visit, make, language):
    explorer = tg.explain(make())
    scheme = "light" if language == "en" else "dark"
    page = visit(explorer.html, f"#lang={language}", reduced_motion="reduce", color_scheme=scheme)
    steps = Engine(make()).steps()
    assert len(steps) == len(explorer.sentences()) == int(page.locator("#slider").get_attribute("max")) + 1
    for i, (expected, sentence) in enumerate(zip(steps, explorer.sentences(language))):
        seen = look(page)
        assert (seen["step"], seen["kind"], seen["spoken"]) == (str(i), expected.kind, sentence)
        assert {name for name, box in seen["boxes"].items() if box["current"]} == expected.current
        for key, arrays in expected.arrays.items():
            assert_same([read_back(shown) for shown in arrays_under(seen, key, language)], arrays)
        assert_stage_shows(seen["boxes"], expected, language)
        page.keyboard.press("ArrowRight")
    assert step_of(page) == len(steps) - 1


def assert_stage_shows(boxes: dict[str, Any], expected: Expected, language: str) -> None:
    badges = {name: int(box["missing"]) for name, box in boxes.items() if box["missing"] is not None}
    assert badges == expected.missing
    for name, box in boxes.items():
        if name.startswith("op"):
            continue
        assert_box_says(box["lines"][1], expected.numbers.get(name), language)
        if len(box["lines"]) > 2:
            assert_box_says(box["lines"][2], expected.grads.get(name), language)
        if badges.get(name):
            assert box["badge"] == fill(LANGUAGES[language]["stage.missing"], missing=badges[name])


def test_a_mask_is_black_where_it_blocks_and_a_sum_over_broadcast_axes_is_told(visit):
    page = visit(tg.explain(masked()).html)
    masks, broadcasts = [], []
    for _ in range(int(page.locator("#slider").get_attribute("max")) + 1):
        seen = look(page)
        if seen["kind"] in ("compute", "rule", "return") and "relu" in seen["title"]:
            masks += arrays_under(seen, "saved", "en")
            assert "2 of 4 blocked (50 %)" in " ".join(part["text"] for part in seen["parts"])
        broadcasts += re.findall(r".* summed over .*", "\n".join(part["text"] for part in seen["parts"]))
        page.keyboard.press("ArrowRight")
    assert len(masks) == 3
    assert [read_back(mask).tolist() for mask in masks] == 3 * [[False, True, False, True]]
    assert len(broadcasts) == 1 and "(4,) summed over axis 0 to ()" in broadcasts[0]
    go_to(page, first_step(page, "rule", "relu"))
    colours = page.locator(".bits > span").evaluate_all(
        "bits => bits.map((bit) => getComputedStyle(bit).backgroundColor)"
    )
    black, white = "rgb(0, 0, 0)", "rgb(255, 255, 255)"
    assert colours == [white, black, white, black]
