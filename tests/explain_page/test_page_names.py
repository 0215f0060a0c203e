"""Odd names are shown as they are, and run nothing."""

from __future__ import annotations

import pytest
from computations import ODD_NAMES, oddly_named
from seen import LANGUAGES, last_step, look

import tinygrad_relu as tg


@pytest.mark.parametrize("language", LANGUAGES)
def test_odd_names_are_shown_as_they_are_and_run_nothing(visit, language):
    explorer = tg.explain(oddly_named(), language=language)
    page = visit(explorer.html)
    spoken = []
    headlines = set()
    for _ in range(last_step(page) + 1):
        seen = look(page)
        spoken.append(seen["spoken"])
        headlines.add(tuple(box["lines"][0].strip() for box in seen["boxes"].values()))
        page.keyboard.press("ArrowRight")
    assert spoken == explorer.sentences(language)
    assert len(headlines) == 1, "what stands in a box above its numbers stays what it is"
    (boxes,) = headlines
    for name in ODD_NAMES:
        assert any(name in sentence for sentence in spoken)
        assert any(name.split("\n")[0] in headline for headline in boxes)
    assert page.locator("#wide .box.input").count() == len(ODD_NAMES)
    assert page.locator("img, body > script:not([type])").count() == 1
    page.click("#first")
    page.click(".switch")
    page.keyboard.press("End")
    page.emulate_media(media="print")
    page.wait_for_selector("#all-steps table")
