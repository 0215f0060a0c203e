"""Products of vectors and matrices."""

from __future__ import annotations

from ..pool import Pool
from .table import Call, call, calls


@calls("matmul")
def matmul(pool: Pool, name: str) -> Call:
    x = pool.with_axes(1)
    *batch, k = pool.shape_of(x)
    batch = tuple(pool.choose(n, 1) for n in batch[:-1])
    y = pool.of_shape(pool.choose((k,), (k, 2), (k, 1), (*batch, k, 2), (2, *batch, k, 1)))
    return pool.choose(f"{x} @ {y}", call(pool, name, x, y)), f"{x} @ {y}"


@calls("linear")
def linear(pool: Pool, name: str) -> Call:
    x, out = pool.with_axes(1), pool.choose(2, 1, 3)
    given = [x, pool.of_shape((out, pool.shape_of(x)[-1])), *([pool.of_shape((out,))] if pool.flag() else [])]
    return call(pool, name, *given), f"F.linear({', '.join(given)})"


@calls("dot")
def dot(pool: Pool, name: str) -> Call:
    x = pool.value()
    k = pool.shape_of(x)[-1:]
    y = pool.of_shape(pool.choose(k, (*k, 2), (2, *k, 2))) if k else pool.value()
    if not pool.shape_of(x) or not pool.shape_of(y):
        return call(pool, name, x, y), f"{x} * {y}"
    along = -2 if len(pool.shape_of(y)) > 1 else 0
    return call(pool, name, x, y), f"torch.tensordot({x}, {y}, dims=([-1], [{along}]))"


@calls("outer")
def outer(pool: Pool, name: str) -> Call:
    x, y = pool.value(), pool.value()
    return call(pool, name, x, y), f"torch.outer({x}.reshape(-1), {y}.reshape(-1))"


SUBSCRIPTS = (
    "ij,jk->ik", "ij,j->i", "i,i", "i,j->ij", "ij->ji", "ij->j", "ij->", "ii", "ii->i", "iji->j", "ij,jk,kl->il",
    "i,i,i->", "...ij,...jk->...ik", "...i->...", "i...->...", "ij,k->ik", ",i->i", "bij,bjk->bik", "ij,ij->",
)  # fmt: skip


@calls("einsum")
def einsum(pool: Pool, name: str) -> Call:
    subscripts = pool.choose(*SUBSCRIPTS)
    lengths = {letter: (pool.choose(2, 3, 1),) for letter in "bijkl"} | {".": pool.shape(0, 1)}
    groups = subscripts.split("->")[0].replace("...", ".").split(",")
    given = ", ".join(pool.of_shape(sum((lengths[letter] for letter in group), ())) for group in groups)
    arguments = f"({subscripts!r}, {given})"
    return pool.choose(f"tg.einsum{arguments}", f"np.einsum{arguments}"), f"torch.einsum{arguments}"
