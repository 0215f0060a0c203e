"""NumPy's own functions on Tensors record; those without an op raise; nothing is detached in silence."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor


def slope(function, x):
    x = Tensor(x, requires_grad=True, dtype=np.float64)
    function(x).sum().backward()
    return x.grad.tolist()


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda t: np.exp(t), [1.0, np.e]),
        (lambda t: np.maximum(t, 0.5), [0.0, 1.0]),
        (lambda t: np.sum(t, axis=0), [1.0, 1.0]),
        (lambda t: np.add.reduce(t), [1.0, 1.0]),
        (lambda t: np.concatenate([t, np.ones(1), t]), [2.0, 2.0]),
        (lambda t: np.ones((3, 2)) @ t, [3.0, 3.0]),
        (lambda t: np.array([2.0, 3.0]) * t, [2.0, 3.0]),
        (lambda t: np.array([2.0, 3.0]) - t, [-1.0, -1.0]),
        (lambda t: 2.0 / (t + 1), [-2.0, -0.5]),
        (lambda t: np.float64(3) * t, [3.0, 3.0]),
        (lambda t: np.where(t > 0, t, 0), [0.0, 1.0]),
        (lambda t: np.clip(t, 0.5, 2), [0.0, 1.0]),
        (lambda t: np.stack([t, t]), [2.0, 2.0]),
        (lambda t: np.mean(t), [0.5, 0.5]),
        (lambda t: np.reshape(t, (2, 1)), [1.0, 1.0]),
        (lambda t: 2**t, [np.log(2), 2 * np.log(2)]),
    ],
)
def test_numpy_functions_and_mixed_operators_record(function, expected):
    np.testing.assert_allclose(slope(function, [0.0, 1.0]), expected, rtol=1e-12)


def test_unknown_functions_name_the_nearest():
    t = Tensor([1.0], requires_grad=True)
    with pytest.raises(TypeError, match=r"np\.arctan2: no op answers.*arctan.*register"):
        np.arctan2(t, t)
    with pytest.raises(TypeError, match=r"np\.median"):
        np.median(t)
    with pytest.raises(TypeError, match=r"np\.multiply\.accumulate"):
        np.multiply.accumulate(t)


def test_out_and_in_place_are_refused_where_a_gradient_would_be_lost():
    t, array = Tensor([1.0], requires_grad=True), np.ones(1)
    with pytest.raises(TypeError, match="the gradient would be lost in the array"):
        array += t
    with pytest.raises(TypeError, match="the gradient would be lost in the array"):
        np.exp(array, out=t)
    array -= Tensor([0.5])
    assert array.tolist() == [0.5]


def test_no_array_of_objects_is_ever_made():
    t = Tensor([1.0, 2.0], requires_grad=True)
    for result in (np.array([1.0, 2.0]) * t, np.array(3.0) * t, np.arange(2) + t, t * np.arange(2)):
        assert isinstance(result, Tensor) and result.dtype != object


def test_questions_about_a_tensor_get_plain_answers():
    t = Tensor([1.0, 2.0], requires_grad=True)
    assert np.shape(t) == (2,) and np.ndim(t) == 1 and np.size(t) == 2
    assert np.allclose(t, [1.0, 2.0]) and np.array_equal(t, np.array([1.0, 2.0]))
    assert isinstance(np.zeros_like(t), np.ndarray)


def test_options_of_numpy_that_the_op_lacks_are_refused():
    with pytest.raises(TypeError, match=r"exp.*where"):
        np.exp(Tensor([1.0]), where=np.array([True]))


def test_the_same_function_on_arrays_is_plain_numpy():
    assert isinstance(tg.relu(np.array([-1.0, 1.0])), np.ndarray)
    np.testing.assert_array_equal(tg.relu([-1.0, 1.0]), [0.0, 1.0])
