"""Names: the right word for one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """'; the nearest are a, b' or nothing, for the end of an error."""
    near = _near(name, known)
    return f"; the nearest are {', '.join(near)}" if near else ""


def here(name: str, known: Iterable[str]) -> str:
    """'; here it is tile(reps)' for a word that PyTorch has for arrays; else the nearest."""
    return f"; here it is {_PYTORCH[name]}" if name in _PYTORCH else nearest(name, known)


def one_of(name: str, known: Iterable[str]) -> str:
    """'the nearest are a, b' or, where nothing is near, 'there are' with all of them."""
    near = _near(name, known := list(known))
    return f"the nearest are {', '.join(near)}" if near else f"there are {', '.join(known)}"


def _near(name: str, known: Iterable[str]) -> list[str]:
    plain = {each.lower(): each for each in known}
    return [plain[each] for each in difflib.get_close_matches(name.lower(), plain, n=3, cutoff=0.5)]


# PyTorch's words for arrays, where NumPy has another.
_PYTORCH = {
    "tensor": "tg.Tensor(data)", "from_numpy": "tg.Tensor(array)", "as_tensor": "tg.Tensor(data)",
    "cat": "tg.concatenate(tensors, axis=0)", "chunk": "tg.split(x, parts)",
    "view": "reshape(shape)", "view_as": "reshape(other.shape)", "reshape_as": "reshape(other.shape)",
    "unsqueeze": "expand_dims(axis)", "permute": "transpose(axes)", "t": "T", "expand": "broadcast_to(shape)",
    "expand_as": "broadcast_to(other.shape)", "repeat": "tile(reps)", "numel": "size", "dim": "ndim", "mm": "x @ y",
    "bmm": "x @ y", "mv": "x @ y", "amax": "max(axis)", "amin": "min(axis)", "pow": "x ** y", "clamp": "clip(min, max)",
    "gather": "take_along_axis(indices, axis)", "index_select": "take(indices, axis)", "float": "astype(np.float32)",
    "double": "astype(np.float64)", "half": "astype(np.float16)", "long": "astype(np.int64)", "to": "astype(dtype)",
    "type": "astype(dtype)", "bool": "astype(bool)", "clone": "copy()", "eq": "x == y", "gt": "x > y", "lt": "x < y",
    "zero_": "t.data[...] = 0", "fill_": "t.data[...] = value", "copy_": "t.data[...] = array", "add_": "t += x",
    "sub_": "t -= x", "mul_": "t *= x", "div_": "t /= x", "detach_": "t = t.detach()",
    "zeros": "Tensor(np.zeros(shape))", "ones": "Tensor(np.ones(shape))", "randn": "Tensor(rng.normal(size=shape))",
    "rand": "Tensor(rng.random(shape))", "arange": "Tensor(np.arange(n))", "linspace": "Tensor(np.linspace(a, b, n))",
    "eye": "Tensor(np.eye(n))", "zeros_like": "Tensor(np.zeros_like(x))", "ones_like": "Tensor(np.ones_like(x))",
}  # fmt: skip
