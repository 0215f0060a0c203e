"""The explorer's page, and the page of a drawing, in a browser: used, read and checked as a person would.

The numbers on the page are compared with those that the engine gives when it is asked without the explorer.
"""

import base64
import contextlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import opened, require_browser, serious_findings, visible_texts, watched_page

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn
from tinygrad_relu.explain.page import languages
from tinygrad_relu.record.reading import Reading, Step, Value, read

require_browser()

LANGUAGES = languages()
HERE = Path(__file__)
WINDOW = {"width": 1280, "height": 800}
PHONE = {"width": 360, "height": 740}


# ---------------------------------------------------------------------- fixtures


@pytest.fixture
def visit(browser, tmp_path):
    """Open HTML text at an address, in a context of its own: visit(html, "#step=3", color_scheme="dark")."""
    with contextlib.ExitStack() as pages:

        def open_page(html: str, address: str = "", **options: Any) -> Any:
            page = pages.enter_context(watched_page(browser, **{"viewport": WINDOW, **options}))
            return opened(page, html, tmp_path / "page.html", address)

        yield open_page


# ---------------------------------------------------------------------- computations


def doubled():
    a = Tensor(2.0, requires_grad=True, name="a")
    b = a + a
    c = b + b
    return c


def masked():
    """relu on half of the elements, and a bias that is broadcast."""
    x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True, name="x")
    w = Tensor([0.5, 1.0, 2.0, 1.0], requires_grad=True, name="w")
    b = Tensor(0.1, requires_grad=True, name="b")
    return (x * w + b).relu().sum()


def perceptron():
    tg.manual_seed(0)
    inputs, classes = data.moons(8, noise=0.1, seed=0)
    return tg.cross_entropy(nn.MLP(2, [4], 2)(inputs), classes)


def nonfinite():
    x = Tensor([np.nan, np.inf, -np.inf, 0.0, -3.0], requires_grad=True, name="x")
    y = x * 2.0
    return (y * y + x.relu()).sum()


def residual():
    """A value that is used twice: what has arrived is shown before the sum is complete."""
    x = Tensor([1.0, -2.0, 3.0, -4.0], requires_grad=True, name="x")
    return x + x.relu()


def hooked():
    x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    x.register_hook(lambda grad: grad * 10)
    return (x * 3).sum()


def often_used():
    x = Tensor([0.7, -1.3, 1e-7], requires_grad=True, name="x")
    total = x
    for _ in range(4):
        total = total * x + x
    return total.sum()


def unequal():
    """No two numbers of it are alike."""
    x = Tensor(1.37, requires_grad=True, name="x")
    w = Tensor(0.713, requires_grad=True, name="w")
    return (x * w + 0.537).exp() * x


def digits_network():
    """64-64-32-10 on a batch of 32, with a unit that is silent."""
    tg.manual_seed(0)
    rng = np.random.default_rng(0)
    model = nn.MLP(64, [64, 32], 10)
    first = model[0]
    first.bias = nn.Parameter(np.where(np.arange(64) == 5, -100, first.bias.detach().numpy()).astype(np.float32))
    images = rng.random((32, 64), dtype=np.float32)
    return tg.cross_entropy(model(images), rng.integers(10, size=32))


COMPUTATIONS = [doubled, masked, perceptron, nonfinite, often_used]


# ---------------------------------------------------------------------- what the engine says


@dataclass
class Expected:
    """One step as it must be shown. ``arrays`` stand under a heading of the card, a key of the language files."""

    kind: str
    current: set[str]  # the boxes that it is about
    arrays: dict[str, list[np.ndarray]]
    numbers: dict[str, np.ndarray]  # of the boxes that are known
    grads: dict[str, np.ndarray]  # of the boxes that got some, as far as they arrived
    missing: dict[str, int] = field(default_factory=dict)  # of the boxes that wait, or have waited


