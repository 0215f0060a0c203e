"""Samples of the ops that rearrange: every way to say a shape, negative axes, 0-d and empty arrays."""

import numpy as np

from . import rng, sample


def _on(shape, /, **options):
    return sample(rng(1).normal(size=shape), **options)


def _joined(*shapes, **options):
    return sample(*(rng(i).normal(size=shape) for i, shape in enumerate(shapes)), **options)


SAMPLES = {
    "reshape": [
        _on((2, 3), shape=(3, 2)),
        _on((2, 3), shape=(-1,)),
        _on((2, 3), shape=(1, -1, 2)),
        _on((6,), shape=(2, -1)),
        _on((1,), shape=()),
        _on((), shape=(1, 1)),
        _on((0, 3), shape=(3, 0)),
    ],
    "transpose": [
        _on((2, 3)),
        _on((2, 3), axes=(1, 0)),
        _on((2, 3, 1), axes=(2, 0, 1)),
        _on((2, 3, 2), axes=(-1, 0, -2)),
        _on((3,)),
        _on(()),
        _on((0, 2)),
    ],
    "swapaxes": [_on((2, 3, 2), axis1=0, axis2=-2), _on((2, 3), axis1=1, axis2=1), _on((0, 2), axis1=0, axis2=1)],
    "moveaxis": [
        _on((2, 3, 1), source=0, destination=-1),
        _on((2, 3, 1), source=(0, -1), destination=(1, 0)),
        _on((0, 2), source=0, destination=1),
    ],
    "expand_dims": [_on((2, 3), axis=1), _on((2,), axis=(0, -1)), _on((), axis=0), _on((0,), axis=-1)],
    "squeeze": [
        _on((1, 2, 1)),
        _on((1, 2, 1), axis=-1),
        _on((1, 2, 1), axis=(0, 2)),
        _on((1,)),
        _on(()),
        _on((1, 0)),
    ],
    "ravel": [_on((2, 3)), _on((3,)), _on(()), _on((0, 2))],
    "broadcast_to": [
        _on((3,), shape=(2, 3)),
        _on((2, 1), shape=(2, 3)),
        _on((1, 2, 1), shape=(2, 2, 2)),
        _on((), shape=(2, 2)),
        _on((2,), shape=(2,)),
        _on((0,), shape=(2, 0)),
        _on((1,), shape=(0,)),
    ],
    "concatenate": [
        _joined((2,), (3,)),
        _joined((2, 1), (2, 3), axis=-1),
        _joined((1, 2), (2, 2), (0, 2), axis=0),
        _joined((2, 1), (3,), axis=None),
        _joined((), (2, 2), axis=None),
        _joined((2,)),
    ],
    "stack": [
        _joined((3,), (3,)),
        _joined((2, 2), (2, 2), axis=-1),
        _joined((2, 2), (2, 2), (2, 2), axis=1),
        _joined((), ()),
        _joined((0,), (0,)),
    ],
    "flip": [_on((2, 3)), _on((2, 3), axis=1), _on((2, 3, 2), axis=(0, -1)), _on(()), _on((0, 2))],
    "pad": [
        _on((2,), pad_width=1),
        _on((2, 3), pad_width=(1, 2), constant_values=3.5),
        _on((2, 3), pad_width=((0, 1), (2, 0))),
        _on((2, 3), pad_width=((1, 2),)),
        _on((2, 3), pad_width=0),
        _on((0, 2), pad_width=1),
    ],
    "tile": [
        _on((2,), reps=3),
        _on((2, 3), reps=2),
        _on((2, 3), reps=(2, 1)),
        _on((2,), reps=(2, 3)),
        _on((2, 2, 1), reps=(2, 3)),
        _on((), reps=2),
        _on((2,), reps=0),
        _on((0,), reps=2),
    ],
    "astype": [_on((2, 3), dtype=np.float64), _on((), dtype=np.float64), _on((0,), dtype=np.float64)],
    "copy": [_on((2, 3)), _on(()), _on((0,))],
}


def _pad(torch, x, pad_width, constant_values=0):
    widths = np.broadcast_to(pad_width, (x.ndim, 2))[::-1].ravel().tolist()  # PyTorch begins with the last axis
    return torch.nn.functional.pad(x, widths, value=constant_values)


def _concatenate(torch, *arrays, axis=0):
    return torch.cat([x.reshape(-1) for x in arrays] if axis is None else arrays, dim=axis or 0)


def _dims(x, axis):
    return tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis


def _expand_dims(torch, x, axis):
    return x.reshape(np.expand_dims(np.empty(tuple(x.shape)), axis).shape)


TORCH = {
    "reshape": lambda torch, x, shape: x.reshape(shape),
    "transpose": lambda torch, x, axes=None: x.permute(axes or tuple(reversed(range(x.ndim)))),
    "swapaxes": lambda torch, x, axis1, axis2: torch.swapaxes(x, axis1, axis2),
    "moveaxis": lambda torch, x, source, destination: torch.moveaxis(x, source, destination),
    "expand_dims": _expand_dims,
    "squeeze": lambda torch, x, axis=None: torch.squeeze(x) if axis is None else torch.squeeze(x, axis),
    "ravel": lambda torch, x: torch.ravel(x),
    "broadcast_to": lambda torch, x, shape: torch.broadcast_to(x, shape),
    "concatenate": _concatenate,
    "stack": lambda torch, *arrays, axis=0: torch.stack(arrays, dim=axis),
    "flip": lambda torch, x, axis=None: torch.flip(x, _dims(x, axis)),
    "pad": _pad,
    "tile": lambda torch, x, reps: torch.tile(x, (reps,) if isinstance(reps, int) else reps),
    "astype": lambda torch, x, dtype: x.to(torch.float64),
    "copy": lambda torch, x: x.clone(),
}
