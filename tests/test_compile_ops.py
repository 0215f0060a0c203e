"""Every registered op, over all of its samples: its compiled program gives eager's numbers, bit for bit."""

import numpy as np
import pytest
from test_ops import CASES, is_float

from tinygrad_relu import Tensor, compile
from tinygrad_relu.op import apply

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # log(0), inf - inf: samples go there on purpose


def same(a, b):
    """Equal to the last bit, NaN to NaN, with the same dtype and shape."""
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def step_of(op, sample, dtype):
    """Leaves, and a function of the other inputs that goes forward and back through the op."""
    floats = [Tensor(x.astype(dtype), requires_grad=True) if is_float(x) else None for x in sample.inputs]
    given = [x for x, leaf in zip(sample.inputs, floats) if leaf is None]

    def step(*rest, scale):
        rest = iter(rest)
        inputs = tuple(next(rest) if leaf is None else leaf for leaf in floats)
        result = apply(op, inputs, sample.options)
        if not isinstance(result, Tensor):
            return result, []
        grads = []
        for leaf in floats:
            if leaf is not None:
                leaf.grad = None
        if result.requires_grad:
            (result * scale).sum().backward()
            grads = [leaf.grad for leaf in floats if leaf is not None and leaf.grad is not None]
        return result, grads

    return [leaf for leaf in floats if leaf is not None], given, step


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("op, sample", CASES)
def test_program_equals_eager(op, sample, dtype):
    leaves, given, step = step_of(op, sample, dtype)
    compiled = compile(step)
    for scale in (1.0, 0.7, -2.5):
        for leaf in leaves:
            leaf.data = np.array(leaf.data * 1.0)
        wanted, wanted_grads = step(*given, scale=scale)
        result, grads = compiled(*given, scale=scale)
        assert same(getattr(result, "_data", result), getattr(wanted, "_data", wanted))
        assert len(grads) == len(wanted_grads)
        for grad, wanted_grad in zip(grads, wanted_grads):
            assert same(grad._data, wanted_grad._data)