class Engine:
    """A computation done again, one step at a time, with the engine's public functions only."""

    def __init__(self, output: Tensor, gradient: float = 1.0):
        self.output = output
        self.start = np.full_like(output.detach().numpy(), gradient)
        self.reading: Reading = read(output, "explain")
        self.numbers = {value.id: value.array for value in self.reading.values if value.maker is None}
        self.grads: dict[str, np.ndarray] = {}
        uses = [use for step in self.reading.steps for use in step.arguments if use.requires_grad]
        self.waiting = Counter(use.id for use in uses)

    def steps(self) -> list[Expected]:
        return [*self._forward(), *self._backward()]

    def _forward(self):
        yield self._told("start", [], {"leaves": self._leaves()})
        for step in self.reading.steps:
            for argument in step.arguments:
                yield self._told("send", [step, argument], {"value": [argument.array]})
            result = self._computed_again(step)
            self.numbers[step.result.id] = result
            inputs = [argument.array for argument in step.arguments]
            yield self._told("compute", [step, step.result], {"result": [result], "inputs": inputs})

    def _backward(self):
        output = self.reading.output
        self.grads[output.id] = self.start
        yield self._told("seed", [output], {"complete": [self.grads[output.id]]})
        of_node = {value.tensor: value for value in self.reading.values}
        for node in tg.topological_order([self.output]):
            value = of_node[node]
            if value.maker is None:
                continue
            received = self._gradient_of(value)
            yield self._told("rule", [value.maker, value], {"received": [received]})
            for i, argument in enumerate(value.maker.arguments):
                if argument.requires_grad:
                    yield self._returned(value.maker, i, argument, received)
        yield self._told("end", [], {"gradients": self._gradients_of_leaves()})

    def _returned(self, step: Step, i: int, argument: Value, received: np.ndarray) -> Expected:
        sent = self._contribution(step, i, received)
        before = self.grads.get(argument.id)
        self.grads[argument.id] = sent if before is None else before + sent
        self.waiting[argument.id] -= 1
        arrays = {"contribution": [sent], "received": [received]}
        if before is not None:
            arrays["sum"] = [before, sent, self.grads[argument.id]]
        return self._told("return", [step, argument], arrays)

    def _told(self, kind: str, parts: list, arrays: dict[str, list[np.ndarray]]) -> Expected:
        told = Expected(kind, {part.id for part in parts}, arrays, self.numbers.copy(), self.grads.copy())
        if self.grads:
            told.missing = {**dict.fromkeys(self.grads, 0), **self.waiting}
        return told

    def _leaves(self) -> list[np.ndarray]:
        return [value.array for value in self.reading.values if value.maker is None]

    def _alone(self, step: Step) -> tuple[Tensor, list]:
        """The op applied once more, to leaves of its own: its result and those leaves.

        A Tensor's copy lies in memory as the original does: BLAS adds up in another order where that differs.
        """
        leaves = [
            Tensor(value.array, requires_grad=value.requires_grad) if value.tensor is not None else given
            for value, given in zip(step.arguments, step.op.arguments)
        ]
        return type(step.op).function(*leaves, **step.op.options), leaves

    def _computed_again(self, step: Step) -> np.ndarray:
        return self._alone(step)[0].detach().numpy()

    def _contribution(self, step: Step, i: int, received: np.ndarray) -> np.ndarray:
        result, leaves = self._alone(step)
        result.backward(received)
        return leaves[i].grad.numpy()

    def _gradient_of(self, value: Value) -> np.ndarray:
        return tg.grad(self.output, value.tensor, self.start, retain_graph=True)[0].numpy()

    def _gradients_of_leaves(self) -> list[np.ndarray]:
        self.output.backward(self.start, retain_graph=True)
        leaves = [value.tensor for value in self.reading.values if value.maker is None and value.requires_grad]
        return [leaf.grad.numpy() for leaf in leaves]


# ---------------------------------------------------------------------- what the page says


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


# ---------------------------------------------------------------------- every step


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


# ---------------------------------------------------------------------- controls


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
    page = visit(tg.explain(doubled()).html)
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
    page = visit(tg.explain(doubled()).html)
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
    page = visit(tg.explain(doubled()).html)
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


# ---------------------------------------------------------------------- predict


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
    page = visit(tg.explain(doubled()).html)
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


# ---------------------------------------------------------------------- comparison


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


# ---------------------------------------------------------------------- stage


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
    lines = (HERE.parent.parent / file).read_text(encoding="utf-8").splitlines()
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


# ---------------------------------------------------------------------- nothing from outside


@pytest.mark.parametrize("language, scheme", [("en", "dark"), ("ko", "light")])
def test_every_page_opens_without_a_complaint(visit, language, scheme):
    """What is logged, raised or requested fails any test; that all steps are shown is tested in the other looks."""
    for make in (*COMPUTATIONS, digits_network):
        page = visit(tg.explain(make()).html, f"#step=4&lang={language}", color_scheme=scheme)
        assert step_of(page) == 4
        page.keyboard.press("End")
        assert look(page)["kind"] == "end"


