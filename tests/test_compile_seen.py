"""What could change unseen between two calls of a compiled function: the next call sees it, or the first is refused."""

import collections
import contextvars
import copy
import gc
import linecache
import pickle
import types
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim
from tinygrad_relu.compile import CannotCompile

X = np.arange(6, dtype=np.float32).reshape(2, 3)


class Labelled(dict):
    """A dict, a list and a float may have attributes of their own where they are of a class of one's own."""


class Numbers(list):
    pass


class Rate(float):
    pass


class Slotted:
    __slots__ = ("__hidden",)

    def __init__(self):
        self.set(2.0)

    def set(self, value):
        self.__hidden = value

    def times(self, x):
        return x * self.__hidden


class Static:
    @staticmethod
    def factor():
        return 2.0


class MadeUp:
    def __init__(self):
        self.known = {"alpha": 2.0}

    def __getattr__(self, name):
        return vars(self)["known"][name]  # KeyError for what is not there


def with_attribute(thing):
    thing.alpha = 2.0
    return (lambda x: x * thing.alpha), lambda: setattr(thing, "alpha", 3.0)


def a_flag_that_is_set_later():
    thing = types.SimpleNamespace()
    return (lambda x: x * (3.0 if hasattr(thing, "m") else 2.0)), lambda: setattr(thing, "m", 1)


def a_private_slot():
    thing = Slotted()
    return thing.times, lambda: thing.set(3.0)


def a_static_method():
    kind = type("Kind", (Static,), {})
    return (lambda x: x * kind.factor()), lambda: setattr(kind, "factor", staticmethod(lambda: 3.0))


def a_chain_of_maps():
    inner = {"alpha": 2.0}
    held = collections.ChainMap(inner)
    return (lambda x: x * held["alpha"]), lambda: inner.update(alpha=3.0)


def a_view_of_a_dict():
    inner = {"alpha": 2.0}
    held = types.MappingProxyType(inner)
    return (lambda x: x * held["alpha"]), lambda: inner.update(alpha=3.0)


def a_context_variable():
    held = contextvars.ContextVar("held", default=2.0)
    return (lambda x: x * held.get()), lambda: held.set(3.0)


def many_items():
    held = [2.0] * 5000
    return (lambda x: x * held[4000]), lambda: held.__setitem__(4000, 3.0)


def names_made_up():
    held = MadeUp()
    return (lambda x: x * held.alpha), lambda: held.known.update(alpha=3.0)


def a_hook_object():
    class Hook:
        factor = 2.0

        def __call__(self, module, args, output):
            return output * self.factor

    layer, hook = nn.Linear(3, 2), Hook()
    layer.register_forward_hook(hook)
    return (lambda x: layer(x).detach().data), lambda: setattr(hook, "factor", 3.0)


ALPHA = 2.0


def a_global_float():
    return (lambda x: x * ALPHA), lambda: globals().update(ALPHA=ALPHA + 1)


