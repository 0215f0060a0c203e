"""The drawing: what each box and arrow says, what is folded, and which input is refused."""

import html
import re

import numpy as np
import pytest
from graphviz import Digraph

import tinygrad_relu as tg
from tinygrad_relu import Tensor, data, nn
from tinygrad_relu.draw.mermaid import mermaid
from tinygrad_relu.draw.page import page


def boxes(drawing):
    return {box.id: box for box in drawing.picture.boxes}


def box_called(drawing, title):
    (found,) = [box for box in drawing.picture.boxes if box.lines[0] == title]
    return found


def arrows_into(drawing, title):
    head = box_called(drawing, title).id
    return [arrow for arrow in drawing.picture.arrows if arrow.head == head]


def moons_network(hidden=4):
    tg.manual_seed(0)
    X, y = data.moons(16, noise=0.1, seed=0)
    model = nn.MLP(2, [hidden], 2)
    loss = tg.cross_entropy(model(X), y)
    loss.backward(retain_graph=True)
    return model, loss


# ---------------------------------------------------------------------- boxes


def test_a_tensor_says_name_shape_dtype_value_and_that_its_gradient_is_not_computed_yet():
    x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    y = x.relu()
    assert box_called(tg.draw(y), "x").lines == ["x", "(2,) float32", "[1 -2]", "grad not computed"]
    y.sum().backward(retain_graph=True)
    assert box_called(tg.draw(y), "x").lines[-1] == "grad [1 0]"


def test_a_gradient_that_is_zero_is_not_the_same_as_none():
    x = Tensor([-1.0], requires_grad=True, name="x")
    y = x.relu().sum()
    y.backward(retain_graph=True)
    assert box_called(tg.draw(y), "x").lines[-1] == "grad [0]"


def test_a_gradient_of_an_earlier_backward_is_called_so_in_every_format():
    w, x = nn.Parameter([2.0], name="w"), Tensor([3.0], name="x")
    (w * x).sum().backward()
    drawing = tg.draw(w * x)
    assert box_called(drawing, "w").lines[-2:] == ["grad from an earlier backward()", "[3]"]
    assert "grad from an earlier backward():\n[3.]" in box_called(drawing, "w").tooltip
    assert [box.lines[-1] for box in drawing.picture.boxes if box.kind == "output"] == ["grad not computed"]
    for text in (drawing.source, drawing.svg(), drawing._own_svg(), mermaid(drawing.picture)):
        assert "grad from an earlier backward()" in html.unescape(text)
    w.grad = None
    assert box_called(tg.draw(w * x), "w").lines[-1] == "grad not computed"


def test_a_gradient_that_more_than_this_backward_has_made_stands_beside_what_flowed_here():
    w = Tensor([2.0], requires_grad=True, name="w")
    (w * 3).sum().backward()
    loss = (w * 5).sum()
    loss.backward(retain_graph=True)
    assert box_called(tg.draw(loss), "w").lines[-2:] == ["grad [8]", "last backward() [5]"]
    w.grad = None
    assert box_called(tg.draw(loss), "w").lines[-1] == "grad [5]"  # it did flow here, as the arrow says too
    loss.backward(retain_graph=True)
    w.grad *= 0.5  # as clipping does
    assert box_called(tg.draw(loss), "w").lines[-2:] == ["grad [2.5]", "last backward() [5]"]


def test_what_many_uses_add_up_to_is_the_gradient_though_rounding_differs():
    rng = np.random.default_rng(0)
    w = Tensor(rng.normal(size=50), requires_grad=True, name="w", dtype=np.float32)
    loss = sum((w * rng.normal(size=50).astype(np.float32) * 10.0**k).sum() for k in range(-4, 4))
    loss.backward(retain_graph=True)
    assert [line.split()[0] for line in box_called(tg.draw(loss), "w").lines if "min" in line] == ["min", "grad"]


def test_a_pass_that_is_recorded_itself_is_shown_and_no_earlier_one():
    x = Tensor([3.0], requires_grad=True, name="x")
    y = (x * x).sum()
    y.backward(create_graph=True)
    assert box_called(tg.draw(y), "x").lines[-1] == "grad [6]"
    assert [arrow.gradient for arrow in arrows_into(tg.draw(y), "multiply")] == ["|g| 3", "|g| 3"]


