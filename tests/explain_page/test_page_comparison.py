"""The comparison of the two orders."""

from __future__ import annotations

import pytest
from computations import doubled, masked
from seen import LANGUAGES, fill, step_of

import tinygrad_relu as tg


@pytest.mark.parametrize("language", LANGUAGES)
def test_comparison_of_the_two_orders(visit, language):
    page = visit(tg.explain(masked()).html, f"#lang={language}&step=2")
    words = LANGUAGES[language]
    dialog = page.locator("#comparison")
    assert not dialog.is_visible()
    page.focus("#compare")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "comparison-next"
    assert dialog.is_visible() and "b = a + a; c = b + b" in dialog.inner_text()
    visits = {"c": [1, 1, 1, 1, 1, 1, 1], "b": [0, 1, 1, 1, 2, 2, 2], "a": [0, 0, 1, 2, 2, 3, 4]}
    for visit_number in range(1, 8):
        page.click("#comparison-next")
        naive = page.locator(".order").nth(1).locator("svg").get_attribute("aria-label")
        for node, counts in visits.items():
            count = words["compare.count"].replace("{count}", str(counts[visit_number - 1]))
            assert f"{node} {count}" in naive
    assert page.locator("#comparison-next").is_disabled()
    ordered, naive = page.locator(".order").all()
    assert fill(words["compare.right"], count=3, grad=4) in ordered.inner_text()
    assert fill(words["compare.wrong"], count=7, grad=8, right=4) in naive.inner_text()
    assert "✓" in ordered.locator(".outcome").text_content() and "✗" in naive.locator(".outcome").text_content()
    assert [order.locator(".list .pill").all_inner_texts() for order in (ordered, naive)] == [
        ["c", "b", "a"],
        ["c", "b", "a", "a", "b", "a", "a"],
    ]
    page.keyboard.press("Escape")
    assert not dialog.is_visible() and page.evaluate("document.activeElement.id") == "compare"
    assert step_of(page) == 2


def test_comparison_by_keys_and_slider(visit):
    page = visit(tg.explain(doubled()).html, "#step=2")
    page.click("#compare")
    page.focus("#comparison-slider")
    page.keyboard.press("End")
    assert "a.grad = 8" in page.locator("#orders").inner_text()
    for key in ("ArrowLeft", "Home", "ArrowRight"):
        page.keyboard.press(key)
    assert page.locator(".order .pill").all_inner_texts() == ["c", "c"]
    page.click("#comparison-back")
    assert page.locator(".order .pill").count() == 0 and page.locator("#comparison-back").is_disabled()
    page.focus("#comparison-close")
    for key, visits in (("ArrowRight", 2), ("ArrowRight", 4), ("ArrowLeft", 2)):
        page.keyboard.press(key)
        assert page.locator(".order .pill").count() == visits
        assert step_of(page) == 2
    page.keyboard.press("Enter")
    assert not page.locator("#comparison").is_visible()
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 3
    page.click("#compare")
    assert page.locator("#comparison").is_visible() and page.locator(".order .pill").count() == 0
    assert "recursion would visit a 4 times" in page.locator("#comparison-paths").inner_text()