CASES = {
    "attribute of a dict": lambda: with_attribute(Labelled()),
    "attribute of a list": lambda: with_attribute(Numbers()),
    "attribute of a float": lambda: with_attribute(Rate(1.0)),
    **{
        each.__name__: each
        for each in (
            a_flag_that_is_set_later, a_private_slot, a_static_method, a_chain_of_maps, a_view_of_a_dict,
            a_context_variable, many_items, names_made_up, a_hook_object, a_global_float,
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("calls", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_it_is_seen_or_refused(name, calls):
    function, change = CASES[name]()
    step = tg.compile(function)
    try:
        for _ in range(calls):
            assert np.array_equal(step(X), function(X))
    except CannotCompile as error:
        assert "; " in str(error)  # what to do about it
        return
    before = np.array(function(X))
    change()
    assert not np.array_equal(function(X), before)  # else there would be nothing to see
    assert np.array_equal(step(X), function(X))


def test_a_float_that_changes_in_each_step_is_an_input_of_one_program():
    rate = 0.0
    step = tg.compile(lambda x: x * rate)
    for i in range(50):
        rate = 0.1 * i
        assert np.array_equal(step(X), X * rate)
    assert len(step.signatures) == 1


def test_an_array_that_is_named_is_read_anew_in_each_call():
    held = np.ones(3)
    step = tg.compile(lambda x: x * held)
    for i in range(6):
        held[0] = i
        assert np.array_equal(step(X), X * held)
    held = np.full(3, 7.0)
    assert np.array_equal(step(X), X * 7)
    assert len(step.signatures) == 1


def trained(wrap, change):
    tg.manual_seed(0)
    model = nn.Linear(3, 2)
    other = nn.Parameter(np.ones(2, np.float32))
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    def step(x):
        loss = ((model(x) + other) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = wrap(step)
    losses = [step(X).item() for _ in range(4)]
    change(optimizer, other)
    return losses + [step(X).item() for _ in range(4)]


@pytest.mark.parametrize(
    "change",
    [
        lambda optimizer, other: optimizer.param_groups.__setitem__(0, {**optimizer.param_groups[0], "lr": 0.5}),
        lambda optimizer, other: optimizer.add_param_group({"params": [other], "lr": 0.2}),
    ],
    ids=["a group replaced", "a group added"],
)
def test_changed_groups_of_an_optimizer_are_seen(change):
    assert trained(tg.compile, change) == trained(lambda f: f, change)


@pytest.mark.parametrize(
    "function, words",
    [
        (lambda x: x * 2 if type(x) is np.ndarray else x, r"type\(\) is called"),
        (lambda x: np.apply_along_axis(lambda row: row * 2, 0, x), "apply_along_axis"),
        (lambda x: x * np.random.default_rng(0).random(), "draws random numbers"),
        (lambda x: x * 2 if x.sum() > 0 else x, "a branch or a loop"),
    ],
)
def test_what_cannot_be_repeated_is_refused_in_a_sentence_that_says_what_to_do(function, words):
    with pytest.raises(CannotCompile, match=words + r".*; "):
        tg.compile(function)(X)


def test_isinstance_of_an_array_is_what_it_is_outside():
    step = tg.compile(lambda x: x * 2 if isinstance(x, np.ndarray) else x * 3)
    assert [np.array_equal(step(X), X * 2) for _ in range(4)] == [True] * 4


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_input_in_the_other_order_has_a_program_of_its_own(order):
    layer = nn.Linear(30, 20)
    x = np.random.default_rng(0).normal(size=(40, 30)).astype(np.float32)
    step = tg.compile(lambda x: tg.softmax(layer(x)))
    for each in (x, x, x, np.asarray(x, order=order), np.asarray(x, order=order), np.asarray(x, order=order)):
        assert step(each).data.tobytes() == tg.softmax(layer(each)).data.tobytes()


def test_arrays_that_are_made_of_shapes_are_constants_of_the_program():
    def function(x):
        t = x.shape[0]
        mask = np.tril(np.ones((t, t)))
        return (mask @ x) * np.arange(x.shape[1]) + np.zeros(x.shape[1])

    step = tg.compile(function)
    for i in range(5):
        assert np.array_equal(step(X + i), function(X + i))
    assert len(step.signatures) == 1


def test_an_op_of_ones_own_compiles():
    @tg.register
    class Cubed(tg.Op):
        def forward(self, x):
            return x * x * x

        def backward(self, grad):
            (x,) = self.inputs
            return grad * 3 * x * x

    try:
        w = Tensor([1.0, 2.0], requires_grad=True)

        @tg.compile
        def step(x):
            w.grad = None
            loss = tg.cubed(w * x).sum() + (w * x).cubed().mean()
            loss.backward()
            return loss, w.grad

        for i in range(5):
            x = np.array([i, i + 1], np.float32)
            loss, grad = step(x)
            assert loss.item() == pytest.approx(1.5 * float(((np.array([1.0, 2.0]) * x) ** 3).sum()))
            assert grad.data == pytest.approx(1.5 * 3 * np.array([1.0, 4.0]) * x**3)
        assert len(step.signatures) <= 2  # the first call has found no gradient
    finally:
        tg.unregister("cubed")


def test_two_optimizers_over_one_parameter_are_refused_before_anything_has_changed():
    w = nn.Parameter([1.0, 2.0])
    first, second = optim.SGD([w], lr=0.1), optim.SGD([w], lr=0.2)

    @tg.compile
    def step(x):
        (w * x).sum().backward()
        first.step()
        second.step()

    with pytest.raises(CannotCompile, match="change the same parameter"):
        step(np.ones(2, np.float32))
    assert w.tolist() == [1.0, 2.0] and w.grad is None


def test_what_has_run_can_be_copied_and_pickled_and_is_freed_without_the_collector():
    model = nn.Linear(3, 2)
    step = tg.compile(model)
    for _ in range(4):
        step(X.astype(np.float32))
    for twin in (copy.deepcopy(step), pickle.loads(pickle.dumps(step))):
        assert twin.signatures == [] and np.array_equal(twin(X).data, step(X).data)
    gc.collect()
    gc.disable()
    try:
        gone = weakref.ref(step)
        del step, twin
        assert gone() is None
    finally:
        gc.enable()


def test_an_argument_that_requires_a_gradient_is_refused_in_later_calls_too():
    step = tg.compile(lambda x: x * 2)
    for _ in range(3):
        step(Tensor(X))
    with pytest.raises(CannotCompile, match="requires a gradient"):
        step(Tensor(X, requires_grad=True))


@pytest.mark.parametrize("calls", [0, 3])
@pytest.mark.parametrize("named", [False, True])
def test_an_array_that_shares_memory_with_a_parameter_is_read_where_the_function_reads_it(named, calls):
    def train(wrap):
        tg.manual_seed(0)
        model = nn.Linear(3, 2, bias=False)
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        held, apart = model.weight.data, np.ones((2, 3), np.float32)

        def step(x, w):
            before = np.copy(w)
            loss = (model(x) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return before, np.copy(w) - before

        by_name = lambda x: step(x, held)
        compiled = wrap(by_name if named else step)
        results = [compiled(X) if named else compiled(X, apart) for _ in range(calls)]
        return results + [compiled(X) if named else compiled(X, held) for _ in range(4)]

    for mine, theirs in zip(train(tg.compile), train(lambda f: f)):
        assert [x.tobytes() for x in mine] == [x.tobytes() for x in theirs]


def test_arguments_may_have_any_names():
    def np(np, x, x0, *more, prepare, Differs=1.0, **rest):
        return [np * 2 + x[0], x[1] * x0 * more[0], prepare - Differs, rest["lambda_"]]

    given = (X, [X, X + 1], 3.0, X), {"prepare": X, "lambda_": X}
    step = tg.compile(np)
    for _ in range(4):
        assert all(map(lambda a, b: (a == b).all(), step(*given[0], **given[1]), np(*given[0], **given[1])))


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_chosen_is_read_before_it_is_written_over(turned):
    def train(wrap):
        w = Tensor(np.arange(4.0).reshape(2, 2) - 1.5, requires_grad=True)

        def step(x):
            old = w.data.T if turned else w.data
            w.data[...] = np.where(x > 0, old, x * 2)
            return w.sum()

        step = wrap(step)
        x = np.array([[1.0, -1.0], [1.0, -2.0]])
        return [step(x * (-1) ** i * (i + 1)).item() for i in range(6)], w.tolist()

    assert train(tg.compile) == train(lambda f: f)


RATE = 2.0


def power(x, n):
    return x if n == 0 else power(x, n - 1) * RATE


@pytest.mark.parametrize("calls", [1, 3])
def test_a_number_that_a_function_names_is_seen_where_it_calls_itself(calls):
    step = tg.compile(power)
    for rate in (2.0, 3.0):
        globals().update(RATE=rate)
        assert [np.array_equal(step(X, 2), X * rate**2) for _ in range(calls)] == [True] * calls


def test_the_lines_of_programs_are_forgotten_with_them():
    gc.collect()
    before = sum(file.startswith("<tg.compile") for file in linecache.cache)
    step = tg.compile(lambda x, n: x * n)
    for n in range(100):
        step(X, n)
    gc.collect()
    assert sum(file.startswith("<tg.compile") for file in linecache.cache) <= before + 32
