"""What tg.compile takes and gives: methods, copies and pickles, arrays of other makes, named tuples."""

import collections
import copy
import dataclasses
import gc
import operator
import pickle
import subprocess
import sys
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn

X = np.random.default_rng(0).normal(size=(4, 2)).astype(np.float32)


def same(a, b):
    """Equal to the last bit."""
    a, b = (np.asarray(getattr(x, "_array", x)) for x in (a, b))
    return (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


# ---------------------------------------------------------------------- methods


class Scaled(nn.Module):
    """Both parameters and a number of each object count."""

    def __init__(self, factor=1.0):
        super().__init__()
        self.weight = nn.Parameter([1.0, 2.0])
        self.factor = factor

    @tg.compile
    def forward(self, x):
        return x * self.weight * self.factor


class Shifted(Scaled):
    @tg.compile
    def forward(self, x):
        return super().forward(x) + 1


def test_a_forward_of_each_model_computes_with_its_own_parameters():
    first, second, shifted = Scaled(), Scaled(3.0), Shifted(2.0)
    second.weight.data = np.array([5.0, 7.0])
    for x in (X, X + 1, X * 2):
        assert same(first(x), x * np.float32([1, 2]))
        assert same(second(x), x * np.float32([5, 7]) * np.float32(3))
        assert same(shifted(x), x * np.float32([1, 2]) * np.float32(2) + np.float32(1))
    assert first.forward.signatures == ["x: (4, 2) float32, training"]
    assert Scaled.forward.signatures == []
    first.factor = 4.0
    assert same(first(X), X * np.float32([1, 2]) * np.float32(4))


def test_more_objects_than_programs_of_one_function():
    for factor in range(40):
        assert same(Scaled(float(factor))(X), X * np.float32([1, 2]) * np.float32(factor))


def test_an_object_with_a_compiled_method_is_freed():
    model = Scaled()
    model(X), model(X)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


class Slotted:
    __slots__ = ("factor",)

    @tg.compile
    def times(self, x):
        return x * self.factor


class Kinds:
    factor = 2.0
    layer = tg.compile(nn.Identity())

    @classmethod
    @tg.compile
    def of_the_class(cls, x):
        return x * cls.factor

    @staticmethod
    @tg.compile
    def static(x):
        return x * 2

    @property
    @tg.compile
    def doubled(self):
        return np.ones(2) * self.factor


@dataclasses.dataclass(frozen=True)
class Frozen:
    factor: float

    @tg.compile
    def times(self, x):
        return x * self.factor


def test_methods_of_every_kind():
    slotted, frozen = Slotted(), Frozen(3.0)
    for factor in (2.0, 2.0, 5.0):
        slotted.factor = factor
        assert same(slotted.times(X), X * factor)
        with pytest.raises(tg.CannotCompile, match="self is a Slotted, which may change unseen"):
            Slotted.times(slotted, X)
        assert same(frozen.times(X), X * 3.0)
        assert same(dataclasses.replace(frozen, factor=factor).times(X), X * factor)
        assert same(Kinds.of_the_class(X), X * 2.0) and same(Kinds().of_the_class(X), X * 2.0)
        assert same(Kinds.static(X), X * 2) and same(Kinds().static(X), X * 2)
        assert same(Kinds().layer(X), X)
    assert frozen == Frozen(3.0)


def test_a_model_with_a_compiled_forward_learns_in_a_compiled_step_only():
    model = Scaled()
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        model(X).sum().backward()

    @tg.compile
    def step(x):
        model.zero_grad()
        model(x).sum().backward()
        return model.weight.grad

    for x in (X, X + 1, X * 2):
        assert same(step(x), x.sum(axis=0))
        model(x)
    assert len(step.signatures) == 1


# ---------------------------------------------------------------------- copies and pickles


@tg.compile
def double(x):
    """A function at the top of a module."""
    return x * 2


def triple(x):
    return x * 3


def used(function, *args):
    """The function after calls enough to run a program."""
    for _ in range(3):
        function(*args)
    return function


COPIES = {"copy": copy.copy, "deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x))}


@pytest.mark.parametrize("way", COPIES)
def test_copies_begin_without_programs(way):
    original = used(tg.compile(triple, check=2, without=["copies"]), X)
    found = COPIES[way](original)
    assert found is not original and found.signatures == []
    assert (found.check, found.without, found.__name__) == (2, ("copies",), "triple")
    assert same(found(X), X * 3) and same(found(X + 1), (X + 1) * 3)
    assert len(found.signatures) == len(original.signatures) == 1


@pytest.mark.parametrize("way", ["copy", "deepcopy"])
def test_copies_of_a_function_that_a_name_stands_for_no_more(way):
    found = COPIES[way](used(double, X))
    assert found is not double and found.signatures == [] and same(found(X), X * 2)


def test_a_decorated_function_is_pickled_as_its_name():
    assert COPIES["pickle"](used(double, X)) is double


@pytest.mark.parametrize("way", ["deepcopy", "pickle"])
def test_copies_of_a_compiled_model_have_their_own_parameters(way):
    original = used(tg.compile(nn.Linear(2, 3)), X)
    found = COPIES[way](original)
    found.function.weight.data *= 2
    found.function.bias.data *= 2
    assert same(found(X), found.function(X)) and same(original(X), original.function(X))
    assert same(found(X), original(X) * 2)


@pytest.mark.parametrize("way", COPIES)
def test_copies_of_an_object_with_compiled_methods(way):
    original = Scaled()
    used(original, X)
    found = COPIES[way](original)
    found.weight = nn.Parameter([5.0, 6.0])
    for x in (X, X + 1):
        assert same(found(x), x * np.float32([5, 6])) and same(original(x), x * np.float32([1, 2]))
    method = COPIES["pickle"](used(original.forward, X))
    assert same(method(X), original(X)) and len(method.signatures) == 1


def test_what_pickle_cannot_find_is_an_error_that_says_so():
    def inside(x):
        return x + 1

    for function in (lambda x: x, inside):
        with pytest.raises(pickle.PicklingError, match="define it at the top of a module"):
            pickle.dumps(used(tg.compile(function), X))


def test_a_pickle_in_another_process(tmp_path):
    (tmp_path / "steps.py").write_text(
        "import tinygrad_relu as tg\n\n\n@tg.compile\ndef half(x):\n    return x / 2\n", encoding="utf-8"
    )
    write = "import pickle, sys, numpy as np, steps; steps.half(np.ones(2)); steps.half(np.ones(2)); "
    write += "sys.stdout.buffer.write(pickle.dumps(steps.half))"
    read = "import pickle, sys, numpy as np; half = pickle.load(sys.stdin.buffer); "
    read += "print(half.signatures, half(np.ones(2)), half(np.ones(2)))"
    pickled = subprocess.run([sys.executable, "-c", write], cwd=tmp_path, capture_output=True, check=True).stdout
    found = subprocess.run([sys.executable, "-c", read], cwd=tmp_path, input=pickled, capture_output=True, check=False)
    assert found.stdout.decode() == "[] [0.5 0.5] [0.5 0.5]\n", found.stderr.decode()


def test_compiled_twice_is_compiled_once():
    assert tg.compile(tg.compile(triple)).function is triple


# ---------------------------------------------------------------------- arrays of other makes


class Table:
    """What libraries of tables have in common: it gives a plain array when it is asked."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype=dtype)


class Mine(np.ndarray):
    """An array that multiplies in a way of its own."""

    def __mul__(self, other):
        return self


def linear(x, y):
    return x * y - y[::-1] * 3


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(
    "make",
    [Table, np.matrix, np.ma.array, lambda x: x.view(Mine), lambda x: np.ma.array(x, mask=np.zeros_like(x, bool))],
    ids=["table", "matrix", "masked array", "subclass", "nothing masked"],
)
def test_arrays_of_other_makes_go_by_place(make):
    compiled = tg.compile(lambda batch, *, y: linear(batch["x"], y))
    for x in (X, X + 1, X * 2):
        found = compiled({"x": make(x)}, y=make(x + 2))
        assert type(found) is np.ndarray and same(found, linear(x, x + 2))
    assert len(compiled.signatures) == 1
    assert same(compiled({"x": X}, y=X), linear(X, X)) and len(compiled.signatures) == 1


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "pow", "matmul", "lt", "le", "gt", "ge", "eq", "ne"])
def test_an_argument_meets_a_tensor_on_either_side_of_an_operator(name):
    apply, w = getattr(operator, name), Tensor(X.T @ X + 1, requires_grad=True)
    step = tg.compile(lambda x: (apply(x, w), apply(w, x)))
    for x in (np.abs(X[:2]), np.abs(X[2:]), np.abs(X[1:3])):
        assert all(map(same, step(x), (apply(x, w), apply(w, x))))


def test_tables_of_pandas_go_by_place():
    pandas = pytest.importorskip("pandas")
    compiled, step = tg.compile(linear), tg.compile(nn.Linear(2, 1))
    for x in (X, X + 1):
        frame = pandas.DataFrame(x, columns=["a", "b"], index=[3, 1, 2, 0])
        column, other = frame["a"], frame["b"].sort_index()
        assert same(compiled(column, other), linear(column.to_numpy(), other.to_numpy()))
        assert same(step(frame), step.function(x))
    with pytest.raises(TypeError, match="expected real numbers"):
        compiled(pandas.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}), X)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.ma.array(X, mask=X > 0), "a mask that hides 6 of its 8 elements; fill them"),
        (Table(np.array([1, None])), "compile: an argument.*expected real numbers"),
        (np.array([1, "a"], dtype=object), "compile: an argument.*expected real numbers"),
    ],
)
def test_what_has_no_plain_array_of_numbers_is_refused(array, message):
    compiled = tg.compile(lambda x: x * 2)
    for call in (compiled, compiled.prepare):
        with pytest.raises(TypeError, match=message):
            call(array)
    assert compiled.signatures == []


# ---------------------------------------------------------------------- named tuples

Batch = collections.namedtuple("Batch", "x y")
Other = collections.namedtuple("Other", "y x")
Single = collections.namedtuple("Single", "x")


def test_named_tuples_stay_what_they_are():
    @tg.compile
    def function(batch):
        return Batch(batch.x * 2, [Single(batch.y), (batch.y + 1, Other(x=batch.x, y=3))])

    for call in range(4):
        x, y = X + call, Tensor(X - call)
        found = function(Batch(x, y))
        assert type(found) is Batch and type(found.y[0]) is Single and type(found.y[1]) is tuple
        assert type(found.y[1][1]) is Other and found.y[1][1].y == 3
        assert same(found.x, x * 2) and same(found.y[0].x, y) and same(found.y[1][1].x, x)
    assert len(function.signatures) == 1


def test_a_program_for_one_kind_of_tuple_is_none_for_another():
    function = tg.compile(lambda batch: batch.x - 2 * batch.y)
    for _ in range(3):
        assert same(function(Batch(X, X + 1)), X - 2 * (X + 1))
        assert same(function(Other(X, X + 1)), X + 1 - 2 * X)
    with pytest.raises(AttributeError):
        function((X, X + 1))


def test_named_tuples_of_numpy():
    @tg.compile
    def function(x):
        found = np.linalg.eigh(x.T @ x)
        return found.eigenvectors @ np.diag(found.eigenvalues), np.stack(Batch(x, x + 1))

    for x in (X, X + 1, X * 2):
        values, vectors = np.linalg.eigh(x.T @ x)
        product, stacked = function(x)
        assert same(product, vectors @ np.diag(values)) and same(stacked, np.stack([x, x + 1]))


# ---------------------------------------------------------------------- text


def test_one_program_and_one_call_are_told_in_the_singular():
    function = tg.compile(triple)
    assert repr(function) == "<compiled triple: 0 programs>"
    function(X)
    assert repr(function) == "<compiled triple: 1 program>"
    assert function.source.startswith('"""triple(x) as plain NumPy, in 1 call;')
    function(X[:2])
    assert repr(function) == "<compiled triple: 2 programs>"