def test_a_folded_box_tells_gradients_of_an_earlier_backward_apart():
    model, X = nn.MLP(2, [4], 2), np.ones((3, 2))
    loss = model(X).sum()
    loss.backward(retain_graph=True)
    (fold,) = [box for box in tg.draw(loss, depth=0).picture.boxes if box.kind == "fold"]
    assert re.search(r"\ntheir \|g\| \S+ … \S+$", "\n".join(fold.lines), re.MULTILINE)
    (fold,) = [box for box in tg.draw(model, X, depth=0).picture.boxes if box.kind == "fold"]
    earlier = fold.lines.index("their |g| from an earlier backward()")
    assert " … " in fold.lines[earlier + 1] and "their |g| " not in " ".join(fold.lines[:earlier])


def test_up_to_8_elements_are_shown_and_above_that_min_mean_max():
    assert "[0 1 2 3 4 5 6 7]" in boxes(tg.draw(Tensor(np.arange(8.0), requires_grad=True) * 1))["t0"].lines
    nine = boxes(tg.draw(Tensor(np.arange(9.0), requires_grad=True) * 1))["t0"]
    assert "min 0  mean 4  max 8" in nine.lines and "7., 8." in nine.tooltip


def test_an_op_says_its_options_and_the_share_of_the_mask_that_is_blocked():
    x = Tensor([1.0, -2.0, 3.0, -4.0, -5.0], requires_grad=True)
    assert box_called(tg.draw(x.relu()), "relu").lines == ["relu", "mask 60 % blocked"]
    assert "negative_slope=0.2" in box_called(tg.draw(x.leaky_relu(0.2)), "leaky_relu").lines
    assert "axis=0" in box_called(tg.draw(x.sum(axis=0)), "sum").lines
    assert "blocked" not in " ".join(box_called(tg.draw(x.elu()), "elu").lines)  # its gradient is not stopped


def test_parameters_inputs_constants_results_and_outputs_are_told_apart():
    w = nn.Parameter([1.0, 2.0], name="w")
    x = Tensor([1.0, 2.0], name="x")
    kinds = {box.lines[0]: box.kind for box in tg.draw((w * x + 3).sum()).picture.boxes}
    assert kinds["w"] == "parameter" and kinds["x"] == "input"
    assert set(kinds.values()) == {"parameter", "input", "constant", "result", "output", "op"}


def test_names_come_from_the_parameters_and_from_the_variables_of_the_program():
    model = nn.Sequential(nn.Linear(2, 1))
    x = Tensor(np.ones((3, 2)))
    scores = model(x)
    titles = {box.lines[0] for box in tg.draw(scores.sum()).picture.boxes}
    assert {"x", "0.weight", "0.bias", "scores", "sum"} <= titles


def test_a_silent_unit_is_marked_and_not_called_dead_for_one_batch():
    layer = nn.Linear(1, 2)
    layer.weight.data[:] = [[1.0], [-1.0]]
    layer.bias.data[:] = 0
    drawing = tg.draw(nn.Sequential(layer, nn.ReLU()), np.array([[1.0], [2.0]]))
    relu = box_called(drawing, "relu")
    assert "silent" in relu.marks and "1 of 2 units silent on these 2 rows" in relu.lines
    assert relu.tooltip.splitlines()[-1].startswith("units that are silent on these 2 rows, and learn nothing")
    assert "dead" not in drawing.svg() + drawing.source + mermaid(drawing.picture) + page(drawing.picture, "")
    folded = tg.draw(nn.Sequential(layer, nn.ReLU()), np.array([[1.0], [2.0], [3.0]]), depth=0)
    (fold,) = [box for box in folded.picture.boxes if box.kind == "fold"]
    assert "1 unit silent on these 3 rows" in fold.lines and "silent" in fold.marks


def test_a_tooltip_has_the_users_line_and_is_a_link_to_it():
    x = Tensor([1.0], requires_grad=True)
    y = x.exp()  # this line
    box = box_called(tg.draw(y), "exp")
    number = int(re.search(r"#L(\d+)$", box.link)[1])
    with open(__file__) as file:
        assert "y = x.exp()  # this line" in file.readlines()[number - 1]
    assert "y = x.exp()  # this line" in box.tooltip and f"test_draw.py:{number}" in box.tooltip


# ---------------------------------------------------------------------- arrows


def test_x_plus_x_has_two_arrows_and_order_is_named_only_where_it_matters():
    x = Tensor(2.0, requires_grad=True, name="x")
    assert [arrow.label for arrow in arrows_into(tg.draw(x + x), "add")] == ["", ""]
    assert [arrow.label for arrow in arrows_into(tg.draw(x - x), "subtract")] == ["x", "y"]
    assert tg.draw(x + x).source.count("\n\tt0 -> op0 ") == 2


