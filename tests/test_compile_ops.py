"""Every op, over all of its samples: its compiled program, and the file that it is saved to, give eager's numbers."""

import importlib.util

import numpy as np
import pytest
from test_ops import CASES, is_float

import tinygrad_relu as tg
from tinygrad_relu import Tensor, compile
from tinygrad_relu.op import apply

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # log(0), inf - inf: samples go there on purpose

RNG = np.random.default_rng(0)


def bits(thing):
    """Nested results as what can be compared to the last bit, NaN to NaN."""
    if isinstance(thing, (list, tuple)):
        return [bits(item) for item in thing]
    array = np.asarray(getattr(thing, "_array", thing))
    return array.dtype.str, array.shape, array.tobytes()


def forward_and_back(function, inputs, dtype, keep):
    """A step of the inputs that goes forward and back; ``keep``: it returns the result, else only computes with it.

    To each input that is differentiated a leaf is added, of -0 everywhere, which leaves all numbers as they are.
    """
    leaves = [Tensor(np.full(x.shape, -0.0, dtype), requires_grad=True) if is_float(x) else None for x in inputs]
    learned = [leaf for leaf in leaves if leaf is not None]

    def step(*arrays, scale, options):
        for leaf in learned:
            leaf.grad = None
        results = function(*(x if leaf is None else leaf + x for x, leaf in zip(arrays, leaves)), **options)
        results = results if isinstance(results, list) else [results]
        loss = sum((result * result * scale).sum() for result in results)
        if isinstance(loss, Tensor) and loss.requires_grad:
            loss.backward()
        return results if keep else loss, [leaf.grad for leaf in learned if leaf.grad is not None]

    return step


def changed(x, call):
    """The input of another call: the same elements in another order, so that an op is still defined for them."""
    if not isinstance(x, np.ndarray) or call in (0, 3):
        return x
    if not x.ndim:
        return np.asarray(x / 2) if x.dtype.kind == "f" else x
    return np.flip(x, axis=0 if call == 1 else None).copy()


def load(path):
    """The saved file as a module."""
    spec = importlib.util.spec_from_file_location("saved", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def check_four_calls(function, inputs, options, dtype, keep, path):
    inputs = [x.astype(dtype) if is_float(x) else x for x in inputs]
    eager = forward_and_back(function, inputs, dtype, keep)
    compiled = compile(forward_and_back(function, inputs, dtype, keep))
    for call, scale in enumerate((1.0, 0.7, -2.5, 0.1)):
        given = [changed(x, call) for x in inputs]
        wanted = bits(eager(*given, scale=scale, options=options))
        assert bits(compiled(*given, scale=scale, options=options)) == wanted
    compiled.save(path)
    assert bits(load(path).step(*given, scale=scale, options=options)) == wanted


each_way = pytest.mark.parametrize("dtype, keep", [(np.float64, True), (np.float32, False)], ids=["kept", "used"])


@each_way
@pytest.mark.parametrize("op, sample", CASES)
def test_programs_and_saved_files_equal_eager(op, sample, dtype, keep, tmp_path):
    function = lambda *inputs, **options: apply(op, inputs, options)
    check_four_calls(function, sample.inputs, sample.options, dtype, keep, tmp_path / "saved.py")


A, B, C = RNG.normal(size=(2, 4)), RNG.normal(size=(2, 4)), RNG.normal(size=4)
MADE_OF_OPS = {
    "vstack": (lambda *xs: tg.vstack(xs), (A, B, C)),
    "vstack of vectors": (lambda *xs: np.vstack(xs), (C, C * 2)),
    "hstack": (lambda *xs: tg.hstack(xs), (A, B)),
    "hstack of vectors": (lambda *xs: np.hstack(xs), (C, C * 2)),
    "hstack of scalars": (lambda *xs: tg.hstack(xs), (np.array(1.0), np.array(2.0))),
    "split": (lambda x: tg.split(x, 2), (A,)),
    "split at": (lambda x: np.split(x, [1, 3], axis=1), (A,)),
    "stack of losses": (lambda x, y: tg.stack([(x * y).sum(), x.mean(), y.max()]), (A, B)),
    "stack of transposed": (lambda x, y: tg.stack([(x * 2).T, (y * 3).T], axis=-1), (A, B)),
    "stack of rows": (lambda x: tg.stack(list(x)), (A,)),
    "concatenate of transposed": (lambda x, y: tg.concatenate([(x * 2).T, y.T]), (A, B)),
    "clip": (lambda x: np.clip(x, -0.5, 0.5), (A,)),
    "norm": (lambda x: np.linalg.norm(x, axis=0), (A,)),
    "positive": (lambda x: +x, (A,)),
    "0-d": (lambda x, y: tg.sigmoid(x * y) - tg.softplus(x) / tg.tanh(y), (np.array(0.5), np.array(-2.0))),
}


@each_way
@pytest.mark.parametrize("name", MADE_OF_OPS)
def test_functions_made_of_ops_equal_eager(name, dtype, keep, tmp_path):
    check_four_calls(*MADE_OF_OPS[name], {}, dtype, keep, tmp_path / "saved.py")
