"""The passes of tg.compile: each one alone, each one left out, and all of them give eager's numbers, bit for bit."""

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim
from tinygrad_relu.compile import PASSES

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 6)).astype(np.float32)
LARGE = RNG.normal(size=(80, 80)).astype(np.float32)
LARGE[0, :6] = np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-42
LONG = RNG.normal(size=131_072 * 2 + 7).astype(np.float32)
LABELS = RNG.integers(3, size=6)


def bits(thing):
    """Nested results as what can be compared to the last bit."""
    if isinstance(thing, (list, tuple)):
        return [bits(item) for item in thing]
    if isinstance(thing, dict):
        return {name: bits(item) for name, item in thing.items()}
    array = np.asarray(getattr(thing, "_array", thing))
    return array.dtype.str, array.shape, hash(array.tobytes())


# ---------------------------------------------------------------------- functions that lay traps for the passes


def same_work_twice():
    return lambda x: (np.exp(x) + np.exp(x), np.exp(x) * np.exp(x).T, (x @ x) - (x @ x).T)


def same_work_after_a_write():
    w = Tensor(np.ones((6, 6), np.float32))

    def function(x):
        before = w.data * x
        w.data += x
        return before, w.data * x, w

    return function


def an_array_and_its_own_views():
    def function(x):
        y = x * 2
        z = y - y.T
        z = z + z[0]
        return z - z[::-1], np.add(z, z[:, :1])

    return function


def a_view_of_what_is_written_over():
    def function(x):
        y = x + 1
        first = y[0]
        kept = first * 1
        y *= 3
        return first, kept, y.sum()

    return function


def a_copy_before_a_write():
    w = Tensor(np.ones((6, 6), np.float32))

    def function(x):
        old, seen = w.data.copy(), w.data
        w.data -= x
        return old, seen * 1

    return function


def a_result_that_is_copied_and_used_again():
    w = Tensor(np.zeros((6, 6), np.float32))

    def function(x):
        y = x * 2
        w.data[...] = y
        w.data *= 3
        return y + 1, w

    return function


def a_target_that_is_read_in_between():
    w = Tensor(np.zeros((6, 6), np.float32))

    def function(x):
        y = x * 2
        old = w.data + 1
        w.data[...] = y
        return old, y.T

    return function


def parts_of_a_target():
    w = Tensor(np.zeros((6, 6), np.float32))

    def function(x):
        w.data[:3] = x[:3] * 2
        w.data[3:] = w.data[:3] + x[3:]
        w.data[0, 1] = 7.0
        return w

    return function


def a_result_twice():
    def function(x):
        y = np.tanh(x)
        return y, y, y.T, y[1:3], y + 1, [y], x, x[0]

    return function


def other_dtypes_and_shapes_in_one_buffer():
    def function(x):
        a = x.astype(np.float64) * 2
        b = (a > 1).astype(np.int32) + 1
        c = (b * 3).astype(np.float32).sum(axis=0)
        return np.maximum(c, 2.0) * x + a.mean(axis=1, keepdims=True)

    return function


def constants_of_its_own():
    def function(x):
        scale = Tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        double = scale * 2
        return double * x, tg.exp(scale), scale

    return function


def python_numbers_beside_arrays():
    whole = np.arange(6)

    def function(x):
        return x * 0.1 + 1 - True, x / 3, 2.0**x, x**2, x**0.5 * 0, 1e-40 * x, whole * 2, whole * 2.5, x * 1e39

    return function


def masked_large_arrays():
    def function(x):
        big = LARGE * x[0, 0]
        return np.where(big > 0, 0, big), np.where(big > 0, 0.0, big), np.where(big > 0, -0.0, big), np.maximum(big, 0)

    return function


def long_vectors():
    state = Tensor(np.zeros(LONG.size, np.float32))

    def function(x):
        y = np.sqrt(np.abs(LONG * x[0, 0])) + LONG
        z = y * y - y
        z += np.maximum(y, 0.5)
        state.data *= 0.9
        state.data += z * 0.1
        w = z.astype(np.float64) * 2 + LONG[::-1]
        return z, w.sum(), (w - w[::-1])[:10], np.negative(z) * z.sum(), state

    return function


def long_gradients():
    w = Tensor(LONG.copy(), requires_grad=True)

    def function(x):
        w.grad = None
        loss = tg.minimum(w * x[0, 0], w).mean() + (w * w).mean()
        loss.backward()
        return loss, w.grad

    return function


def overlapping_parts():
    short, long = Tensor(np.ones(9, np.float32)), Tensor(LONG.copy())

    def function(x):
        for state in (short, long):
            state.data[1:] -= state.data[:-1] * np.float32(0.1)
            state.data[:-2] *= 0.5
        return short, long, x

    return function


def random_numbers():
    drop = nn.Dropout(0.5)
    return lambda x: (drop(x), drop(x), drop(x) * 2)