def test_each_arrow_has_the_size_of_the_gradient_that_flowed_back_along_it():
    x = Tensor([30.0, 40.0], requires_grad=True, name="x")
    w = Tensor([1.0, 0.0], requires_grad=True, name="w")
    y = (x * w).sum()
    assert all(not arrow.gradient and arrow.level is None for arrow in tg.draw(y).picture.arrows)
    y.backward(retain_graph=True)
    to_x, to_w = arrows_into(tg.draw(y), "multiply")
    assert (to_x.gradient, to_w.gradient) == ("|g| 1", "|g| 50")  # norms of w = (1, 0) and x = (30, 40)
    assert to_x.level < to_w.level


def test_what_two_arrows_carry_adds_up_to_the_gradient_of_the_box():
    x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    y = (x + x.relu()).sum()
    y.backward(retain_graph=True)
    drawing = tg.draw(y)
    sizes = [arrow.gradient for arrow in drawing.picture.arrows if arrow.tail == box_called(drawing, "x").id]
    assert sorted(sizes) == ["|g| 1", "|g| 1.414"]
    assert box_called(drawing, "x").lines[-1] == "grad [2 1]"


# ---------------------------------------------------------------------- modules


def test_modules_are_nested_frames_and_inputs_stand_outside():
    _, loss = moons_network()
    drawing = tg.draw(loss)
    frames = {cluster.id: cluster for cluster in drawing.picture.clusters}
    relu = box_called(drawing, "relu")
    assert frames[relu.cluster].label == "1: ReLU"
    assert frames[frames[relu.cluster].parent].label == "MLP"
    assert frames[box_called(drawing, "0.weight").cluster].label == "0: Linear"
    assert box_called(drawing, "X").cluster == box_called(drawing, "loss").cluster == ""


def test_a_module_that_is_called_twice_has_two_frames_and_one_box_for_its_weight():
    layer = nn.Linear(2, 2, bias=False)
    drawing = tg.draw(layer(layer(Tensor(np.ones((1, 2))))))
    assert [cluster.label for cluster in drawing.picture.clusters] == ["Linear", "Linear"]
    weight = box_called(drawing, "weight")
    assert weight.cluster == "" and sum(arrow.tail == weight.id for arrow in drawing.picture.arrows) == 2


def test_depth_folds_modules_and_keeps_what_goes_in_and_out():
    model, loss = moons_network()
    folded = tg.draw(loss, depth=0)
    (fold,) = [box for box in folded.picture.boxes if box.kind == "fold"]
    assert fold.lines[0] == "MLP" and f"{sum(p.size for p in model.parameters())} parameters" in fold.lines
    assert {box.kind for box in folded.picture.boxes} == {"input", "fold", "result", "constant", "op", "output"}
    assert [arrow.gradient for arrow in folded.picture.arrows if arrow.head == fold.id] == [""]
    one = tg.draw(loss, depth=1)
    assert [box.lines[0] for box in one.picture.boxes if box.kind == "fold"] == ["0: Linear", "1: ReLU", "2: Linear"]


def test_repeated_blocks_become_one_with_a_count():
    model = nn.MLP(8, [8] * 6, 8)
    drawing = tg.draw(model, np.ones((2, 8)), depth=1)
    assert any(box.lines[0] == "6 x (Linear, ReLU)" for box in drawing.picture.boxes)


# ---------------------------------------------------------------------- large graphs


def test_a_chain_beyond_the_limit_folds_by_itself_and_says_so():
    x = Tensor(0.0, requires_grad=True)
    for _ in range(10_000):
        x = x + 1.0
    drawing = tg.draw(x)
    assert len(drawing.picture.boxes) < 300
    assert "10,000" in drawing.picture.notes[0] and "limit=None" in drawing.picture.notes[0]
    assert "10,000" in repr(drawing)
    assert len(tg.draw(x, limit=None).picture.boxes) > 20_000  # without recursion


