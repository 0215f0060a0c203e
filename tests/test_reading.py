"""The record as it is read: the order of the program, names, lines, modules, and what flowed back."""

import gc
import threading
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn
from tinygrad_relu.record.reading import read


def lines_of(reading):
    return [step.line.text for step in reading.steps]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter([2.0])

    def forward(self, x):
        h = self.first(x)
        return np.tanh(h) * self.scale


# ---------------------------------------------------------------------- order and lines


def test_steps_stand_in_the_order_of_the_program():
    x = Tensor(2.0, requires_grad=True)
    late = x.exp()
    early = x.sin()
    reading = read(early * late, "draw")
    assert [step.op.name for step in reading.steps] == ["exp", "sin", "multiply"]


def test_each_step_knows_the_line_that_made_it_however_it_was_called():
    x = Tensor([1.0, 2.0], requires_grad=True)
    a = x * 2  # operator
    b = 2 * a  # reflected
    c = np.exp(b)  # NumPy's function
    d = c.relu()  # method
    e = tg.sum(d)  # function
    words = [text.partition("# ")[2] for text in lines_of(read(e, "draw"))]
    assert words == ["operator", "reflected", "NumPy's function", "method", "function"]


def test_what_a_built_in_module_computes_belongs_to_the_line_that_called_it():
    model = nn.MLP(2, [4], 1)
    out = model(Tensor(np.ones((1, 2))))  # the call
    reading = read(out, "draw")
    assert len(reading.steps) == 3 and set(lines_of(reading)) == {"out = model(Tensor(np.ones((1, 2))))  # the call"}


def test_in_a_module_of_ones_own_the_lines_of_its_forward_are_named():
    reading = read(Net()(np.ones((1, 2))), "draw")
    assert lines_of(reading) == ["h = self.first(x)"] + ["return np.tanh(h) * self.scale"] * 2


def test_the_line_is_told_by_the_op_too():
    y = Tensor(1.0, requires_grad=True).exp()
    file, number = y.op.line.rsplit(":", 1)
    assert file == __file__ and int(number) > 0


# ---------------------------------------------------------------------- names


def test_values_are_called_as_the_variables_they_are_assigned_to_and_taken_from():
    a = Tensor(2.0, requires_grad=True)
    w = np.array([1.0, 2.0])
    b = a + a
    c = (b * w).relu()
    total = c.sum()
    names = {value.name for value in read(total, "draw").values}
    assert names == {"a", "b", "w", "c", "total", None}  # b * w has no name


def leaf_names(t):
    return [value.name for value in read(t, "draw").values if value.maker is None and value.requires_grad]


def test_a_leaf_is_called_by_the_variable_that_holds_it_not_by_one_that_was_bound_anew():
    z = Tensor([1.0, 2.0], requires_grad=True)
    s = z
    s = s * 2
    assert leaf_names(s) == ["z"]
    q = Tensor(1.0, requires_grad=True)
    y = q * z
    q = 3  # now q is no tensor at all
    assert leaf_names(y) == [None, "z"]
    r, alias = Tensor(1.0, requires_grad=True), z
    del z
    assert leaf_names(r * alias) == ["r", "alias"]
    del alias
    assert leaf_names(y) == [None, None]


def doubled(v):
    return v * 2


def doubled_in_a_variable_bound_anew(v):
    v = v * 2
    return v


def sum_of_three():
    total = 0
    for i in range(3):
        w = Tensor(float(i), requires_grad=True)
        total = total + w * w
    return total


def a_leaf_of_its_own():
    scale = Tensor(3.0, requires_grad=True)
    return scale * 2


def one_of_three():
    for i in range(3):
        w = Tensor(float(i), requires_grad=True)
        if not i:
            first = w * 2
    return first


