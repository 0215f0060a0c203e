"""A user's own op: one class and one @register, and it has all that a built-in has."""

import inspect

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor


@pytest.fixture
def cube():
    @tg.register(numpy=np.cbrt)  # any NumPy function that is free will do
    class Cube(tg.Op):
        """x ** 3, elementwise."""

        def forward(self, x, factor: float = 1.0):
            self.factor = factor
            return factor * x * x * x

        def backward(self, grad):
            (x,) = self.inputs
            return grad * self.factor * 3 * x * x

    yield Cube
    if "cube" in tg.registry:
        tg.unregister("cube")


def test_function_method_numpy_function_registry_and_help(cube):
    x = Tensor([2.0], requires_grad=True)
    for y in (tg.cube(x), x.cube(), np.cbrt(x), tg.cube(x, 1.0), tg.cube(x, factor=1.0)):
        assert y.tolist() == [8.0] and y.op.name == "cube" and "op=cube" in repr(y)
    assert tg.registry["cube"] is cube
    assert tg.cube.__doc__ == "x ** 3, elementwise." and "factor" in str(inspect.signature(tg.cube))
    assert "return factor * x * x * x" in inspect.getsource(tg.cube)
    assert tg.gradcheck(tg.cube, x) and tg.gradgradcheck(tg.cube, x)
    assert isinstance(tg.cube(np.array([2.0])), np.ndarray)


def test_unregister_takes_everything_back_and_unknown_names_get_near_ones(cube):
    tg.unregister("cube")
    assert "cube" not in tg.registry and not hasattr(Tensor, "cube") and not hasattr(tg, "cube")
    with pytest.raises(TypeError, match=r"np.cbrt: no op"):
        np.cbrt(Tensor([1.0]))
    with pytest.raises(KeyError, match="nearest are relu"):
        tg.unregister("rleu")


def test_name_clashes_are_refused_and_change_nothing(cube):
    with pytest.raises(ValueError, match=r"'cube' is taken.*tg\.unregister\('cube'\)"):

        @tg.register(name="cube")
        class Other(tg.Op):
            def forward(self, x):
                return x

    with pytest.raises(ValueError, match="Tensor has an attribute 'shape'"):

        @tg.register
        class Shape(tg.Op):
            def forward(self, x):
                return x

    assert tg.registry["cube"] is cube and "shape" not in tg.registry and isinstance(Tensor([1.0]).shape, tuple)


def test_what_is_no_op_is_refused():
    with pytest.raises(TypeError, match="forward"):

        @tg.register
        class Nothing(tg.Op):
            pass

    with pytest.raises(TypeError, match=r"subclass of tg.Op"):

        @tg.register
        class Plain:
            def forward(self, x):
                return x


def test_wrong_rules_get_errors_that_teach():
    @tg.register
    class TooFew(tg.Op):
        def forward(self, x, y):
            return x * y

        def backward(self, grad):
            return grad

    @tg.register
    class WrongShape(tg.Op):
        def forward(self, x):
            return x * 1

        def backward(self, grad):
            return grad[:1]

    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    try:
        with pytest.raises(RuntimeError, match="too_few: backward returned 1 gradients, but forward has 2 inputs"):
            tg.too_few(x, x).sum().backward()
        with pytest.raises(RuntimeError, match=r"wrong_shape: .*shape \(1,\) for an input of shape \(3,\)"):
            tg.wrong_shape(x).sum().backward()
    finally:
        tg.unregister("too_few")
        tg.unregister("wrong_shape")


def test_every_public_op_has_function_docstring_and_example():
    for name, op in tg.registry.items():
        assert callable(getattr(tg, name)), name
        assert op.__doc__ and ">>>" in op.__doc__, f"{name} has no example"
        assert op.function.__doc__ == op.__doc__


def test_the_names_that_editors_find_are_those_that_are_registered():
    names = {name for name, op in tg.registry.items() if op.__module__.startswith("tinygrad_relu.")}
    for name in names:
        module = inspect.getmodule(tg.registry[name])
        assert getattr(module, name) is tg.registry[name].function, f"{name} has no line of its own in its module"


@pytest.mark.parametrize("result", [None, [1.0], (1.0, 2.0), "text", Tensor([1.0])])
def test_a_forward_that_returns_no_array_is_told_so(result):
    @tg.register
    class Odd(tg.Op):
        def forward(self, x):
            return result

    try:
        with pytest.raises(TypeError, match="odd: forward must return one array or number"):
            tg.odd(Tensor([1.0]))
    finally:
        tg.unregister("odd")


def test_python_numbers_and_any_number_of_inputs_will_do():
    @tg.register
    class Total(tg.Op):
        def forward(self, *xs, scale=1.0):
            self.scale = scale
            return float(sum(x.sum() for x in xs)) * scale

        def backward(self, grad):
            return tuple(np.ones_like(x) * grad * self.scale for x in self.inputs)

    x, y = Tensor([1.0, 2.0], requires_grad=True), Tensor([3.0], requires_grad=True)
    try:
        total = tg.total(x, y, scale=2.0)
        total.backward()
        assert total.item() == 12 and total.dtype == np.float32
        assert x.grad.tolist() == [2, 2] and y.grad.tolist() == [2]
    finally:
        tg.unregister("total")


