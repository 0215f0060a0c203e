"""Languages: each has all texts, and no other words are on the page."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from browser import visible_texts
from computations import doubled, hooked, masked, often_used, perceptron, residual
from seen import LANGUAGES, first_step, go_to

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_all_texts_with_the_same_placeholders(language):
    english, other = LANGUAGES["en"], LANGUAGES[language]
    assert list(other) == list(english)
    assert {key: placeholders(text) for key, text in other.items()} == {
        key: placeholders(text) for key, text in english.items()
    }
    assert all(text.strip() == text and text for text in other.values())


def test_each_language_names_itself():
    assert {code: texts["language.name"] for code, texts in LANGUAGES.items()} == {"en": "English", "ko": "한국어"}


@pytest.fixture
def stop():
    """An op that lets no gradient through to its second input."""

    @tg.register
    class StopSecond(tg.Op):
        """x + y, but y gets no gradient."""

        def forward(self, x, y):
            return x + y

        def backward(self, grad):
            return grad, None

    yield tg.stop_second
    tg.unregister("stop_second")


def many_kinds(stop):
    """Whatever has a text of its own: masks, silent units, broadcasting, options, maps of all kinds, odd numbers."""
    x = Tensor(np.linspace(-1, 1, 70 * 90).reshape(70, 90), requires_grad=True, name="x")
    weight = nn.Parameter(np.ones(90), name="weight")
    part = x[:10, :9] * np.array([np.nan, *np.ones(8)])
    small = Tensor([[-1.0, 2.0], [-3.0, 4.0]], requires_grad=True, name="small")
    large = tg.where(np.eye(70, 90) > 0, (x * weight).relu(), 0.0).sum()
    tiny = (Tensor(np.ones(20), requires_grad=True, name="y") * np.linspace(-1.234e-21, 3.456e-21, 20)).sum()
    few = tg.where(np.array([True, False]), small.relu(), 0.0).sum(axis=0)
    return stop(few * small * small + part.sum() + large + tiny, Tensor(1.0, requires_grad=True))


def words_only(text: str) -> int:
    """How many characters a text has without its placeholders."""
    return len(re.sub(r"\{\w+\}", "", text).rstrip())


def in_no_language(html: str) -> str:
    """The page with one language more, ``xx``, in which each text is a number in brackets, and its placeholders.

    It is about as long as in English.
    """
    pattern = r'(<script type="application/json" id="languages">)(.*?)(</script>)'
    texts = json.loads(re.search(pattern, html, re.DOTALL)[2])
    marked = {
        key: " ".join([f"⟦{i}⟧".ljust(words_only(text), "·"), *(f"{{{word}}}" for word in sorted(placeholders(text)))])
        for i, (key, text) in enumerate(texts["en"].items())
    }
    written = json.dumps({**texts, "xx": marked}).replace("<", "\\u003c")
    return re.sub(pattern, lambda found: found[1] + written + found[3], html, flags=re.DOTALL)


def unlike_steps(page) -> list[int]:
    """The first of all steps that are told in the same words and are about the same kind of op."""
    story = json.loads(page.locator("#story").text_content())
    first: dict[Any, int] = {}
    for i, (step, told) in enumerate(zip(story["steps"], story["telling"])):
        op = story["ops"][step["op"]]["name"] if "op" in step else ""
        first.setdefault((told["sentence"], op, step.get("raw_shape") is None), i)
    return list(first.values())


def shown_in_all_states(page) -> set[str]:
    """The texts of each kind of step, of colours pointed at, of hidden results, of the comparison and on paper.

    Code and formulas are left out.
    """
    texts: set[str] = set()

    def note():
        texts.update(visible_texts(page, without="code, pre, .formula"))

    for i in unlike_steps(page):
        go_to(page, i)
        note()
    for i in (1, first_step(page, "compute")):
        go_to(page, i)
        for canvas in page.locator("#card canvas").all():
            canvas.hover()
            note()
    page.click(".switch")
    for kind in ("compute", "seed", "rule", "return"):
        go_to(page, first_step(page, kind))
        note()
    page.click("#play")
    note()
    page.click("#compare")
    for _ in range(8):
        note()
        page.locator("#comparison-next").dispatch_event("click")
    page.keyboard.press("Escape")
    page.emulate_media(media="print")
    page.wait_for_selector("#all-steps table")
    note()
    return texts


def test_every_text_of_a_language_is_shown_somewhere_and_no_other_words_are(visit, stop):
    texts: set[str] = set()
    mixed = many_kinds(stop)
    given = (mixed, np.ones((2, 2))), (doubled(), 2.0), (often_used(), None), (residual(), [1, 2, -3, 4])
    given += ((hooked(), None),)
    for output, gradient in given:
        explorer = tg.explain(output, gradient)
        page = visit(in_no_language(explorer.html), "#lang=xx", reduced_motion="reduce")
        texts |= shown_in_all_states(page)
    shown = {int(i) for text in texts for i in re.findall(r"⟦(\d+)⟧", text)}
    formulas = {key for key in LANGUAGES["en"] if key.startswith("formula.")}  # they have a test of their own
    elsewhere = {"page.noscript", "language.name", *formulas}
    assert [key for i, key in enumerate(LANGUAGES["en"]) if i not in shown and key not in elsewhere] == []
    words = re.compile(r"\b(?!nan|inf|true|false)[a-z]{3,} (?!nan|inf|true|false)[a-z]{3,}", re.IGNORECASE)
    assert [text for text in sorted(texts) if "⟦" not in text and words.search(text)] == []


def of_all_formulas():
    """Each op whose formula is translated."""
    x = Tensor([[0.5, 1.5], [2.0, 3.0]], requires_grad=True, name="x")
    total = tg.linear((x * x + x / 2.0 - x).relu() @ x, np.ones((2, 2), dtype=np.float32))
    total = total.exp().log().sigmoid().tanh()
    return tg.cross_entropy(total, [0, 1]) + tg.mse_loss(total, np.zeros((2, 2))) + total.sum() + total.mean()


def test_the_formulas_of_the_common_ops_are_translated_and_others_are_their_own(visit, stop):
    output = stop(of_all_formulas(), Tensor(1.0, requires_grad=True))
    page = visit(tg.explain(output).html)
    story = json.loads(page.locator("#story").text_content())
    steps = {story["ops"][step["op"]]["name"]: i for i, step in enumerate(story["steps"]) if step["kind"] == "compute"}
    translated = {key.removeprefix("formula.") for key in LANGUAGES["en"] if key.startswith("formula.")}
    assert set(steps) == {*translated, "stop_second"}
    for language, texts in LANGUAGES.items():
        page.select_option("#language", language)
        for name, step in steps.items():
            go_to(page, step)
            wanted = texts.get(f"formula.{name}", "x + y, but y gets no gradient.")
            assert page.locator("#card .formula").inner_text() == wanted


@pytest.mark.parametrize("make", [masked, perceptron], ids=lambda make: make.__name__)
def test_nothing_is_left_in_english_when_korean_is_chosen(visit, make):
    page = visit(tg.explain(make()).html, reduced_motion="reduce")
    page.select_option("#language", "ko")
    texts = shown_in_all_states(page)
    english, korean = LANGUAGES["en"], LANGUAGES["ko"]
    assert not [text for text in texts if re.fullmatch(r"[a-z]+(\.[a-z_]+)+", text) and text in english]
    for key, template in english.items():
        for piece in re.split(r"\{\w+\}", template):
            if len(piece.strip()) > 8 and piece not in korean[key] and key != "language.name":
                assert not [text for text in texts if piece in text], key
