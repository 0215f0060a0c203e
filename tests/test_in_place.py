"""In-place operators, and numbers that are taken out of the graph: what changes, what is refused, what is recorded."""

import math
import operator

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor

OPERATORS = {
    "+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv, "**=": operator.ipow,
    "@=": operator.imatmul, "&=": operator.iand, "|=": operator.ior,
}  # fmt: skip


def operands(sign):
    if sign in ("&=", "|="):
        return np.array([True, False, True]), np.array([True, True, False])
    if sign == "@=":
        return np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [1.0, 1.0]])
    return np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.5, 3.0])


@pytest.mark.parametrize("sign", OPERATORS)
def test_a_tensor_that_no_graph_holds_changes_its_array_for_all_holders_as_in_numpy(sign):
    change, (left, right) = OPERATORS[sign], operands(sign)
    expected = left.copy()
    change(expected, right)
    for other in (right, Tensor(right)):
        t = Tensor(left)
        holder, detached, array = [t], t.detach(), t.data
        result = change(t, other)
        assert result is t and holder[0] is t
        for seen in (t.tolist(), detached.tolist(), array.tolist()):
            assert seen == expected.tolist()


def test_the_three_ways_in_which_it_changed_nothing():
    tensors = [Tensor([1.0])]
    for t in tensors:
        t -= 0.5

    def up(b):
        b += 1

    up(tensors[0])
    assert tensors[0].tolist() == [1.5]
    p = tg.nn.Parameter([1.0, 2.0])
    (p * 3).sum().backward()
    g = p.grad
    g *= 0.5
    assert p.grad is g and p.grad.tolist() == [1.5, 1.5]
    optimizer = tg.optim.SGD([p], lr=1.0)
    optimizer.step()
    assert p.tolist() == [-0.5, 0.5]
    optimizer.zero_grad()
    (p * 3).sum().backward()
    p.grad.data[...] = 1  # through the array too
    optimizer.step()
    assert p.tolist() == [-1.5, -0.5]


@pytest.mark.parametrize("sign", [sign for sign in OPERATORS if sign not in ("&=", "|=")])
def test_a_leaf_is_changed_in_no_grad_and_refused_outside(sign):
    change, (left, right) = OPERATORS[sign], operands(sign)
    leaf = Tensor(left, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"is not changed while recording.*no_grad"):
        change(leaf, right)
    with tg.no_grad():
        same = change(leaf, right)
    expected = left.copy()
    change(expected, right)
    assert same is leaf and leaf.is_leaf and leaf.requires_grad and leaf.tolist() == expected.tolist()


def test_a_recorded_result_gives_a_new_one_and_all_holders_have_the_right_gradient():
    w = Tensor([1.0, 2.0], requires_grad=True)
    loss = first = (w * w).sum()
    loss += 0.5 * (w * w * w).sum()  # a penalty, as everybody writes it
    assert loss is not first and first.item() == 5 and loss.item() == 9.5
    (first_grad,) = tg.grad(first, w, retain_graph=True)
    (loss_grad,) = tg.grad(loss, w)
    assert first_grad.tolist() == [2, 4] and loss_grad.tolist() == [3.5, 10]


def test_a_plain_tensor_that_gathers_recorded_ones_is_recorded():
    w = Tensor([1.0, 2.0], requires_grad=True)
    total = start = Tensor(0.0)
    for i in range(3):
        total += (w * i).sum()
    total.backward()
    assert w.grad.tolist() == [3, 3] and start.item() == 0


@pytest.mark.parametrize(
    "change",
    [lambda t: t.__isub__(1), lambda t: t.detach().__imul__(2), lambda t: t[0].__iadd__(1), lambda t: t.T.__iadd__(1)],
)
def test_a_graph_that_has_used_the_old_elements_refuses_to_go_back(change):
    w, t = Tensor([[1.0, 2.0]], requires_grad=True), Tensor([[3.0, 4.0]], name="t")
    loss = (w * t).sum()
    change(t)
    with pytest.raises(RuntimeError, match=r"multiply: input 1 \(t\) was changed in place"):
        loss.backward()
    (w * t).sum().backward()
    assert w.grad.tolist() == t.tolist()


def test_shape_and_dtype_stay_or_it_is_an_error_and_nothing_has_changed():
    row, whole = Tensor([1.0, 2.0]), Tensor(np.array([1, 2]))
    with pytest.raises(ValueError, match=r"\+=: the result is \(3, 2\) float32, the tensor \(2,\).*write t = t \+ x"):
        row += np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match=r"/=: the result is \(2,\) float64, the tensor \(2,\) int64"):
        whole /= 2
    assert row.tolist() == [1, 2] and whole.tolist() == [1, 2]
    row += np.ones(2)  # float64 is rounded, as in NumPy
    assert row.dtype == np.float32 and row.tolist() == [2, 3]


def test_a_scalar_is_changed_for_all_holders_too():
    t = Tensor(1.0)
    same = t
    t += 1
    assert same.item() == 2 and same is t


# ---------------------------------------------------------------------- out of the graph


LEAVES = {
    "float": float, "int": int, "math.exp": math.exp, "math.sqrt": math.sqrt, "np.float64": np.float64,
    "math.fsum": lambda x: math.fsum([x, x]), "round": lambda x: round(float(x)), "complex": complex,
    "an element": lambda x: np.zeros(2).__setitem__(0, x * 2), "np.array": np.array, "np.asarray": np.asarray,
    "list": lambda x: np.array([x, x]), "np.full": lambda x: np.full(3, x), "np.float32": np.float32,
}  # fmt: skip


@pytest.mark.parametrize("name", LEAVES)
def test_a_number_is_not_taken_out_of_the_graph_in_silence(name):
    x = Tensor(1.0, requires_grad=True)
    for given in (x, x * 2):
        with pytest.raises((TypeError, ValueError)) as caught:
            LEAVES[name](given)
        text = str(caught.value) + str(caught.value.__cause__)
        assert ".item()" in text and ".detach()" in text
    assert LEAVES[name](x.detach()) is not ...  # of a plain tensor it goes on
    assert math.exp(x.item()) == math.e and f"{x:.1f}" == "1.0" and bool(x)


def test_a_copy_of_a_result_would_lose_its_history():
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"result of 'multiply'.*\.detach\(\)"):
        Tensor(x * 2)
    assert Tensor((x * 2).detach()).tolist() == [2] and Tensor(x).tolist() == [1]
