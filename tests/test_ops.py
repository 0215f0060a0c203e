"""Every registered op, over all of its samples: against finite differences, against PyTorch, in every memory layout."""

import numpy as np
import pytest
from samples import load

import tinygrad_relu as tg
from tinygrad_relu import Tensor
from tinygrad_relu.op import apply

SAMPLES, TORCH = load("SAMPLES"), load("TORCH")
OPS = {op.name: op for op in tg.registry.values() if op.__module__.startswith("tinygrad_relu.")}
CASES = [
    pytest.param(OPS[name], each, id=f"{name}-{i}-{each!r}")
    for name, samples in SAMPLES.items()
    for i, each in enumerate(samples)
    if name in OPS
]
DIFFERENTIABLE = [case for case in CASES if case.values[0].differentiable]
SMOOTH = [case for case in DIFFERENTIABLE if not case.values[1].kink]

pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # log(0), inf - inf: samples go there on purpose
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning"),  # PyTorch's advice on its kl_div
]


def is_float(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def tensors_of(inputs, dtype=np.float64):
    """Floats as leaves that require a gradient; integers, booleans and Python numbers as they are."""
    return [Tensor(x.astype(dtype), requires_grad=True) if is_float(x) else x for x in inputs]


def leaves_of(inputs):
    return [x for x in inputs if isinstance(x, Tensor)]


def run_and_go_back(op, inputs, options):
    """The result's array, and the gradients of the float inputs for fixed random weights of the result."""
    result = apply(op, tuple(inputs), options)
    if not leaves_of(inputs):
        return Tensor(result), ()
    weights = np.random.default_rng(0).normal(size=result.shape).astype(result.dtype)
    leaves = leaves_of(inputs)
    found = tg.grad(result, leaves, Tensor(weights), allow_unused=True) if result.requires_grad else ()
    return result, found


def test_every_op_has_samples_and_every_sample_an_op():
    assert sorted(OPS) == sorted(SAMPLES)


def test_every_differentiable_op_is_compared_with_pytorch():
    assert sorted(name for name, op in OPS.items()) == sorted(TORCH)


@pytest.mark.parametrize("name", sorted(OPS))
def test_samples_cover_empty_and_float_inputs(name):
    sizes = [np.size(x) for each in SAMPLES[name] for x in each.inputs if is_float(x)]
    assert 0 in sizes or name in NO_EMPTY, "no empty input among the samples"
    assert any(not each.kink for each in SAMPLES[name])


NO_EMPTY = {"max", "min", "argmax", "argmin", "logical_and", "logical_or", "logical_not", "where"}


@pytest.mark.parametrize("op, sample", SMOOTH)
def test_first_derivative_agrees_with_finite_differences(op, sample):
    assert tg.gradcheck(lambda *xs: apply(op, xs, sample.options), tensors_of(sample.inputs))


@pytest.mark.parametrize("op, sample", SMOOTH)
def test_second_derivative_agrees_with_finite_differences(op, sample):
    assert tg.gradgradcheck(lambda *xs: apply(op, xs, sample.options), tensors_of(sample.inputs))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("op, sample", CASES)
def test_value_and_gradients_equal_pytorch(op, sample, dtype):
    torch = pytest.importorskip("torch")
    ours = tensors_of(sample.inputs, dtype)
    result, found = run_and_go_back(op, ours, sample.options)

    theirs = [_to_torch(torch, x) for x in ours]
    expected = TORCH[op.name](torch, *theirs, **sample.options)
    precise = {"rtol": COARSE.get(op.name, 1e-9), "atol": 1e-12}
    tolerance = precise if dtype == np.float64 else {"rtol": 2e-5, "atol": 1e-6}
    np.testing.assert_allclose(result.detach().numpy(), expected.detach().numpy(), **tolerance, err_msg="value")
    if not op.differentiable or not expected.requires_grad:
        return
    weights = np.random.default_rng(0).normal(size=result.shape).astype(result.dtype)
    leaves = [x for x in theirs if isinstance(x, torch.Tensor) and x.requires_grad]
    wanted = torch.autograd.grad(expected, leaves, torch.tensor(weights), allow_unused=True)
    for g, w, leaf in zip(found, wanted, leaves):
        g = np.zeros(leaf.shape) if g is None else g.numpy()
        w = np.zeros(leaf.shape) if w is None else w.numpy()
        np.testing.assert_allclose(g, w, **tolerance, err_msg="gradient")


# PyTorch's own constants 1/6 and 1e-12 are float32 numbers there.
COARSE = {"hard_sigmoid": 1e-7, "binary_cross_entropy": 1e-7}


def _to_torch(torch, x):
    if isinstance(x, Tensor):
        return torch.tensor(x.detach().numpy(), requires_grad=True)
    return torch.as_tensor(x) if isinstance(x, np.ndarray) else x


@pytest.mark.parametrize("op, sample", CASES)
def test_every_memory_layout_gives_the_same_and_nothing_is_written_to(op, sample):
    plain, gradients = run_and_go_back(op, tensors_of(sample.inputs), sample.options)
    for layout in (_strided, _fortran, _read_only):
        inputs = tensors_of(sample.inputs)
        for tensor in leaves_of(inputs):
            tensor._array = layout(tensor.data)
        before = [x.data.copy() for x in leaves_of(inputs)]
        result, found = run_and_go_back(op, inputs, sample.options)
        np.testing.assert_allclose(result.detach().numpy(), plain.detach().numpy(), rtol=1e-12)
        for g, expected in zip(found, gradients):
            assert (g is None) == (expected is None)
            if g is not None:
                np.testing.assert_allclose(g.numpy(), expected.numpy(), rtol=1e-12, atol=1e-15)
        for x, copy in zip(leaves_of(inputs), before):
            np.testing.assert_array_equal(x.data, copy)


def _strided(array):
    """The same numbers at every other place of a larger array, backwards."""
    if not array.ndim:
        return array
    room = np.full((*array.shape[:-1], 2 * array.shape[-1]), 99.0, array.dtype)
    view = room[..., ::-2]
    view[...] = array
    return view


def _fortran(array):
    return np.array(array, order="F")


def _read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("op, sample", CASES)
def test_float32_stays_float32(op, sample):
    inputs = tensors_of(sample.inputs, np.float32)
    if not leaves_of(inputs):
        return
    result, found = run_and_go_back(op, inputs, sample.options)
    if op.differentiable and op.name != "astype":
        assert result.dtype == np.float32
    for g, leaf in zip(found, leaves_of(inputs)):
        assert g is None or (g.dtype == np.float32 and g.shape == leaf.shape)


@pytest.mark.parametrize("op, sample", SMOOTH)
def test_array_in_array_out_and_no_recording_without_need(op, sample):
    arrays = sample.inputs
    result = apply(op, arrays, sample.options)
    assert not isinstance(result, Tensor)
    with tg.no_grad():
        silent = apply(op, tuple(tensors_of(arrays)), sample.options)
    assert isinstance(silent, Tensor) and silent.op is None and not silent.requires_grad
    np.testing.assert_array_equal(silent.numpy(), result)


# ---------------------------------------------------------------------- do the checks bite?


def _mutants(op):
    """The same op with a rule that is a little wrong: a factor, a sign, a term that is missing."""

    def changed(change):
        def backward(self, grad):
            gradients = op.backward(self, grad)
            gradients = gradients if isinstance(gradients, tuple) else (gradients,)
            return tuple(None if g is None else change(i, g) for i, g in enumerate(gradients))

        return type("Mutant", (op,), {"backward": backward, "name": f"mutant of {op.name}"})

    yield "a factor of 1.001", changed(lambda i, g: g * 1.001)
    yield "a sign", changed(lambda i, g: -g)
    yield "the first input's term missing", changed(lambda i, g: g * 0 if i == 0 or op.name == "where" else g)


FLAT = {"sign"}  # whose slope is 0 everywhere, so that no factor shows


@pytest.mark.parametrize("name", sorted(name for name, op in OPS.items() if op.differentiable and name not in FLAT))
def test_a_wrong_rule_is_found(name):
    for what, mutant in _mutants(OPS[name]):
        reports = [
            tg.gradcheck(
                lambda *xs, each=each, mutant=mutant: apply(mutant, xs, each.options), tensors_of(each.inputs),
                atol=1e-7, rtol=1e-5, raise_exception=False,
            )
            for each in SAMPLES[name]
            if not each.kink
        ]  # fmt: skip
        assert not all(reports), f"{what} in {name} passed gradcheck"