def test_a_large_graph_without_any_pattern_folds_too():
    rng = np.random.default_rng(0)
    values = [Tensor(1.0, requires_grad=True)]
    ops = [tg.add, tg.multiply, tg.subtract, tg.maximum]
    for _ in range(2_000):
        a, b = rng.integers(len(values), size=2)
        values.append(ops[rng.integers(4)](values[a], values[b]))
    total = values[-1]
    for value in values[-50:]:
        total = total + value
    drawing = tg.draw(total)
    places = {box.id: i for i, box in enumerate(drawing.picture.boxes)}
    assert drawing.picture.notes
    assert all(places[arrow.tail] < places[arrow.head] for arrow in drawing.picture.arrows)  # no circle


def test_a_ladder_is_drawn_once_for_each_node():
    x = Tensor(0.0, requires_grad=True)
    for _ in range(60):
        x = x + x  # 2 ** 60 ways lead back
    assert len(tg.draw(x, limit=None).picture.arrows) == 180


# ---------------------------------------------------------------------- bad input


@pytest.mark.parametrize("name", ['say "x"', "a\\nb", "<b>x</b>", "zwei\nZeilen", "기울기", "{a|b}", "\x00\x1b"])
def test_odd_names_stay_within_their_label(name):
    x = Tensor([1.0], requires_grad=True, name=name)
    drawing = tg.draw(x * 2)
    assert drawing.picture.boxes[0].lines[0] == name
    assert Digraph(body=drawing.body).source and drawing.svg().count("<svg") == 1


def test_nan_and_infinity_are_shown():
    x = Tensor([float("nan"), float("inf"), -float("inf")], requires_grad=True)
    y = (x * 1).sum()
    y.backward([float("nan")][0], retain_graph=True)
    drawing = tg.draw(y)
    assert "[nan inf -inf]" in drawing.picture.boxes[0].lines
    assert {arrow.gradient for arrow in drawing.picture.arrows} >= {"|g| nan"}
    big = tg.draw(Tensor(np.full(20, np.inf), requires_grad=True) * 1)
    assert "min inf  mean inf  max inf" in big.picture.boxes[0].lines


def test_a_freed_graph_and_what_is_no_tensor_are_refused_with_advice():
    x = Tensor([1.0], requires_grad=True)
    y = x.exp().sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"draw: .*freed.*retain_graph=True"):
        tg.draw(y)
    with pytest.raises(TypeError, match="draw: expected a Tensor, got ndarray"):
        tg.draw(np.ones(3))
    with pytest.raises(TypeError, match="give its input too"):
        tg.draw(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="direction"):
        tg.draw(x, direction="up")
    with pytest.raises(ValueError, match="depth"):
        tg.draw(x, depth=-1)


def test_a_tensor_without_a_graph_is_one_box():
    drawing = tg.draw(Tensor([1.0]))
    assert [box.kind for box in drawing.picture.boxes] == ["input"] and not drawing.picture.arrows


def test_drawing_a_module_changes_nothing_in_it():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
    before = model.state_dict()
    tg.draw(model, np.random.default_rng(0).normal(size=(4, 2)))
    assert model.training and all(np.array_equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_relu_on_one_number_is_blocked_or_not():
    x = Tensor(-1.0, requires_grad=True)
    assert box_called(tg.draw(x.relu()), "relu").lines == ["relu", "mask 100 % blocked"]


def test_a_vanishing_gradient_is_seen_on_arrows_folds_and_in_the_summary():
    tg.manual_seed(0)
    model = nn.MLP(4, [4] * 6, 2, activation="sigmoid")
    tg.cross_entropy(model(np.ones((3, 4))), [0, 1, 0]).backward()
    sizes = [layer.gradient for layer in tg.summary(model, np.ones((3, 4))).layers if layer.gradient is not None]
    assert sizes == sorted(sizes) and sizes[0] < 1e-3 * sizes[-1]
    (fold,) = [box for box in tg.draw(model, np.ones((3, 4)), depth=0).picture.boxes if box.kind == "fold"]
    low, high = re.search(r"their \|g\| from an earlier backward\(\) (\S+) … (\S+)", " ".join(fold.lines)).groups()
    assert float(low) < 1e-3 * float(high)
    assert "|grad|" in repr(tg.summary(model, np.ones((3, 4))))


# ---------------------------------------------------------------------- summary


def test_summary_counts_what_is_there():
    model = nn.MLP(2, [4], 3, dropout=0.5)
    model[0].bias.requires_grad = False
    table = tg.summary(model, np.ones((5, 2)))
    assert [layer.output_shape for layer in table.layers] == [(5, 4), (5, 4), (5, 4), (5, 3)]
    assert [layer.parameters for layer in table.layers] == [12, 0, 0, 15]
    assert (table.parameters, table.learned) == (27, 23)
    assert "4 of them frozen" in repr(table)


SEVERAL = re.compile(r"(?<![\d.,])1 (?!is|was|has)[a-z ]*(boxes|\w\ws)\b")


def test_one_is_no_plural():
    x = Tensor(1.0, requires_grad=True)
    for _ in range(400):
        x = -x
    drawing = tg.draw(x)
    assert drawing.picture.notes == ["400 ops in 1 box: more cannot be read. limit=None draws them all."]
    one = nn.Linear(1, 1, bias=False)
    one.weight.data[:] = -1
    model, X = nn.Sequential(one, nn.ReLU()), np.ones((2, 1))
    small = [tg.draw(model, X, depth=depth) for depth in (0, 1)] + [tg.draw(one, X, depth=0)]
    told = [text for each in (drawing, *small) for text in (each.source, each.svg(), each._own_svg(), repr(each))]
    told += [each.picture.description for each in (drawing, *small)]
    told += [repr(tg.summary(model, X)), repr(tg.dead_units(model, X[:1])), repr(tg.explain(Tensor(1.0, True) * 2))]
    labels = [re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL) for text in told]
    assert not [found[0] for found in map(SEVERAL.search, labels) if found]
    assert "1 unit silent on these 2 rows" in told[4] and "1 parameter\\n" in told[4]
    assert "1 parameter" in repr(tg.summary(model, X)).splitlines()[-1]


