"""What was once wrong and must stay right. Each test says in one sentence why it matters."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor

LOSSES = ["mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss", "binary_cross_entropy",
          "binary_cross_entropy_with_logits"]  # fmt: skip


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# ---------------------------------------------------------------------- integers


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.int32, np.bool_, np.float64])
@pytest.mark.parametrize("name", LOSSES)
def test_targets_of_any_dtype_give_pytorchs_loss_in_the_dtype_of_the_prediction(torch, name, dtype):
    """Labels come as bytes, booleans or int64: they may neither wrap around (0 - 1 = 255) nor widen float32."""
    prediction, target = np.array([0.9, 0.2, 0.5], np.float32), np.array([1, 0, 1])
    ours, theirs = Tensor(prediction, requires_grad=True), torch.tensor(prediction, requires_grad=True)
    loss = getattr(tg, name)(ours, target.astype(dtype))
    expected = getattr(torch.nn.functional, name)(theirs, torch.tensor(target, dtype=torch.float32))
    loss.backward()
    expected.backward()
    assert loss.dtype == np.float32
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy(), rtol=1e-5)


@pytest.mark.parametrize("name", [*LOSSES, "hinge_loss", "kl_div", "cross_entropy", "nll_loss"])
def test_a_prediction_of_integers_is_refused(name):
    """Class weights of 0.5 were cut to 0 for integer scores, and differences of bytes wrapped around."""
    target = np.array([0, 1]) if name in ("cross_entropy", "nll_loss") else np.ones((2, 2), np.float32)
    with pytest.raises(TypeError, match=rf"{name}: expected a prediction of floats.*uint8.*astype"):
        getattr(tg, name)(Tensor(np.ones((2, 2), np.uint8)), target)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int64, np.bool_])
@pytest.mark.parametrize(
    "name", ["sigmoid", "log_sigmoid", "softmax", "log_softmax", "hard_swish", "norm", "logsumexp"]
)
def test_functions_of_integers_equal_those_of_the_same_floats(name, dtype):
    """Pictures are bytes, and -2 as a byte is 254: sigmoid(2) was 0, and softmax NaN."""
    x = np.array([[0, 2, 1], [100, 1, 120]]).astype(dtype)
    found = getattr(tg, name)(Tensor(x)).numpy()
    np.testing.assert_allclose(found, getattr(tg, name)(Tensor(x.astype(np.float64))).numpy(), rtol=1e-12)


# ---------------------------------------------------------------------- losses


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_a_batch_in_which_all_is_ignored_has_no_gradient(torch, name):
    """Its mean is 0/0, but a NaN gradient would destroy every weight of the network; PyTorch gives 0 too."""
    ours = Tensor(np.zeros((2, 3), np.float32), requires_grad=True)
    theirs = torch.zeros((2, 3), requires_grad=True)
    loss = getattr(tg, name)(ours, np.array([-100, -100]))
    expected = getattr(torch.nn.functional, name)(theirs, torch.tensor([-100, -100]))
    loss.backward()
    expected.backward()
    assert np.isnan(loss.item()) and np.isnan(expected.item())
    np.testing.assert_array_equal(ours.grad.numpy(), theirs.grad.numpy())


# ---------------------------------------------------------------------- NumPy's functions


def test_clip_takes_both_of_numpys_names_for_a_bound():
    """np.clip(x, a_min=0, a_max=1) stands in every tutorial."""
    t = Tensor([-1.0, 0.5, 2.0], requires_grad=True)
    for y in (np.clip(t, a_min=0, a_max=1), t.clip(min=0, max=1), np.clip(t, 0, 1), t.clip(max=1).clip(min=0)):
        assert y.tolist() == [0.0, 0.5, 1.0]
        assert tg.grad(y.sum(), t)[0].tolist() == [0.0, 1.0, 0.0]
    with pytest.raises(ValueError, match="clip: expected a lower bound"):
        tg.clip(t)


def test_plus_is_the_tensor_itself():
    """Whoever negates also writes +x, and Python's own error names no way out."""
    t = Tensor([1.0], requires_grad=True)
    assert (+t) is t and np.positive(t) is t


def test_functions_of_linalg_are_named_in_full():
    """There is no np.inv to look up, and np.linalg.vector_norm is what norm computes."""
    with pytest.raises(TypeError, match=r"np\.linalg\.inv: no op answers"):
        np.linalg.inv(Tensor([[1.0]]))
    t = Tensor([[3.0, 4.0]], requires_grad=True)
    assert np.linalg.vector_norm(t, axis=1, ord=1).tolist() == [7.0]


def test_numpys_own_comparisons_in_tests_take_tensors():
    """np.testing asks np.iscomplexobj first, which had no answer."""
    np.testing.assert_almost_equal(Tensor(2.0), 2)
    np.testing.assert_allclose(Tensor([1.0, 2.0]), [1, 2])


def test_tile_takes_a_count_that_numpy_computed():
    """A count from x.shape or argmax is an np.int64, no int."""
    assert tg.tile(Tensor([1.0, 2.0]), np.int64(2)).tolist() == [1.0, 2.0, 1.0, 2.0]


