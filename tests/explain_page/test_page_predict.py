"""Predicting: results are hidden until they are asked for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from browser import visible_texts
from computations import doubled, masked, unequal
from expected import Engine, Expected
from seen import LANGUAGES, fill, first_step, go_to, look, step_of

import tinygrad_relu as tg
from tinygrad_relu import Tensor


def digits_of(array: np.ndarray) -> set[str]:
    """The numbers of an array as they might be written: in full and with two to six digits."""
    written = set()
    for x in array.reshape(-1):
        written |= {str(x), repr(float(x)), *(f"{x:.{digits}g}" for digits in range(3, 7))}
    return written


def hidden_arrays(expected: Expected) -> list[np.ndarray]:
    """What a reader is to predict."""
    keys = {"compute": ["result"], "seed": ["complete"], "return": ["contribution", "sum"]}
    return [array for key in keys.get(expected.kind, []) for array in expected.arrays.get(key, [])]


def test_predict_hides_each_result_until_it_is_asked_for(visit):
    page = visit(tg.explain(unequal(), 1.87).html)
    page.click(".switch")
    known: set[str] = set()
    asked = []
    for i, expected in enumerate(Engine(unequal(), 1.87).steps()):
        assert step_of(page) == i
        hidden = {text for array in hidden_arrays(expected) for text in digits_of(array)}
        before = set(re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", "\n".join(visible_texts(page))))
        if page.locator("#reveal").is_visible():
            asked.append(expected.kind)
            assert not (hidden - known) & before, expected
            assert page.locator("#numbers").inner_text() == ""
            assert page.locator("#sentence").inner_text().endswith("?")
            ask = [lambda: page.click("#reveal"), lambda: page.keyboard.press("r")][i % 2]
            ask()
            assert not page.locator("#reveal").is_visible()
        after = "\n".join(visible_texts(page))
        assert all(f"{x:.4g}" in after for array in hidden_arrays(expected) for x in array.reshape(-1))
        known |= {text for array in expected.numbers.values() for text in digits_of(array)}
        known |= {text for array in expected.grads.values() for text in digits_of(array)}
        known |= {text for array in hidden_arrays(expected) for text in digits_of(array)}
        page.keyboard.press("ArrowRight")
    assert set(asked) == {"compute", "seed", "rule", "return"}
    assert len(asked) == 4 + 1 + 4 + 6


def test_predict_hides_the_rule_until_it_is_asked_for(visit):
    page = visit(tg.explain(masked()).html)
    go_to(page, first_step(page, "rule", "relu"))
    with_rule = page.locator("#details").inner_text()
    assert "self.mask" in with_rule
    page.focus("#predict")
    page.keyboard.press("Space")
    assert page.locator("#card .rule").count() == 0 and page.locator("#card details").count() == 0
    assert not any("self.mask" in text for text in visible_texts(page))
    page.focus("#reveal")
    page.keyboard.press("Enter")
    assert page.locator("#details").inner_text() == with_rule
    assert page.evaluate("document.activeElement.id") == "card"


def test_predict_waits_while_playing_and_can_be_switched_off(visit):
    page = visit(tg.explain(doubled()).html, alone=True)
    page.clock.install()
    page.click(".switch")
    page.click("#play")
    page.clock.run_for(60_000)
    assert look(page)["kind"] == "compute" and page.locator("#reveal").is_visible()
    page.click("#play")
    page.clock.run_for(60_000)
    assert look(page)["kind"] == "compute" and step_of(page) == 6
    page.click(".switch")
    assert not page.locator("#reveal").is_visible() and "c = 8" in page.locator("#numbers").inner_text()
    page.clock.run_for(60_000)
    page.click(".switch")
    page.keyboard.press("r")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    assert page.locator("#reveal").is_visible()


@pytest.mark.parametrize("language", LANGUAGES)
def test_units_of_one_batch_are_silent_and_not_dead(visit, language):
    x = Tensor([[1.0, -1.0, -2.0], [2.0, -3.0, 4.0]], requires_grad=True)
    explorer = tg.explain(x.relu().sum())
    step = next(i for i, told in enumerate(explorer.story["steps"]) if told["kind"] == "rule" and told["op"] == 0)
    page = visit(explorer.html, f"#lang={language}&step={step}")
    assert page.locator("#card .warning").inner_text() == fill(LANGUAGES[language]["card.silent"], rows=2, units=1)
    assert "dead" not in page.locator("#card").inner_text().lower()