def test_summary_and_dead_units_agree():
    model, _ = moons_network(hidden=32)
    model[0].bias.data[:8] = -100
    X, _ = data.moons(64, seed=1)
    (counted,) = [layer.silent for layer in tg.summary(model, X).layers if layer.silent is not None]
    assert counted == tg.dead_units(model, X).layers[0].dead and len(counted) >= 8


def test_a_few_ops_go_to_the_right_and_networks_down():
    x = Tensor([1.0], requires_grad=True)
    assert tg.draw(x * 2 + 1).picture.direction == "LR"
    assert tg.draw(nn.Linear(1, 1), x).picture.direction == "TB"
    assert tg.draw(x * 2, direction="TB").picture.direction == "TB"


def test_what_cannot_be_written_out_does_not_stop_the_drawing():
    class Odd:
        def __repr__(self):
            raise ZeroDivisionError

    class Module(nn.Module):
        def extra_repr(self):
            raise ZeroDivisionError

        def forward(self, x):
            return x * 2

    assert tg.draw(Module()(Tensor(1.0, requires_grad=True))).picture.clusters[0].label == "Module"
    y = Tensor(1.0, requires_grad=True).relu()
    y.op.options = {"odd": Odd()}
    assert tg.draw(y).source


def test_very_large_and_very_small_gradients_have_a_level():
    x = Tensor([1e160, 1e-160], dtype=np.float64, requires_grad=True)
    y = (x * Tensor([1e-170, 1e170], dtype=np.float64)).sum() * 1e-5
    y.backward(retain_graph=True)
    levels = {arrow.level for arrow in tg.draw(y).picture.arrows if arrow.gradient}
    assert levels <= set(range(5)) and "|g| inf" not in tg.draw(y).source


def test_an_op_with_a_thousand_inputs_shows_some_of_them():
    parts = [Tensor([float(i)], requires_grad=True) for i in range(1_000)]
    drawing = tg.draw(tg.concatenate(parts))
    assert len(drawing.picture.boxes) < 30
    assert any("988 more inputs" in box.lines for box in drawing.picture.boxes)


def test_a_parameter_that_has_changed_since_is_named_in_a_note():
    w = nn.Parameter([2.0], name="w")
    y = w * 3
    assert not tg.draw(y).picture.notes
    with tg.no_grad():
        w -= 1
    assert tg.draw(y).picture.notes == ["changed after the results were computed: w"]


def test_summary_knows_nothing_of_silent_units_from_one_row():
    (relu,) = [layer for layer in tg.summary(nn.MLP(2, [3], 1), np.ones((1, 2))).layers if layer.layer == "ReLU()"]
    assert relu.silent is None


def test_summary_counts_the_networks_own_parameters():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.inner = nn.Parameter([1.0] * 4), nn.Linear(2, 2)

        def forward(self, x):
            return self.inner(x) * self.scale.sum()

    table = tg.summary(Scaled(), np.ones((2, 2)))
    assert sum(layer.parameters for layer in table.layers) == table.parameters == 10