def nobody_needs_it():
    def function(x):
        np.exp(x)
        unused = x @ x
        unused += 1
        return x * 2

    return function


def scattered():
    table = Tensor(np.zeros((3, 6), np.float32))

    def function(x):
        np.add.at(table.data, LABELS, x)
        return table, table[LABELS], np.take(table.data, LABELS, axis=0)

    return function


def training(make_model, make_optimizer):
    def make():
        model = make_model()
        optimizer = make_optimizer(model.parameters())

        def step(x):
            loss = tg.cross_entropy(model(x), LABELS)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            return loss, list(model.parameters()), [p.grad for p in model.parameters()]

        return step

    return make


def by_hand(update, make_model=lambda: nn.MLP(6, [8, 8], 3), again=lambda model, x: None):
    """A training step that updates the parameters itself, one after the other."""

    def make():
        model = make_model()
        update_all = update(list(model.parameters()))

        def step(x):
            loss = tg.cross_entropy(model(x), LABELS)
            model.zero_grad()
            loss.backward()
            update_all()
            again(model, x)
            return loss, list(model.parameters()), [p.grad for p in model.parameters()]

        return step

    return make


def each_parameter(change):
    """An update that does the same to each parameter in turn."""

    def update(params):
        def update_all():
            for p in params:
                change(p, params)

        return update_all

    update.__name__ = change.__name__
    return update


def subtracted(p, params):
    p.data -= 0.1 * p.grad.data


def assigned_with_decay(p, params):
    p.data = p.data - 0.1 * (p.grad.data + 1e-3 * p.data)


def as_tensors(p, params):
    with tg.no_grad():
        p.data = (p - 0.1 * p.grad).data


def by_sign_and_root(p, params):
    p.data -= np.where(p.grad.data < 0, 0.2, 0.1) * np.sign(p.grad.data) * np.sqrt(np.abs(p.grad.data))


def decay_of_weights_only(p, params):
    p.data -= 0.1 * (p.grad.data + (1e-2 * p.data if p.ndim > 1 else 0.0))


def scaled_by_its_norm(p, params):
    p.data -= 0.1 * p.grad.data / (1 + np.linalg.norm(p.grad.data))


def looking_at_the_one_before(p, params):
    p.data -= 0.1 * p.grad.data * (1 + np.abs(params[0].data).max())


def looking_at_the_last_one(p, params):
    p.data -= 0.1 * p.grad.data * (1 + np.abs(params[-1].data).max())


def twice(p, params):
    p.data -= 0.1 * p.grad.data
    p.data *= 0.99


def gradient_written_over(p, params):
    p.grad.data[...] = np.clip(p.grad.data, -0.01, 0.01)
    p.data -= p.grad.data


def gradient_set_to_none(p, params):
    p.data -= 0.1 * p.grad.data
    p.grad = None


def gradient_replaced(p, params):
    p.data -= 0.1 * p.grad.data
    p.grad = p.grad * 2


def some_parameters_only(params):
    return each_parameter(subtracted)(params[:1] + params[3:])


def backwards(params):
    return each_parameter(subtracted)(params[::-1])


def all_read_before_any_is_written(params):
    def update_all():
        new = [p.data - 0.1 * p.grad.data * (1 + params[0].data.ravel()[0]) for p in params]
        for p, values in zip(params, new):
            p.data = values

    return update_all


def another_pass(model, x):
    loss = tg.mean(model(x) ** 2)
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= 0.01 * p.grad.data


def looking_at_the_result(model, x):
    for p in model.parameters():
        p.data = p.data * (1 + 0 * p.data.sum())


def more_added(model, x):
    tg.mean(model(x)).backward()


