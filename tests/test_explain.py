"""The story that the explorer tells: its numbers against the engine's, its text, and which input is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from samples import load

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn
from tinygrad_relu.explain.page import languages
from tinygrad_relu.op import apply

ALL_SAMPLES = [
    pytest.param(tg.registry[name], each, id=f"{name}-{i}")
    for name, samples in load("SAMPLES").items()
    for i, each in enumerate(samples[:4])
    if name in tg.registry and tg.registry[name].differentiable
]


def array_of(story, index):
    """What the story says of an array, as an array again."""
    told = story["arrays"][index]
    values = [float(x) if isinstance(x, str) else x for x in told["values"]]
    return np.array(values, dtype=told["dtype"]).reshape(told["shape"])


def steps_of(story, kind):
    return [step for step in story["steps"] if step["kind"] == kind]


def value_called(story, label):
    (found,) = [value for value in story["values"] if value["label"] == label]
    return found


# ---------------------------------------------------------------------- the numbers


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # log(0), inf - inf: samples go there on purpose
@pytest.mark.parametrize("op, sample", ALL_SAMPLES)
def test_every_op_can_be_told_and_the_contributions_add_up_to_its_gradients(op, sample):
    floats = [x for x in sample.inputs if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    leaves = iter([Tensor(x, requires_grad=True) for x in floats])
    inputs = [next(leaves) if any(x is y for y in floats) else x for x in sample.inputs]
    result = apply(op, tuple(inputs), sample.options)
    explorer = tg.explain(result, np.ones(result.shape))
    json.dumps(explorer.story, allow_nan=False)
    assert len(str(explorer).splitlines()) == len(explorer.story["steps"]) + 5
    wanted = [x for x in inputs if isinstance(x, Tensor)]
    grads = tg.grad(result, wanted, np.ones(result.shape), allow_unused=True)
    told = [value for value in explorer.story["values"] if value["kind"] == "input"]
    for value, grad in zip(told, grads, strict=True):
        assert (value["grad"] is None) == (grad is None)
        if grad is not None and grad.size <= 64:
            np.testing.assert_array_equal(array_of(explorer.story, value["grad"]), grad.numpy())


def test_totals_are_summed_in_the_engines_order_bit_for_bit():
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=4).astype(np.float32), requires_grad=True)
    y = (x * x + x.exp() + x.relu() * 3 + x).sum()
    story = tg.explain(y).story
    y.backward()
    (value,) = [value for value in story["values"] if value["kind"] == "input"]
    np.testing.assert_array_equal(array_of(story, value["grad"]), x.grad.numpy())
    assert value["expected"] == 5
    messages = [step for step in steps_of(story, "return") if step["value"] == story["values"].index(value)]
    assert [step["missing"] for step in messages] == [4, 3, 2, 1, 0]
    for step in messages[1:]:
        total = array_of(story, step["before"]) + array_of(story, step["sent"])
        np.testing.assert_array_equal(array_of(story, step["after"]), total)


def test_no_op_goes_back_before_all_its_consumers_have_reported():
    tg.manual_seed(0)
    X, y = data.moons(8, seed=0)
    story = tg.explain(tg.cross_entropy(nn.MLP(2, [4, 4], 2)(X), y)).story
    missing = {i: value["expected"] for i, value in enumerate(story["values"])}
    for step in story["steps"]:
        if step["kind"] == "rule":
            assert missing[step["value"]] == 0
        elif step["kind"] == "return":
            missing[step["value"]] -= 1
            assert missing[step["value"]] == step["missing"]
    assert not any(missing.values())


def test_broadcasting_is_told_with_the_shape_before_the_sum():
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    b = Tensor(np.ones(2), requires_grad=True)
    told = steps_of(tg.explain((x + b).sum()).story, "return")
    assert [step["raw_shape"] for step in told] == [None, None, [3, 2]]


def test_explaining_leaves_no_trace():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = (x * x).sum()
    tg.explain(y)
    assert x.grad is None and y.op.received is None
    assert not any(arrow.gradient for arrow in tg.draw(y).picture.arrows)
    y.backward()
    np.testing.assert_array_equal(x.grad.numpy(), [2, 4])


def test_a_gradient_of_ones_own_is_where_it_starts():
    x = Tensor([1.0, 2.0], requires_grad=True)
    story = tg.explain(x * 3, [10.0, 1.0]).story
    np.testing.assert_array_equal(array_of(story, value_called(story, "x")["grad"]), [30, 3])


def test_hooks_replace_what_is_passed_on():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.register_hook(lambda grad: grad * 10)
    x.register_hook(lambda grad: grad + 1)
    explorer = tg.explain(y.sum())
    story = explorer.story
    np.testing.assert_array_equal(array_of(story, value_called(story, "x")["grad"]), [21, 21])
    assert [array_of(story, step["after"]).tolist() for step in steps_of(story, "hook")] == [[10, 10], [21, 21]]
    assert "A hook that was registered on y" in str(explorer)
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), [21, 21])


# ---------------------------------------------------------------------- rules


def rule_of(t, argument=0):
    return tg.explain(t).story["ops"][-1]["rules"][argument]


def test_the_rule_is_told_as_it_stands_and_with_the_numbers_in_it():
    x, w = Tensor(-3.0, requires_grad=True), Tensor(2.0, requires_grad=True)
    assert rule_of(x * w, 0) == {"text": "grad * y", "filled": "1 * 2"}
    assert rule_of(x * w, 1) == {"text": "grad * x", "filled": "1 * (-3)"}
    mask = {"text": "np.where(self.mask, 0, grad)", "filled": "np.where([F T], 0, [1 1])"}
    story = tg.explain(Tensor([1.0, -2.0], requires_grad=True).relu().sum()).story
    assert story["ops"][0]["rules"] == [mask]


def test_a_rule_with_branches_and_local_variables_tells_what_was_computed():
    x = Tensor(np.ones((3, 2)), requires_grad=True)
    w = Tensor(np.ones((4, 2)), requires_grad=True)
    first = tg.explain(tg.linear(x, w).sum()).story["ops"][0]
    assert [rule["text"] for rule in first["rules"]] == ["np.dot(grad, weight)", "np.dot(grads.T, rows)"]
    assert first["rules"][1]["filled"] == "np.dot(⟨3×4⟩.T, ⟨3×2⟩)"


def test_numbers_in_a_rule_are_those_that_the_page_shows_by_that_name():
    scores = Tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    assert rule_of(tg.cross_entropy(scores, [0, 1])) == {
        "text": "self.classes_back(each * (softmax - self.chosen))",
        "filled": "self.classes_back(0.5 * ([[0.8808 0.2689], [0.1192 0.7311]] - [[T F], [F T]]))",
    }

    @tg.register
    class Halved(tg.Op):
        """x / 2."""

        def forward(self, x):
            return x / 2

        def backward(self, grad):
            grad = grad / 2  # no more what came in
            return grad * 1

    try:
        assert rule_of(tg.halved(Tensor(1.0, requires_grad=True)))["filled"] == "grad * 1"
    finally:
        tg.unregister("halved")


def test_the_source_of_an_op_is_shown_as_it_stands_in_the_package():
    (op,) = tg.explain(Tensor(1.0, requires_grad=True).relu()).story["ops"]
    assert "self.mask = x <= 0" in op["forward"] and "np.where(self.mask, 0, grad)" in op["backward"]
    assert op["source"]["file"] == "tinygrad_relu/ops/activations.py" and op["source"]["number"] > 1
    assert op["formula"].startswith("max(x, 0), elementwise.")


def test_an_op_that_a_user_registers_is_explained_like_any_other():
    @tg.register
    class Trebled(tg.Op):
        """3 x, elementwise."""

        def forward(self, x):
            self.factor = 3
            return self.factor * x

        def backward(self, grad):
            return self.factor * grad

    try:
        story = tg.explain(tg.trebled(Tensor(2.0, requires_grad=True))).story
    finally:
        tg.unregister("trebled")
    (op,) = story["ops"]
    assert op["rules"] == [{"text": "self.factor * grad", "filled": "3 * 1"}]
    assert op["saved"] == [{"name": "factor", "text": "3"}] and op["formula"] == "3 x, elementwise."


def test_gradients_of_an_earlier_backward_are_nowhere_in_a_story():
    x, w = Tensor([1.0, -2.0]), nn.Parameter([[2.0, 1.0]], name="w")
    before = tg.explain(tg.linear(x, w).relu().sum()).story
    (w * 100).sum().backward()
    assert tg.explain(tg.linear(x, w).relu().sum()).story["values"] == before["values"]


def test_the_mask_tells_what_it_blocks_and_which_units_are_silent():
    x = Tensor([[1.0, -1.0, -2.0], [2.0, -3.0, 4.0]], requires_grad=True)
    (op, _) = tg.explain(x.relu().sum()).story["ops"]
    assert op["blocked"] == 0.5 and op["silent"] == [1]


# ---------------------------------------------------------------------- why the order matters


def test_both_orders_on_the_smallest_graph_where_they_differ():
    a = Tensor(2.0, requires_grad=True)
    b = a + a
    c = b + b
    with tg.no_grad():
        both = tg.explain(c).story["compare"]
    assert [visit["node"] for visit in both["naive"]["visits"]] == ["c", "b", "a", "a", "b", "a", "a"]
    assert [visit["node"] for visit in both["topological"]["visits"]] == ["c", "b", "a"]
    c.backward()
    assert both["topological"]["grad"] == both["right"] == a.grad.item()
    assert both["topological"]["visits"][0]["grads"] == {"c": 1, "b": 2, "a": None}
    # By hand: c passes 1 + 1 on to b. At its first visit b passes 2 + 2 on to a, and at its second again.
    assert [visit["grads"]["a"] for visit in both["naive"]["visits"]] == [None, 4, 4, 4, 8, 8, 8]


def test_page_lab_lesson_and_readme_say_the_same_of_recursion():
    found = tg.explain(Tensor(1.0, requires_grad=True) * 1).story["compare"]
    wrong, right = found["naive"]["grad"], found["right"]
    measured = tg.lab.run("order", steps=2, lengths=(5,), executor=tg.lab.Serial())
    assert (measured.slope_by_sums, measured.slope_in_order) == (wrong, right)
    assert measured.visits_by_sums == [visit["node"] for visit in found["naive"]["visits"]]
    assert measured.visits_in_order == [visit["node"] for visit in found["topological"]["visits"]]
    root = Path(__file__).parents[1]
    assert f"dc/da = {wrong} instead of {right};" in (root / "README.md").read_text()
    assert f"dc/da = {wrong}(맞는 값은 {right});" in (root / "README.ko.md").read_text()
    told = (root / "examples" / "lessons" / "3_order.ipynb").read_text()  # what its cells show
    assert f"dc/da = {wrong:.1f}" in told and f"dc/da = {right:.1f}" in told and f"say {wrong}?" in told


def test_paths_count_what_naive_recursion_would_visit():
    y = Tensor(1.0, requires_grad=True, name="x")
    for _ in range(100):
        y = y + y
    assert value_called(tg.explain(y).story, "x")["paths"] == str(2**100)


# ---------------------------------------------------------------------- text, files, notebooks


def test_as_text_it_spells_out_the_sum():
    a = Tensor(2.0, requires_grad=True)
    b = a + a
    text = str(tg.explain(b + b))
    assert "b.grad = 1 + 1 = 2" in text and "a.grad = 2 + 2 = 4" in text
    korean = str(tg.explain(b + b, language="ko"))
    assert "a.grad = 2 + 2 = 4" in korean and "기울기" in korean


def test_the_page_is_one_file_that_asks_for_nothing(tmp_path):
    path = tmp_path / "page.html"
    assert tg.explain(Tensor(1.0, requires_grad=True).relu()).save(path) == str(path)
    page = path.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "default-src 'none'" in page
    assert "src=" not in page.replace("default-src", "").replace("script-src", "").replace("img-src", "")
    assert not any(word in page for word in ("@import", "<link", "fetch(", "XMLHttpRequest"))


def test_a_notebook_gets_a_frame_of_its_own():
    bundle = tg.explain(Tensor(1.0, requires_grad=True).relu())._repr_mimebundle_()
    assert bundle["text/html"].startswith('<iframe sandbox="allow-scripts allow-popups"')
    assert bundle["text/plain"].startswith("<Explorer")


def test_the_page_of_a_network_stays_below_a_megabyte():
    rng = np.random.default_rng(0)
    loss = tg.cross_entropy(nn.MLP(64, [64, 32], 10)(rng.normal(size=(32, 64))), rng.integers(10, size=32))
    assert len(tg.explain(loss).html.encode()) < 1_000_000


def test_languages_have_the_same_texts():
    english, korean = languages()["en"], languages()["ko"]
    assert english.keys() == korean.keys() and all(english.values()) and all(korean.values())


# ---------------------------------------------------------------------- bad input


def test_what_cannot_be_explained_is_refused_with_advice(tmp_path):
    x = Tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="explain: a gradient can be left out only for a scalar"):
        tg.explain(x * 2)
    with pytest.raises(RuntimeError, match="explain: this tensor does not require a gradient"):
        tg.explain(Tensor(1.0))
    y = (x * 2).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="explain: the graph of this tensor was freed"):
        tg.explain(y)
    with pytest.raises(TypeError, match="explain: expected a Tensor"):
        tg.explain(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="no language 'fr'; there are en, ko"):
        tg.explain((x * 2).sum(), language="fr")
    explorer = tg.explain((x * 2).sum())
    with pytest.raises(ValueError, match=r"ends in \.html"):
        explorer.save(tmp_path / "page.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        explorer.save(tmp_path / "file" / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_too_many_ops_are_refused_before_anything_is_computed():
    x = Tensor(0.0, requires_grad=True)
    for _ in range(400):
        x = x + 1.0
    with pytest.raises(ValueError, match=r"400 ops with 800 arguments are too many.*tg\.draw"):
        tg.explain(x)


def test_a_leaf_has_a_story_too():
    story = tg.explain(Tensor(1.0, requires_grad=True)).story
    assert [step["kind"] for step in story["steps"]] == ["start", "seed", "end"]


def test_nan_infinity_and_empty_arrays_are_told():
    x = Tensor([float("nan"), float("inf"), -1.0], requires_grad=True)
    story = tg.explain((x * x).sum()).story
    assert json.loads(json.dumps(story, allow_nan=False)) == story
    np.testing.assert_array_equal(array_of(story, value_called(story, "x")["grad"]), [np.nan, np.inf, -2])
    empty = tg.explain(Tensor(np.zeros((0, 3)), requires_grad=True).sum()).story
    assert array_of(empty, value_called(empty, "input")["grad"]).shape == (0, 3)
    large = Tensor(np.full(100, np.nan), requires_grad=True)
    story = tg.explain(large.sum()).story
    assert story["arrays"][value_called(story, "large")["array"]]["nonfinite"] == 100


def test_a_name_cannot_break_out_of_the_page():
    x = Tensor(1.0, requires_grad=True, name='</script><script>alert(1)</script> {value} $& " \n')
    page = tg.explain(x.relu()).html
    assert "<script>alert" not in page


def test_only_this_pass_is_told_not_one_before():
    m = Tensor(2.0, requires_grad=True)

    @tg.register
    class Deaf(tg.Op):
        def forward(self, x, y):
            return x + y

        def backward(self, grad):
            return None, grad

    try:
        inner = m * 3
        inner.backward(100.0, retain_graph=True)
        story = tg.explain(tg.deaf(inner, Tensor(1.0, requires_grad=True))).story
    finally:
        tg.unregister("deaf")
    assert value_called(story, "m")["grad"] is None and value_called(story, "inner")["grad"] is None


def explained_rule(backward, forward=lambda self, x: x * 8):
    """The rule that is told of an op with this backward, at gradient 1."""
    tg.register(type("Odd", (tg.Op,), {"forward": forward, "backward": backward}))
    try:
        return tg.explain(tg.odd(Tensor(2.0, requires_grad=True))).story["ops"][0]["rules"][0]
    finally:
        tg.unregister("odd")


def _changes_twice(self, grad):
    g = grad * 2
    g = g * 2
    return g


def _two_returns(self, grad):
    p = q = self is None
    if p: return grad * 3  # fmt: skip # noqa: E701
    if not q: return grad * 5  # fmt: skip # noqa: E701


def _sums(self, grad):
    return sum(grad * i for i in range(3))


def test_a_rule_is_told_only_if_it_gives_what_was_sent():
    assert explained_rule(_changes_twice) is None
    assert explained_rule(_two_returns) in (None, {"text": "grad * 5", "filled": "1 * 5"})
    assert explained_rule(_sums) is None or "sum" in explained_rule(_sums)["text"]


def test_a_rule_that_can_run_only_once_is_not_told_but_breaks_nothing():
    def forward(self, x):
        self.cache = [3.0]
        return x * 3

    def backward(self, grad):
        return grad * self.cache.pop()

    assert explained_rule(backward, forward) is None


def test_saved_things_of_any_kind_are_told():
    def forward(self, x):
        self.spectrum = np.fft.fft(np.ones(2))
        self.words, self.things = np.array(["a"]), {"k": object()}
        return x * 1

    def backward(self, grad):
        return grad

    assert explained_rule(backward, forward) == {"text": "grad", "filled": "1"}


def test_the_largest_numbers_of_float64_stay_json():
    x = Tensor(np.full(100, 1e308), requires_grad=True)
    json.dumps(tg.explain((x * 1e-300).sum()).story, allow_nan=False)
    big = Tensor(1.0, dtype=np.float64, requires_grad=True) * np.array(2**53 + 1)
    assert "9007199254740993" in json.dumps(tg.explain(big).story)
