"""Samples of the products: every pair of ranks, broadcast batches, empty axes, and all that einsum's text can say."""

from . import rng, sample


def _pair(x, y, **options):
    return sample(rng(1).normal(size=x), rng(2).normal(size=y), **options)


def _einsum(subscripts, *shapes):
    return sample(*(rng(i).normal(size=shape) for i, shape in enumerate(shapes)), subscripts=subscripts)


_UP_TO_MATRICES = [
    _pair((3,), (3,)),
    _pair((2, 3), (3,)),
    _pair((3,), (3, 2)),
    _pair((2, 3), (3, 2)),
    _pair((1, 1), (1, 1)),
    _pair((0, 3), (3, 2)),
    _pair((2, 0), (0, 3)),
    _pair((2, 3), (3, 0)),
    _pair((0,), (0,)),
]


def _layer(x, out, bias=True):
    weight = rng(2).normal(size=(out, x[-1]))
    return sample(rng(1).normal(size=x), weight, *([rng(3).normal(size=out)] if bias else []))


SAMPLES = {
    "matmul": [
        *_UP_TO_MATRICES,
        _pair((2, 2, 3), (3, 2)),
        _pair((2, 3), (2, 3, 2)),
        _pair((2, 2, 3), (2, 3, 2)),
        _pair((2, 1, 2, 3), (2, 3, 1)),
        _pair((1, 2, 3), (2, 3, 2)),
        _pair((2, 2, 3), (3,)),
        _pair((3,), (2, 3, 2)),
        _pair((0, 2, 3), (3, 2)),
        _pair((0, 2, 3), (3,)),
    ],
    "linear": [
        *(_layer(x, 2, bias) for x in ((4, 3), (3,), (2, 2, 3), (0, 3), (1, 1)) for bias in (True, False)),
        _layer((2, 0), 2),
        _layer((2, 3), 0),
    ],
    "dot": [
        *_UP_TO_MATRICES,
        _pair((), (3,)),
        _pair((2, 3), ()),
        _pair((), ()),
        _pair((2, 2, 3), (3,)),
        _pair((3,), (2, 3, 2)),
        _pair((2, 2, 3), (3, 2)),
        _pair((2, 3), (2, 3, 2)),
        _pair((1, 2, 2), (3, 2, 1)),
    ],
    "outer": [_pair((2,), (3,)), _pair((2, 2), (3,)), _pair((), (2,)), _pair((), ()), _pair((0,), (2,))],
    "einsum": [
        _einsum("ij,jk->ik", (2, 3), (3, 2)),
        _einsum("ij,jk", (2, 3), (3, 2)),
        _einsum("ba", (2, 3)),
        _einsum("i,i", (3,), (3,)),
        _einsum("i,j->ij", (2,), (3,)),
        _einsum("ij->", (2, 3)),
        _einsum("ij->j", (2, 3)),
        _einsum("ii", (3, 3)),
        _einsum("ii->i", (3, 3)),
        _einsum("iji->j", (2, 3, 2)),
        _einsum("iii->i", (2, 2, 2)),
        _einsum("ii,i->", (3, 3), (3,)),
        _einsum("ii,jj->ij", (2, 2), (3, 3)),
        _einsum("ij,jk,kl->il", (2, 3), (3, 2), (2, 2)),
        _einsum("i,i,i->", (3,), (3,), (3,)),
        _einsum("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
        _einsum("...ij,...j", (2, 1, 2, 3), (2, 3)),
        _einsum("...->...", (2, 3)),
        _einsum("i...->...", (2, 3)),
        _einsum("...i,...i->...", (3,), (2, 3)),
        _einsum("ij,k->ik", (2, 3), (2,)),
        _einsum(" ij, jk -> k i ", (2, 3), (3, 2)),
        _einsum("ij,j->i", (2, 3), (1,)),
        _einsum("ij,ij->ij", (2, 1), (1, 3)),
        _einsum(",i->i", (), (3,)),
        _einsum("->", ()),
        _einsum("Ab,bA->A", (2, 3), (3, 2)),
        _einsum("ij,jk->ik", (0, 3), (3, 2)),
        _einsum("ij,jk->ik", (2, 0), (0, 3)),
        _einsum("ii->i", (0, 0)),
    ],
}


def _dot(torch, x, y):
    if not x.ndim or not y.ndim:
        return x * y
    return torch.tensordot(x, y, dims=([-1], [-2 if y.ndim > 1 else 0]))


TORCH = {
    "matmul": lambda torch, x, y: torch.matmul(x, y),
    "linear": lambda torch, *inputs: torch.nn.functional.linear(*inputs),
    "dot": _dot,
    "outer": lambda torch, x, y: torch.outer(x.reshape(-1), y.reshape(-1)),
    "einsum": lambda torch, *operands, subscripts: torch.einsum(subscripts, *operands),
}
