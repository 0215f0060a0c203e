"""An array is an array: what is like one counts element by element in its place, or is refused with a sentence."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

import tinygrad_relu as tg
from tinygrad_relu import Tensor

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")

VALUES = np.array([[1.5, 2.0, -3.0], [0.5, 4.0, 1.0]])
ROWS = [1, 0]  # an index that is in another order than the rows
LIKE = {
    "DataFrame": lambda a: pd.DataFrame(a, index=ROWS[: len(a)], columns=list("cab")),
    "matrix": np.matrix,
    "masked array": lambda a: np.ma.array(a, mask=np.zeros(a.shape, bool)),
    "masked array without mask": np.ma.array,
    "list": lambda a: a.tolist(),
    "memmap": lambda a: a.view(np.memmap),
}
BINARY = {
    "+": lambda x, y: x + y, "-": lambda x, y: x - y, "*": lambda x, y: x * y, "/": lambda x, y: x / y,
    "**": lambda x, y: x**y, ">": lambda x, y: x > y, "==": lambda x, y: x == y, "maximum": np.maximum,
    "tg.maximum": tg.maximum, "np.add": np.add, "where": lambda x, y: np.where(True, x, y),
}  # fmt: skip


def both_sides(operation, like, requires_grad, sides=(False, True)):
    """The result, and the gradient where there is one, with the array-like on the right and on the left."""
    for swapped in sides:
        x = Tensor(np.abs(VALUES) + 2, requires_grad=requires_grad)
        result = operation(like, x) if swapped else operation(x, like)
        assert type(result) is Tensor
        if result.requires_grad:
            (result * np.arange(6.0).reshape(2, 3)).sum().backward()
        yield result.tolist(), x.grad if x.grad is None else x.grad.tolist()


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("kind", LIKE)
def test_operands_count_by_place_on_both_sides(kind, name, requires_grad):
    array = np.abs(VALUES)
    # On the left, a masked array compares itself, with a masked array of truths, and a matrix has its own powers.
    own = ("masked" in kind and name in (">", "==")) or (kind == "matrix" and name == "**")
    sides = (False,) if own else (False, True)
    likes = both_sides(BINARY[name], LIKE[kind](array), requires_grad, sides)
    plain = both_sides(BINARY[name], array, requires_grad, sides)
    if kind == "list":  # lists become the default dtype
        for (value, grad), (expected, expected_grad) in zip(likes, plain):
            np.testing.assert_allclose(value, expected, rtol=1e-6)
            np.testing.assert_allclose(grad or 0.0, expected_grad or 0.0, rtol=1e-6)
    else:
        assert list(likes) == list(plain)


def test_a_series_counts_by_place_not_by_label():
    t, a = Tensor([1.0, 1.0, 1.0]), pd.Series([1.0, 2.0, 3.0])
    b = pd.Series([10.0, 20.0, 30.0], index=[2, 1, 0])
    for total in (t * a + t * b, a * t + b * t, t * b + a):
        assert type(total) is Tensor and total.tolist() == [11, 22, 33]
    assert (t * b)[0].item() == 10 and (b * t)[0].item() == 10
    assert t[b > 15].tolist() == [1, 1] and Tensor([5.0, 6.0, 7.0])[pd.Series([2, 0], index=[0, 1])].tolist() == [7, 5]


def test_a_training_step_with_weights_and_labels_from_a_shuffled_table():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(6, 4)), columns=list("abyw")).sample(frac=1, random_state=0)
    X, y, w = table[["a", "b"]], table["y"], table["w"].abs()

    def step(X, y, w):
        tg.manual_seed(0)
        model = tg.nn.MLP(2, [3], 1).to(np.float64)
        loss = ((model(X).reshape(-1) - y) ** 2 * w).mean()
        loss.backward()
        return loss.item(), [p.grad.tolist() for p in model.parameters()]

    assert step(X, y, w) == step(X.to_numpy(), y.to_numpy(), w.to_numpy())


def test_matrix_product_of_a_matrix_is_asked_for_with_at():
    x = Tensor(np.ones((2, 2)), requires_grad=True)
    m = np.matrix([[1.0, 2.0], [3.0, 4.0]])
    assert (x * m).tolist() == (m * x).tolist() == [[1, 2], [3, 4]]
    assert (m @ x).tolist() == [[3, 3], [7, 7]] and x[m > 1].shape == (3,)


def test_a_masked_array_that_hides_nothing_is_an_array_and_the_gradient_comes_back():
    x = Tensor([1.0, 2.0], requires_grad=True)
    w = np.ma.array([3.0, 4.0], mask=[0, 0])
    ((x * 5).sum() + (w * x).sum()).backward()
    assert x.grad.tolist() == [8, 9]


HIDES = np.ma.array([3.0, 4.0], mask=[0, 1])


@pytest.mark.parametrize(
    "use",
    [
        lambda x: x * HIDES, lambda x: HIDES * x, lambda x: HIDES - x, lambda x: np.multiply(HIDES, x),
        lambda x: tg.maximum(x, HIDES), lambda x: Tensor(HIDES), lambda x: Tensor([HIDES, HIDES]),
        lambda x: x.backward(HIDES), lambda x: setattr(x, "data", HIDES), lambda x: setattr(x, "grad", HIDES),
        lambda x: x[np.ma.array([0, 1], mask=[0, 1])], lambda x: tg.stack([x, HIDES]),
        lambda x: tg.cross_entropy(x.reshape(1, 2), [0], weight=HIDES), lambda x: tg.linear(x, HIDES.reshape(1, 2)),
    ],
)  # fmt: skip
def test_a_mask_that_hides_something_is_refused(use):
    with pytest.raises(TypeError, match=r"mask that hides 1 of its 2 elements.*filled"):
        use(Tensor([1.0, 2.0], requires_grad=True))


TWO = [[1.0], [2.0]]


@pytest.mark.parametrize(
    "use",
    [
        lambda: list(tg.data.batches(HIDES, [0, 1], 1)), lambda: list(tg.data.batches(TWO, HIDES, 1)),
        lambda: tg.data.train_test_split(HIDES, [0, 1], 0.5), lambda: tg.data.train_test_split(TWO, HIDES, 0.5),
        lambda: tg.data.standardize(HIDES), lambda: tg.dead_units(tg.nn.ReLU(), HIDES),
        lambda: tg.nn.utils.vector_to_parameters(HIDES, [tg.nn.Parameter([1.0, 2.0])]),
        lambda: tg.nn.Linear(2, 1).load_state_dict({"weight": HIDES.reshape(1, 2), "bias": [0.0]}),
        lambda: tg.fit(tg.nn.Linear(1, 1), HIDES.reshape(2, 1), TWO), lambda: tg.fit(tg.nn.Linear(1, 1), TWO, HIDES),
        lambda: tg.nn.Linear(2, 1)(HIDES),
    ],
)  # fmt: skip
def test_what_hides_something_comes_in_nowhere(use):
    with pytest.raises(TypeError, match=r"mask that hides 1 of its 2 elements.*filled"):
        use()


def test_rows_of_text_are_split_and_served_as_they_are():
    words = pd.Series(["no", "yes", "no", "yes"], index=[3, 1, 2, 0])
    assert [y.tolist() for _, y in tg.data.batches([1, 2, 3, 4], words, 2, shuffle=False)] == [["no", "yes"]] * 2
    *_, y_train, y_test = tg.data.train_test_split([1, 2, 3, 4], words, 0.5, seed=0)
    assert sorted([*y_train, *y_test]) == ["no", "no", "yes", "yes"]


def test_what_holds_no_numbers_or_is_sparse_is_refused_with_what_to_do():
    x = Tensor([[1.0, 2.0]], requires_grad=True)
    table = pd.DataFrame({"a": [1.0], "name": ["rose"]})
    for use in (lambda: x * table, lambda: table * x, lambda: Tensor(table), lambda: x * np.array([["a", "b"]])):
        with pytest.raises(TypeError, match=r"expected real numbers.*take the columns that hold numbers"):
            use()
    sparse = scipy.sparse.csr_array(np.eye(2))
    for use in (lambda: x @ sparse, lambda: x * sparse, lambda: Tensor(sparse), lambda: tg.matmul(x, sparse)):
        with pytest.raises(TypeError, match=r"got a sparse csr_array; call \.toarray\(\)"):
            use()


def test_whole_numbers_keep_their_dtype_and_lists_become_floats():
    for like in (pd.DataFrame([[1, 2]]), pd.Series([1, 2]), np.matrix([[1, 2]]), np.ma.array([1, 2])):
        assert Tensor(like).dtype == np.int64
        assert (Tensor(np.array([1, 2])) * like).dtype == np.int64
    assert Tensor(pd.Series([1, 2], dtype="Int64")).dtype == np.int64
    assert Tensor([1, 2]).dtype == Tensor(range(2)).dtype == np.float32


def test_losses_and_options_take_what_is_like_an_array():
    scores, labels = np.array([[2.0, 0.0], [1.0, 3.0], [0.0, 1.0]]), [0, 1, 0]
    shuffled = [2, 0, 1]
    series = pd.Series(labels, index=shuffled)
    expected = tg.cross_entropy(Tensor(scores), labels).item()
    assert tg.cross_entropy(Tensor(scores), series).item() == expected
    assert tg.cross_entropy(pd.DataFrame(scores), series) == expected
    assert abs(tg.cross_entropy(Tensor(np.ones((3, 2))), pd.Series([0, 1, 0])).item() - 0.6931) < 1e-4
    weight = pd.Series([1.0, 3.0], index=[1, 0])
    plain = tg.cross_entropy(Tensor(scores), labels, weight=np.array([1.0, 3.0]))
    assert tg.cross_entropy(Tensor(scores), series, weight=weight).item() == plain.item()
    assert (
        tg.nll_loss(Tensor(scores), series, weight=np.matrix([1.0, 3.0]).A1).item()
        == tg.nll_loss(Tensor(scores), labels, weight=[1.0, 3.0]).item()
    )
    logits, targets = Tensor([0.5, -1.0]), pd.Series([1, 0], index=[1, 0])
    for loss in (tg.binary_cross_entropy_with_logits, tg.mse_loss, tg.hinge_loss, tg.l1_loss):
        assert loss(logits, targets).item() == loss(logits, np.array([1, 0])).item()
    x = Tensor(scores)
    assert x.masked_fill(pd.DataFrame(scores > 1), 0.0).tolist() == [[0, 0], [1, 0], [0, 1]]
    assert x.take(series, axis=1).tolist() == x.take(np.array(labels), axis=1).tolist()


def test_numpy_ma_cannot_take_the_gradient_away_in_silence():
    x = Tensor([1.0, 2.0], requires_grad=True)
    w = np.ma.array([3.0, 4.0])
    for use in (lambda: np.ma.multiply(w, x), lambda: w.__imul__(x), lambda: np.ma.array(x), lambda: w.dot(x)):
        with pytest.raises(TypeError, match="would lose the gradient"):
            use()


def test_a_table_that_changes_after_the_forward_pass_does_not_change_the_gradient():
    x, table = Tensor(np.ones((2, 1)), requires_grad=True), pd.DataFrame({"a": [3.0, 4.0]})
    total = (x * table).sum()
    table.iloc[:, :] = 0.0
    total.backward()
    assert x.grad.tolist() == [[3], [4]]


def test_numpys_own_arguments_mean_what_they_mean_in_numpy():
    array = np.arange(6.0).reshape(2, 3)
    x = Tensor(array)
    calls = [
        lambda a: np.sum(a, 0, None), lambda a: np.mean(a, 1, None, None, True), lambda a: np.max(a, 0, None, True),
        lambda a: np.var(a, 0, None, None, 1), lambda a: np.std(a, axis=0, ddof=1, out=None),
        lambda a: np.transpose(a, axes=(1, 0)), lambda a: np.reshape(a, shape=(3, 2)),
        lambda a: np.reshape(a, (3, 2), "C"),
        lambda a: np.vstack([a, a], dtype=None), lambda a: np.hstack((a, a), casting="same_kind"),
        lambda a: np.concatenate([a, a], 0, None), lambda a: np.stack([a, a], axis=1, out=None, dtype=None),
        lambda a: np.take(a, [0, 2], 1), lambda a: np.expand_dims(a, axis=0),
        lambda a: np.pad(a, 1, constant_values=7.0),
        lambda a: np.einsum("ij->i", a, optimize=True), lambda a: np.cumsum(a, 1, None, None),
        lambda a: np.ravel(a, "C"),
        lambda a: np.argmax(a, 1, None), lambda a: np.linalg.vector_norm(a, axis=1, keepdims=True, ord=2),
    ]  # fmt: skip
    for call in calls:
        np.testing.assert_array_equal(call(x).numpy(), call(array))
    for call in (lambda: np.sum(x, 0, np.float32), lambda: np.var(x, 0, np.float32), lambda: np.ravel(x, "F")):
        with pytest.raises(TypeError, match=r"unexpected keyword argument '(dtype|order)'"):
            call()
    np.testing.assert_array_equal(np.asarray(x, dtype="f8", copy=False), array)
    with pytest.raises(ValueError, match="avoid copy"):
        np.asarray(x, dtype="f4", copy=False)
