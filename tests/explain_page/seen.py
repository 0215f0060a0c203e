"""Seen: the words and numbers that stand on a page, and the steps of its story."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np

from tinygrad_relu.explain.page import languages

LANGUAGES = languages()


WINDOW = {"width": 1280, "height": 800}


PHONE = {"width": 360, "height": 740}


_LOOK = """() => {
  const text = (selector) => document.querySelector(selector).textContent;
  const array = (figure) => ({
    index: Number(figure.dataset.array),
    about: figure.querySelector(".about").textContent,
    caption: figure.querySelector("figcaption").textContent,
    values: [...figure.querySelectorAll("[data-value]")].map((cell) => cell.dataset.value),
    drawn: figure.querySelector("canvas") !== null,
    text: figure.innerText,
  });
  const part = (section) => ({
    heading: section.querySelector("h3").textContent,
    arrays: [...section.querySelectorAll("figure")].map(array),
    text: section.innerText,
  });
  const box = (group) => ({
    current: group.classList.contains("current"),
    lines: [...group.querySelectorAll("text.line")].map((line) => line.textContent),
    missing: group.querySelector("[data-missing]")?.dataset.missing ?? null,
    badge: group.querySelector("[data-missing] text")?.textContent ?? null,
  });
  const drawing = document.querySelector(".drawing:not([hidden])");
  const boxes = [...drawing.querySelectorAll(".box")].map((group) => [group.dataset.id, box(group)]);
  const live = document.querySelector("[aria-live=polite]");
  return {
    ...document.querySelector("#card").dataset,
    title: text("#title"),
    spoken: [...live.children].map((child) => child.textContent.trim()).join(" ").trim(),
    parts: [...document.querySelectorAll("#details .part")].map(part),
    boxes: Object.fromEntries(boxes),
  };
}"""


def look(page) -> dict[str, Any]:
    """What stands in the card and on the stage."""
    return page.evaluate(_LOOK)


def step_of(page) -> int:
    return int(page.locator("#card").get_attribute("data-step"))


def arrays_under(seen: dict[str, Any], key: str, language: str) -> list[dict[str, Any]]:
    """The arrays of the card that stand under a heading; the words of a heading may be any."""
    heading = re.sub(r"\\{\w+\\}", ".+", re.escape(LANGUAGES[language][f"card.{key}"]))
    parts = [part for part in seen["parts"] if re.fullmatch(heading, part["heading"])]
    return [array for part in parts for array in part["arrays"]]


def read_back(shown: dict[str, Any]) -> np.ndarray:
    """The array as it stands on the page: its numbers, shape and dtype."""
    shape, dtype = re.fullmatch(r"\((.*)\) (\w+)", shown["about"]).groups()
    lengths = [int(length) for length in shape.split(",") if length.strip()]
    texts = shown["values"]
    numbers = [text == "true" for text in texts] if dtype == "bool" else np.array(texts).astype(dtype)
    return np.array(numbers, dtype=dtype).reshape(lengths)


def assert_same(shown: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    """Bit for bit, but for the sign of zero."""
    assert [array.shape for array in shown] == [array.shape for array in wanted]
    assert [array.dtype for array in shown] == [array.dtype for array in wanted]
    for one, other in zip(shown, wanted):
        np.testing.assert_array_equal(one, other)


def assert_box_says(line: str, array: np.ndarray | None, language: str) -> None:
    """All numbers of the array with at least two digits, or from where to where they go; none if it is unknown."""
    number = r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|\bnan\b|-?\binf\b"
    numbers = [float(text) for text in re.findall(number, line)]
    if array is None:
        assert numbers == []
        return
    odd = int(np.sum(~np.isfinite(array)))
    if odd and fill(LANGUAGES[language]["array.nonfinite"], count=odd) in line:
        return
    wanted = [array.min(), array.max()] if "…" in line else array.reshape(-1)
    np.testing.assert_allclose(numbers, np.asarray(wanted, dtype=np.float64), rtol=0.06)


def fill(template: str, **words: Any) -> str:
    for name, word in words.items():
        template = template.replace(f"{{{name}}}", str(word))
    return template


def go_to(page, step: int) -> None:
    page.evaluate("step => { location.hash = `step=${step}` }", step)
    page.wait_for_function("step => document.querySelector('#card').dataset.step === String(step)", arg=step)


def first_step(page, kind: str, op: str = "") -> int:
    """The number of the first step of a kind, or of the first one that is about an op of that name."""
    story = json.loads(page.locator("#story").text_content())
    steps = [(i, step) for i, step in enumerate(story["steps"]) if step["kind"] == kind]
    return next(i for i, step in steps if not op or story["ops"][step["op"]]["name"] == op)


def last_step(page) -> int:
    return int(page.locator("#slider").get_attribute("max"))