def test_an_argument_of_a_function_is_a_name_only_where_it_is_the_only_one():
    x = Tensor(1.0, requires_grad=True)
    assert leaf_names(doubled(x)) == ["x"]
    assert leaf_names(doubled(Tensor(1.0, requires_grad=True))) == ["v"]
    assert leaf_names(a_leaf_of_its_own()) == ["scale"]
    assert leaf_names(doubled_in_a_variable_bound_anew(Tensor(1.0, requires_grad=True))) == [None]
    both = doubled(Tensor(1.0, requires_grad=True)) + doubled(Tensor(2.0, requires_grad=True))
    assert leaf_names(both) == [None, None]
    v = Tensor(3.0, requires_grad=True)
    assert leaf_names(doubled(Tensor(1.0, requires_grad=True)) + v) == [None, "v"]


def test_the_variable_of_a_loop_names_only_what_it_holds_now():
    ws = [Tensor(float(i), requires_grad=True) for i in range(2)]
    assert leaf_names(sum([w * 2 for w in ws])) == [None, None]
    total = 0
    for w in ws:
        total = total + w * w
    assert leaf_names(total) == [None, "w"]
    assert leaf_names(sum_of_three()) == [None] * 3
    assert leaf_names(one_of_three()) == [None]


def test_variables_of_the_module_are_known_in_its_functions():
    assert leaf_names(GLOBAL * 2) == ["GLOBAL"]


GLOBAL = Tensor(1.0, requires_grad=True)


def test_an_attribute_is_not_called_as_a_variable():
    class Cache:
        pass

    cache, h = Cache(), Tensor(1.0, requires_grad=True)
    cache.h = h * 2
    y = cache.h * h
    assert [value.name for value in read(y, "draw").values] == ["h", None, "cache.h", "y"]


def test_a_constant_that_was_filled_anew_has_lost_its_name():
    x, filled, kept, listed = Tensor([1.0], requires_grad=True), np.array([2.0]), np.array([3.0]), [4.0]
    y = x * filled * kept * listed
    filled[:] = 9
    names = [value.name for value in read(y, "draw").values if value.kind == "constant"]
    assert names == [None, "kept", "listed"]


def test_the_tensor_that_a_module_makes_of_an_array_is_called_as_the_array():
    model, X = nn.Linear(2, 1), np.ones((3, 2))
    y = model(X) + model(X)
    inputs = [value for value in read(y, "draw").values if value.kind == "input"]
    assert [value.name for value in inputs] == ["X", "X"] and inputs[0].tensor is not inputs[1].tensor
    X = X * 2
    assert [value.name for value in read(y, "draw").values if value.kind == "input"] == [None, None]


def test_what_a_notebook_calls_its_results_is_no_name():
    shown = [Tensor(1.0, requires_grad=True)]
    _ = _1 = shown[0]
    assert leaf_names(shown[0] * 2) == [None]


def test_a_name_of_ones_own_wins():
    x = Tensor(1.0, requires_grad=True, name="mine")
    y = x * 2
    assert read(y, "draw").values[0].name == "mine"


def test_only_the_last_op_of_an_expression_takes_the_name():
    x = Tensor([1.0], requires_grad=True)
    y = (x * 2 + 1).exp()
    assert [step.result.name for step in read(y, "draw").steps] == [None, None, "y"]


def test_code_without_a_source_has_no_names_but_breaks_nothing():
    scope = {"x": Tensor(1.0, requires_grad=True)}
    exec(compile("y = x * 2", "<nowhere>", "exec"), scope)
    (step,) = read(scope["y"], "draw").steps
    assert step.line.text == "" and step.line.url == "" and step.result.name is None


# ---------------------------------------------------------------------- modules


def test_module_calls_are_nested_and_named():
    reading = read(Net()(np.ones((1, 2))), "draw")
    assert [[call.label for call in step.calls] for step in reading.steps] == [
        ["Net", "first: Linear"],
        ["Net"],
        ["Net"],
    ]


def test_two_calls_of_one_module_are_two():
    layer = nn.Linear(2, 2)
    first, second = read(layer(layer(np.ones((1, 2)))), "draw").steps
    assert first.calls[0] is not second.calls[0] and first.calls[0].module is second.calls[0].module


def test_after_an_error_in_forward_nothing_is_inside_a_module():
    class Broken(nn.Module):
        def forward(self, x):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Broken()(1)
    (step,) = read(Tensor(1.0, requires_grad=True) * 2, "draw").steps
    assert step.calls == ()


