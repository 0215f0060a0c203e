"""The drawing's DOT text: what is in it, that it takes odd names, and that it is linear."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor


def test_boxes_say_name_shape_value_and_that_a_gradient_is_not_computed_yet():
    x = Tensor([1.0, -2.0], requires_grad=True, name="x")
    y = x.relu()
    assert r'label="x\n(2,) float32\n[ 1. -2.]\ngrad: not computed"' in tg.draw(y).source
    y.sum().backward(retain_graph=True)
    assert r"x\n(2,) float32\n[ 1. -2.]\ngrad: [1. 0.]" in tg.draw(y).source


def test_one_arrow_for_each_argument_and_each_constant_has_its_box():
    x = Tensor(2.0, requires_grad=True)
    source = tg.draw(x + x).source
    assert source.count("t0 -> op1") == 2
    assert tg.draw(x * 3).source.count("shape=box") == 3


@pytest.mark.parametrize("name", ['say "x"', "a\\nb", "<b>x</b>", "zwei\nZeilen", "기울기", "{a|b}"])
def test_odd_names_stay_within_their_label(name):
    x = Tensor([1.0], requires_grad=True, name=name)
    source = tg.draw(x * 2).source
    lines = [line for line in source.splitlines() if "label=" in line]
    assert len(lines) == 4 and all(line.rstrip().endswith("]") for line in lines)


def test_a_ladder_is_drawn_in_linear_size_and_a_long_chain_without_recursion():
    x = Tensor(0.0, requires_grad=True)
    for _ in range(3_000):
        x = x + x
    assert tg.draw(x).source.count("shape=oval") == 3_000


def test_large_arrays_are_summed_up_and_nan_is_shown():
    x = Tensor(np.arange(10.0), requires_grad=True)
    assert "min 0 mean 4.5 max 9" in tg.draw(x * 1).source
    assert "nan" in tg.draw(Tensor([float("nan")], requires_grad=True) * 1).source


def test_a_freed_graph_and_what_is_no_tensor_are_refused_clearly():
    x = Tensor([1.0], requires_grad=True)
    y = x.exp().sum()
    y.backward()
    with pytest.raises(RuntimeError, match="freed"):
        tg.draw(y)
    with pytest.raises(TypeError, match="expected a Tensor"):
        tg.draw(np.ones(3))
    assert "shape=box" in tg.draw(Tensor([1.0])).source