def test_built_in_operators_and_numpy_functions_cannot_be_taken_over():
    for options in ({"operator": "add"}, {"numpy": np.exp}):
        with pytest.raises(ValueError, match=r"taken already|answered by"):

            @tg.register(**options)
            class Mine(tg.Op):
                def forward(self, x, y):
                    return x

    assert "mine" not in tg.registry and (Tensor([1.0]) + 1).tolist() == [2.0]


def test_a_plain_function_takes_over_nothing_either():
    def mean(x):
        return x

    before = Tensor.mean
    with pytest.raises(ValueError, match="'mean' is taken"):
        tg.register(mean)
    with pytest.raises(ValueError, match=r"np\.exp is answered by 'exp' already"):
        tg.register(mean, numpy=np.exp, method=False)
    assert Tensor.mean is before and np.exp(Tensor([0.0])).tolist() == [1.0]


@pytest.fixture
def registered():
    """A function that registers an op for the length of a test."""
    made = []

    def register(op):
        made.append(tg.register(op).name)
        return tg.registry[made[-1]].function

    yield register
    for name in made:
        tg.unregister(name)


class NoteReLU(tg.Op):
    """The seminar note's own Relu: its backward corrupts x + relu(x)."""

    def forward(self, x):
        self.mask = x <= 0
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        return dout


class Doubles(tg.Op):
    def forward(self, x):
        x *= 2
        return x

    def backward(self, grad):
        return 2 * grad


def test_a_rule_that_writes_into_the_incoming_gradient_is_named(registered):
    note_relu = registered(NoteReLU)
    x = Tensor([[1.0, -0.5], [-2.0, 3.0]], requires_grad=True)
    for backward in (
        lambda: (x + note_relu(x)).backward(np.ones((2, 2))),
        lambda: note_relu(x).backward(np.ones((2, 2))),
        lambda: tg.gradcheck(note_relu, x),
    ):
        with pytest.raises(ValueError, match=r"note_relu: it writes into the gradient.*np\.where"):
            backward()
    assert x.grad is None


def test_a_forward_that_writes_into_its_input_is_named_and_changes_nothing(registered):
    doubles = registered(Doubles)
    x, array = Tensor([1.0, 2.0], requires_grad=True), np.ones(3)
    for given in (x, x.detach(), x * 1, array):
        with pytest.raises(ValueError, match=r"doubles: it writes into an input.*Given: "):
            doubles(given)
    assert x.tolist() == [1, 2] and array.tolist() == [1, 1, 1]


def test_a_rule_without_return_is_named(registered):
    class Forgets(tg.Op):
        def forward(self, x):
            return 2 * x

        def backward(self, grad):
            2 * grad

    class ForgetsForward(tg.Op):
        def forward(self, x):
            2 * x

    class ForgetsOneOfTwo(Forgets):
        def forward(self, x, y):
            return x * y

    x = Tensor([1.0], requires_grad=True)
    with pytest.raises(RuntimeError, match=r"forgets: backward returned None; is its `return` missing"):
        registered(Forgets)(x).backward()
    with pytest.raises(RuntimeError, match="forgets_one_of_two: backward returned 1 gradients, but forward has 2"):
        registered(ForgetsOneOfTwo)(x, x).backward()
    with pytest.raises(TypeError, match="forgets_forward: forward must return one array or number, got NoneType"):
        registered(ForgetsForward)(x)


def test_a_users_op_may_return_its_input_and_the_result_is_an_array_of_its_own(registered):
    class Same(tg.Op):
        def forward(self, x):
            return x

        def backward(self, grad):
            return grad

    x = Tensor([1.0, 2.0])
    y = registered(Same)(x)
    y += 1
    assert y.tolist() == [2, 3] and x.tolist() == [1, 2]


def test_a_hook_that_writes_into_its_gradient_does_not_reach_other_nodes():
    def halve(gradient):
        gradient *= 0.5
        return gradient

    x, y = Tensor([1.0], requires_grad=True), Tensor([1.0], requires_grad=True)
    z = x * 1
    z.register_hook(halve)
    (z + y).backward()
    assert x.grad.tolist() == [0.5] and y.grad.tolist() == [1.0]


@pytest.mark.parametrize("name", ["time", "place", "sent", "received", "call", "inputs", "output"])
def test_an_op_that_would_save_under_a_name_of_the_engine_is_refused(name, registered):
    def forward(self, x):
        setattr(self, name, 3)
        return x

    clash = registered(type("Clash", (tg.Op,), {"forward": forward}))
    with pytest.raises(TypeError, match=rf"clash: forward sets self\.{name}, which the engine itself needs"):
        clash(Tensor([1.0]))