def test_each_thread_is_in_modules_of_its_own():
    found = []

    class Waits(nn.Module):
        def forward(self, x):
            worker = threading.Thread(target=lambda: found.append(Tensor(1.0, requires_grad=True) * 2))
            worker.start()
            worker.join()
            return x * 2

    y = Waits()(Tensor(1.0, requires_grad=True))
    assert [step.calls for step in read(found[0], "draw").steps] == [()]
    assert len(read(y, "draw").steps[0].calls) == 1


# ---------------------------------------------------------------------- what flowed back


def test_a_retained_pass_leaves_what_each_op_got_and_sent():
    x = Tensor([3.0, 4.0], requires_grad=True)
    b = Tensor(1.0, requires_grad=True)
    y = (x * x + b).sum()
    y.backward(retain_graph=True)
    times, plus, _ = read(y, "draw").steps
    np.testing.assert_array_equal(times.sent(0) + times.sent(1), x.grad.numpy())
    np.testing.assert_array_equal(plus.sent(1), b.grad.numpy())  # the sum over what broadcasting repeated
    assert plus.op.sent[1].shape == (2,)


def test_without_retain_graph_nothing_is_kept():
    x = Tensor([3.0], requires_grad=True)
    y = x * 2
    op = y.op
    y.backward()
    assert op.received is None and op.sent == ()


def test_a_pass_that_is_recorded_itself_leaves_arrays_and_no_circle():
    x = Tensor([3.0], requires_grad=True)
    y = x * x
    tg.grad(y, x, create_graph=True)
    op = y.op
    assert op.sent[0] + op.sent[1] == 6 and op.received == 1
    assert not any(isinstance(each, Tensor) for each in (op.received, *op.sent))
    gone = weakref.ref(op)
    gc.collect()
    gc.disable()
    try:
        del y, op
        assert gone() is None
    finally:
        gc.enable()


# ---------------------------------------------------------------------- refused


def test_a_freed_graph_is_refused_by_who_asked():
    y = Tensor(1.0, requires_grad=True) * 2
    y.backward()
    with pytest.raises(RuntimeError, match=r"explain: .*freed"):
        read(y, "explain")


def test_only_a_pass_that_went_there_leaves_a_gradient_on_the_way():
    a, b = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    y = a * b
    tg.grad(y, a, retain_graph=True)
    (step,) = read(y, "draw").steps
    assert step.sent(0) == 3 and step.sent(1) is None


def test_calls_of_something_else_give_no_names():
    x, z = Tensor(3.0, requires_grad=True), Tensor(2.0, requires_grad=True)
    y = x * z
    gz = tg.grad(y, z, create_graph=True)[0]
    assert [value.name for value in read(gz * 1, "draw").values if value.tensor is x] in ([None], ["x"])
    xs, start = [Tensor(1.0, requires_grad=True), Tensor(2.0, requires_grad=True)], Tensor(0.0, requires_grad=True)
    total = sum(xs, start)
    names = {value.tensor: value.name for value in read(total, "draw").values}
    assert names[start] == "start" and names[xs[0]] is None  # the variable that holds it, not sum's argument
    rows = list(Tensor([1.0, 2.0], requires_grad=True))
    assert read(rows[0] + rows[1], "draw").steps[1].result.name is None


def test_in_a_loop_each_value_has_the_variables_name():
    h = Tensor(1.0, requires_grad=True)
    for _ in range(3):
        h = h * 2
    assert [step.result.name for step in read(h, "draw").steps] == ["h"] * 3
    layer, x = nn.Linear(2, 2), Tensor(np.ones((1, 2)))
    for _ in range(2):
        x = layer(x)
    assert [step.result.name for step in read(x, "draw").steps] == ["x", "x"]


def test_a_constant_that_was_filled_anew_in_between_is_two():
    x, array = Tensor([1.0], requires_grad=True), np.array([2.0])
    y = x * array
    array[:] = 9
    z = y * array
    constants = [value.array.tolist() for value in read(z, "draw").values if value.kind == "constant"]
    assert constants == [[2.0], [9.0]]