class Odd(nn.Module):
    """Parameters of odd shapes: a number, one row, one column, one without elements, one that is not used."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(2.0)
        self.row = nn.Parameter(np.ones((1, 6), np.float32))
        self.column = nn.Parameter(np.ones((3, 1), np.float32))
        self.double = nn.Parameter(np.ones((6, 3)))
        self.empty = nn.Parameter(np.ones((0, 3), np.float32))

    def forward(self, x):
        return (x * self.row * self.scale) @ self.double + self.column.T + self.empty.sum()


def momentum(params):
    return optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)


def a_deep_network():
    return nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.GELU(), nn.MLP(8, [8], 3, dropout=0.2, batch_norm=True))


FUNCTIONS = {
    each.__name__: each
    for each in (
        same_work_twice, same_work_after_a_write, an_array_and_its_own_views, a_view_of_what_is_written_over,
        a_copy_before_a_write, a_result_that_is_copied_and_used_again, a_target_that_is_read_in_between,
        parts_of_a_target, a_result_twice, other_dtypes_and_shapes_in_one_buffer, constants_of_its_own,
        python_numbers_beside_arrays, masked_large_arrays, long_vectors, long_gradients, overlapping_parts,
        random_numbers, nobody_needs_it, scattered,
    )
}  # fmt: skip
FUNCTIONS["mlp, momentum"] = training(lambda: nn.MLP(6, [8, 8], 3), momentum)
FUNCTIONS["large mlp, adam"] = training(lambda: nn.MLP(6, [600], 3), lambda params: optim.Adam(params, lr=0.01))
FUNCTIONS["huge mlp, adamw"] = training(lambda: nn.MLP(6, [20_000], 3), lambda params: optim.AdamW(params, lr=0.01))
FUNCTIONS["huge mlp, rmsprop"] = training(lambda: nn.MLP(6, [20_000], 3), lambda params: optim.RMSprop(params, lr=0.01))
FUNCTIONS["deep network, rmsprop"] = training(
    a_deep_network, lambda params: optim.RMSprop(params, lr=0.01, momentum=0.5, centered=True)
)

UPDATES = [
    each_parameter(change)
    for change in (
        subtracted, assigned_with_decay, as_tensors, by_sign_and_root, decay_of_weights_only, scaled_by_its_norm,
        looking_at_the_one_before, looking_at_the_last_one, twice, gradient_written_over, gradient_set_to_none,
        gradient_replaced,
    )
]  # fmt: skip
for made in UPDATES:
    FUNCTIONS[f"by hand, {made.__name__}"] = by_hand(made)
for made in (some_parameters_only, backwards, all_read_before_any_is_written):
    FUNCTIONS[f"by hand, {made.__name__}"] = by_hand(made)
FUNCTIONS["by hand, two passes"] = by_hand(each_parameter(subtracted), again=another_pass)
FUNCTIONS["by hand, more is added"] = by_hand(each_parameter(subtracted), again=more_added)
FUNCTIONS["by hand, read again"] = by_hand(each_parameter(assigned_with_decay), again=looking_at_the_result)
FUNCTIONS["by hand, odd shapes"] = by_hand(each_parameter(subtracted), Odd)
FUNCTIONS["by hand, long"] = by_hand(each_parameter(assigned_with_decay), lambda: nn.MLP(6, [20_000], 3))
FUNCTIONS["by hand, deep network"] = by_hand(each_parameter(subtracted), a_deep_network)

SETS = {"all": (), "none": tuple(PASSES)}
SETS |= {f"only {name}": tuple(other for other in PASSES if other != name) for name in PASSES}
SETS |= {f"without {name}": (name,) for name in PASSES}


def results(make, wrap):
    """What six calls with other numbers give, and the next random number."""
    tg.manual_seed(0)
    with np.errstate(all="ignore"):
        function = wrap(make())
        found = [bits(function(X * np.float32(0.5 * i - 1))) for i in range(6)]
    return [*found, tg.random.generator().random()]


@pytest.mark.parametrize("without", SETS.values(), ids=SETS)
@pytest.mark.parametrize("make", FUNCTIONS.values(), ids=FUNCTIONS)
def test_passes_leave_the_numbers_alone(make, without):
    assert results(make, lambda f: tg.compile(f, without=without)) == results(make, lambda f: f)


# ---------------------------------------------------------------------- the report


def report_of(make, without=()):
    tg.manual_seed(0)
    step = tg.compile(make(), without=without)
    step(X)
    step(X)
    return step.report()


def test_report_has_a_row_for_each_pass_that_ran():
    make = FUNCTIONS["mlp, momentum"]
    report = report_of(make)
    assert [row.name for row in report.savings] == list(PASSES)
    assert all(name in repr(report) for name in PASSES)
    assert [row.name for row in report_of(make, without=("copies",)).savings] == [p for p in PASSES if p != "copies"]
    assert report_of(make, without=tuple(PASSES)).savings == []


def test_what_the_passes_save_adds_up():
    make = FUNCTIONS["mlp, momentum"]
    before, after = report_of(make, without=tuple(PASSES)), report_of(make)
    assert before.calls - sum(row.calls for row in after.savings) == after.calls < before.calls
    assert before.memory == 0 < after.memory


@pytest.mark.parametrize(
    "name, make",
    [
        ("once", constants_of_its_own),
        ("common", same_work_twice),
        ("dead", nobody_needs_it),
        ("copies", FUNCTIONS["by hand, assigned_with_decay"]),
        ("destinations", FUNCTIONS["mlp, momentum"]),
    ],
)
def test_each_pass_saves_what_it_is_for(name, make):
    (row,) = [row for row in report_of(make).savings if row.name == name]
    assert row.calls > 0
    assert report_of(make).calls < report_of(make, without=(name,)).calls


def test_errors_of_the_arguments():
    step = tg.compile(lambda x: x * 2)
    with pytest.raises(RuntimeError, match="report"):
        step.report()
    with pytest.raises(ValueError, match="there is no pass 'fusion'"):
        tg.compile(lambda x: x, without=["fusion"])
    with pytest.raises(ValueError, match="check"):
        tg.compile(lambda x: x, check=-1)
    with pytest.raises(TypeError, match="a function or a module"):
        tg.compile(3)