def test_prelu_without_channels_keeps_the_shape(torch):
    """A weight for each of 0 channels was broadcast along the last axis instead."""
    x = np.zeros((2, 0, 3, 1), np.float32)
    expected = torch.nn.functional.prelu(torch.tensor(x), torch.zeros(0))
    assert tg.prelu(Tensor(x), Tensor(np.zeros(0, np.float32))).shape == tuple(expected.shape)


# ---------------------------------------------------------------------- derivatives of functions


def test_one_direction_may_stand_alone_or_in_a_sequence(torch):
    """Code for several inputs goes over tuples, and must not break when there is only one."""
    x, v = np.array([1.0, 2.0]), np.array([1.0, 10.0])
    _, (expected,) = torch.autograd.functional.hvp(lambda x: (x**3).sum(), (torch.tensor(x),), (torch.tensor(v),))
    for direction in (v, Tensor(v), v.tolist(), (v,), [Tensor(v)], [v.tolist()]):
        _, (product,) = tg.hvp(lambda x: (x**3).sum(), (x,), direction)
        np.testing.assert_allclose(product.numpy(), expected.numpy())
        np.testing.assert_allclose(tg.jvp(lambda x: x * x, (x,), direction)[1].numpy(), 2 * x * v)
    t = Tensor(x, requires_grad=True)
    for weights in (v, v.tolist(), [v], (Tensor(v),), [v.tolist()]):
        np.testing.assert_allclose(tg.grad(t * t, t, weights)[0].numpy(), 2 * x * v)
        np.testing.assert_allclose(tg.grad([t * t], [t], weights)[0].numpy(), 2 * x * v)
        assert tg.gradgradcheck(lambda x: x * x * x, t, weights)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_tensor_given_twice_has_the_partial_slope_of_each_place(torch, create_graph):
    """With create_graph both places got the sum of the two slopes."""
    x = np.array([1.0, 2.0])
    t, u = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    found = tg.jacobian(lambda a, b: a * a * b, (t, t), create_graph=create_graph)
    expected = torch.autograd.functional.jacobian(lambda a, b: a * a * b, (u, u), create_graph=create_graph)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy())
    if create_graph:
        (ours,), (theirs,) = tg.grad(found[0].sum(), t), torch.autograd.grad(expected[0].sum(), u)
        np.testing.assert_allclose(ours.numpy(), theirs.numpy())


def test_grad_says_which_tensor_requires_no_gradient():
    """Among ten parameters one must be named."""
    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="grad of input 1: this tensor does not require a gradient"):
        tg.grad((x * x).sum(), [x, Tensor([1.0])])


# ---------------------------------------------------------------------- gradcheck


@pytest.fixture
def wrong_rule():
    """Makes a function of a forward and a wrong slope, for as long as the test runs."""

    def make(forward, slope):
        def backward(self, grad):
            return grad * slope(self.inputs[0])

        tg.register(type("Wrong", (tg.Op,), {"forward": lambda self, x: forward(x), "backward": backward}))
        return tg.wrong

    yield make
    tg.unregister("wrong")


def test_a_wrong_slope_where_the_function_only_curves_is_no_kink(wrong_rule):
    """Left and right differences of a steep parabola differ too, and any slope between them used to pass."""
    function = wrong_rule(lambda x: 1e6 * x * x, lambda x: 2e6 * x + 0.9)
    assert len(tg.gradcheck(function, Tensor([0.0]), raise_exception=False).wrong) == 1


def test_a_wrong_slope_at_a_jump_is_found(wrong_rule):
    """Between the slopes beside a jump everything lies; only that of a side is right."""
    function = wrong_rule(lambda x: np.where(x > 0, 1.0, 0.0), lambda x: 77.0)
    assert len(tg.gradcheck(function, Tensor([0.0]), raise_exception=False).wrong) == 1


@pytest.mark.parametrize("x", [0.0, 1e-17, -1e-8, 3e-7, -9e-7])
def test_kinks_and_their_neighbourhood_pass(x):
    """relu has the slope 0 or 1 at each of these points, though the differences step over the kink."""
    assert tg.gradcheck(tg.relu, Tensor(x, dtype=np.float64))
    assert tg.gradcheck(tg.abs, Tensor(x, dtype=np.float64))
    assert tg.gradgradcheck(tg.relu, Tensor(x, dtype=np.float64))


def test_a_function_that_is_not_the_same_twice_is_no_kink():
    """Dropout that is left on makes every difference wrong, and gradcheck has to say so."""
    random = np.random.default_rng(0)
    assert not tg.gradcheck(lambda x: x * random.normal(), Tensor([1.0]), raise_exception=False)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(
    "name", ["sum", "mean", "prod", "var", "std", "max", "min", "norm", "logsumexp", "softmax", "log_softmax", "cumsum"]
)
def test_an_axis_that_is_not_there_is_named_in_every_dtype(name, dtype):
    """What looks the axis up, to choose a dtype for adding up, must not answer with its own riddle."""
    with pytest.raises(IndexError, match=f"{name}: axis 5 is out of bounds for array of dimension 2"):
        getattr(tg, name)(Tensor(np.ones((2, 3), dtype)), axis=5)