def test_the_page_may_load_nothing(browser, tmp_path):
    context = browser.new_context(offline=True)
    page = opened(context.new_page(), tg.explain(doubled()).html, tmp_path / "page.html")
    blocked = page.evaluate(
        """async () => {
          const found = [];
          document.addEventListener("securitypolicyviolation", (event) => found.push(event.effectiveDirective));
          const image = document.createElement("img");
          image.src = "https://example.org/picture.png";
          const script = document.createElement("script");
          script.src = "https://example.org/script.js";
          const frame = document.createElement("iframe");
          frame.src = "https://example.org/";
          document.body.append(image, script, frame);
          await fetch("https://example.org/").catch(() => null);
          for (let i = 0; i < 50 && found.length < 4; i += 1) {
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return found;
        }"""
    )
    context.close()
    assert set(blocked) == {"img-src", "script-src-elem", "frame-src", "connect-src"}


def test_it_works_in_the_frame_of_a_notebook(visit):
    explorer = tg.explain(masked())
    frame_text = explorer._repr_mimebundle_()["text/html"]
    assert re.match(r'<iframe sandbox="allow-scripts allow-popups" ', frame_text) and "srcdoc=" in frame_text
    page = visit(f"<!doctype html><title>notebook</title><body>{frame_text}</body>")
    frame = page.frame_locator("iframe")
    frame.locator("#forward").click()
    assert frame.locator("#card").get_attribute("data-step") == "1"
    frame.locator("#card").press("End")
    assert frame.locator("#card").get_attribute("data-kind") == "end"
    frame.locator("#language").select_option("ko")
    assert frame.locator("#title").inner_text() == LANGUAGES["ko"]["end.title"]
    frame.locator("#compare").click()
    assert frame.locator("#comparison").is_visible()
    assert page.frames[1].evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_scripts_it_says_what_it_needs(visit):
    page = visit(tg.explain(doubled()).html, java_script_enabled=False)
    assert page.locator("noscript").inner_text() == LANGUAGES["en"]["page.noscript"]


def test_a_large_page_is_small_and_opens_at_its_end(visit):
    output = digits_network()
    html = tg.explain(output).html
    assert len(html.encode()) < 1_000_000
    page = visit(html)
    page.click("#last")
    assert look(page)["kind"] == "end"
    shown = arrays_under(look(page), "gradients", "en")
    arrays = json.loads(page.locator("#story").text_content())["arrays"]
    wanted = Engine(output).steps()[-1].arrays["gradients"]
    assert len(shown) == len(wanted) > 4
    for figure, array in zip(shown, wanted):
        if figure["drawn"]:
            assert_map_shows(arrays[figure["index"]], figure["text"], array)
        else:
            assert_same([read_back(figure)], [array])
    page.keyboard.press("ArrowLeft")
    canvas = page.locator("#card canvas").first
    assert "array of shape" in canvas.get_attribute("aria-label")
    before = page.locator("#card .readout").first.inner_text()
    canvas.hover()
    assert page.locator("#card .readout").first.inner_text() != before


def assert_map_shows(described: dict[str, Any], text: str, array: np.ndarray) -> None:
    """Each colour is the number within the width of one of 255 levels; least, mean and greatest stand there as text."""
    heat = described["map"]
    assert described["shape"] == list(array.shape) and not heat["shrunk"]
    levels = np.frombuffer(base64.b64decode(heat["data"]), dtype=np.uint8)
    step = (heat["high"] - heat["low"]) / 255
    shown = heat["low"] + levels.astype(np.float64) * step
    np.testing.assert_allclose(shown, array.reshape(-1), rtol=0, atol=step)
    least, mean, most = (float(x) for x in re.search(r"min (\S+) · mean (\S+) · max (\S+)", text).groups())
    np.testing.assert_allclose([least, most], [array.min(), array.max()], rtol=1e-3)
    np.testing.assert_allclose(mean, array.mean(), rtol=1e-3, atol=step / 100)


# ---------------------------------------------------------------------- accessible, at any size


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
    page = visit(tg.explain(doubled()).html, reduced_motion=motion)
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


# ---------------------------------------------------------------------- odd names


ODD_NAMES = ["<script>alert(1)</script>", "</script>", '"quoted"', "a\nb", "한글", "{value}", "$&", "<!--", "grad 1"]


def oddly_named():
    strange = type("<img src=x onerror=alert(1)>", (nn.Sequential,), {})(nn.ReLU())
    named = [Tensor(2.0, requires_grad=True, name=name) for name in ODD_NAMES]
    return strange(tg.stack(named)).sum()


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


# ---------------------------------------------------------------------- languages


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


# ---------------------------------------------------------------------- the page of a drawing


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
