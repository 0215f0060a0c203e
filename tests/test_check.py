"""gradcheck and gradgradcheck: right rules pass, wrong ones fail with a table, kinks are named and accepted."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor


@pytest.fixture
def wrong_square():
    @tg.register
    class WrongSquare(tg.Op):
        def forward(self, x):
            return x * x

        def backward(self, grad):
            return grad * 2.002 * self.inputs[0]

    yield tg.wrong_square
    tg.unregister("wrong_square")


@pytest.fixture
def frozen_cube():
    """A rule that reads an array it saved: right at first order, silently zero at second."""

    @tg.register
    class FrozenCube(tg.Op):
        def forward(self, x):
            self.slope = 3 * x * x
            return x * x * x

        def backward(self, grad):
            return grad * self.slope

    yield tg.frozen_cube
    tg.unregister("frozen_cube")


def test_a_wrong_rule_fails_with_a_table_of_analytic_against_numeric(wrong_square):
    with pytest.raises(tg.GradcheckError) as error:
        tg.gradcheck(wrong_square, Tensor([1.0, 3.0]))
    text = str(error.value)
    assert "wrong_square" in text and "analytic" in text and "numeric" in text
    assert "2.002" in text and "6.006" in text and "2 wrong" in text
    report = tg.gradcheck(wrong_square, Tensor([1.0]), raise_exception=False)
    assert not report and report.wrong[0].analytic == pytest.approx(2.002)


def test_the_second_order_check_finds_a_rule_that_reads_what_it_saved(frozen_cube):
    assert tg.gradcheck(frozen_cube, Tensor([2.0]))
    with pytest.raises(tg.GradcheckError, match="the backward pass of frozen_cube"):
        tg.gradgradcheck(frozen_cube, Tensor([2.0]))


def test_a_kink_is_named_and_what_lies_between_its_two_slopes_is_accepted():
    report = tg.gradcheck(tg.relu, Tensor([0.0, 1.0]))
    assert report and len(report.kinks) == 1
    kink = report.kinks[0]
    assert (kink.analytic, kink.left, kink.right) == (0.0, 0.0, pytest.approx(1.0))
    assert "at a kink" in repr(report)
    assert tg.gradcheck(lambda x: tg.maximum(x, 0), Tensor([0.0])).kinks == []  # 1/2 is the numeric slope too


def test_a_slope_outside_of_the_two_is_wrong_at_a_kink_too():
    @tg.register
    class SteepReLU(tg.Op):
        def forward(self, x):
            return np.maximum(x, 0)

        def backward(self, grad):
            return np.where(self.inputs[0] >= 0, grad * 1.5, 0)

    try:
        assert not tg.gradcheck(tg.steep_relu, Tensor([0.0]), raise_exception=False)
    finally:
        tg.unregister("steep_relu")


def test_float32_inputs_are_checked_in_float64_and_integers_left_alone():
    assert tg.gradcheck(lambda x, i: x[i], (Tensor([1.0, 2.0]), np.array([1, 1])))
    with pytest.raises(TypeError, match="float64"):
        tg.gradcheck(lambda x: x.astype(np.float32), Tensor([1.0]))
    with pytest.raises(ValueError, match="none of the inputs"):
        tg.gradcheck(lambda i: i, np.array([1]))


def test_only_inputs_that_require_a_gradient_are_checked_if_some_do():
    x, y = Tensor([1.0], requires_grad=True), Tensor([1.0])
    assert tg.gradcheck(lambda a, b: a * b, (x, y)).compared == 1
    assert tg.gradcheck(lambda a, b: a * b, (y, y)).compared == 2
    assert x.tolist() == [1.0] and x.grad is None


def test_several_outputs_and_the_empty_one():
    assert tg.gradcheck(lambda x: (x * 2, x.sum()), Tensor([1.0, 2.0])).compared == 6
    assert tg.gradcheck(lambda x: x * 2, Tensor(np.zeros((0, 2)))).compared == 0


def test_a_rule_is_tried_in_a_sum_with_its_own_input():
    """The seminar note's Relu, with a way around the read-only view: alone all its slopes are right."""

    @tg.register
    class SlyReLU(tg.Op):
        def forward(self, x):
            self.mask = x <= 0
            return np.where(self.mask, 0, x)

        def backward(self, grad):
            grad.base[self.mask] = 0
            return grad.base

    try:
        x = Tensor([[1.0, -0.5], [-2.0, 3.0]])
        with pytest.raises(tg.GradcheckError, match=r"2 wrong(.|\n)*0 \+ input 0"):
            tg.gradcheck(tg.sly_relu, x)
        assert tg.gradcheck(tg.relu, x) and tg.gradcheck(lambda a, b: a * b + a, (x, x))
    finally:
        tg.unregister("sly_relu")
