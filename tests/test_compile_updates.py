"""Updates that a function writes itself: the parameters move into one vector, and nobody can tell but by the time."""

import copy
import pickle

import numpy as np
import pytest
from test_compile import X, Y, bits, check_same, plainly

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim
from tinygrad_relu.compile import CannotCompile

SCENARIOS = []


def scenario(function):
    SCENARIOS.append(function)
    return function


@pytest.mark.parametrize("each", SCENARIOS, ids=lambda each: each.__name__)
def test_same_as_eager(each):
    check_same(each)


class World:
    """A model, and a training step that updates each parameter by itself."""

    def __init__(self, wrap, model=None):
        tg.manual_seed(1)
        self.model = model = nn.MLP(3, [4], 2) if model is None else model
        self.lr = lr = Tensor(0.1)

        def step(x, y):
            loss = tg.cross_entropy(model(x), y)
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                if p.requires_grad:
                    p.data -= lr.data * p.grad.data
            return loss

        self.eager = step
        self.step = wrap(step)

    def train(self, count=3):
        return [self.step(X, Y) for _ in range(count)]

    def state(self):
        params = list(self.model.parameters())
        return [p.data.copy() for p in params], [None if p.grad is None else p.grad for p in params]


@scenario
def the_learning_rate_changes(wrap):
    world = World(wrap)
    results = world.train()
    world.lr.data[...] = 0.01
    return results, world.train(), world.state()


@scenario
def views_taken_before_see_the_change(wrap):
    world = World(wrap)
    views = [p.data for p in world.model.parameters()]
    row, whole = world.model[0].weight.data[0], world.model[2].weight.detach().numpy()
    results = world.train()
    return results, views, row, whole, world.state()


@scenario
def arrays_of_the_users_see_the_change(wrap):
    w, b = np.ones((2, 3), np.float32), np.zeros(2, np.float32)
    layer = nn.Linear(3, 2)
    layer.weight.data, layer.bias.data = w, b
    world = World(wrap, nn.Sequential(layer))
    return world.train(), w, b, world.state()


@scenario
def views_taken_later_see_the_change(wrap):
    world = World(wrap)
    results = world.train()
    views = [p.data for p in world.model.parameters()]
    return results, world.train(), views, world.state()


@scenario
def gradients_that_were_kept_stay(wrap):
    world = World(wrap)
    kept = []
    for _ in range(4):
        world.step(X * np.float32(len(kept)), Y)
        kept += [p.grad for p in world.model.parameters()]
    return kept, world.state()


@scenario
def other_arrays_between_the_calls(wrap):
    world = World(wrap)
    results = world.train()
    world.model[0].weight.data = np.full((4, 3), 0.5, np.float32)
    results += world.train()
    for p in world.model.parameters():
        p.data = p.data * np.float32(0.5)
    results += world.train()
    world.model[2].bias.data[...] = 1
    return results, world.train(), world.state()


@scenario
def another_dtype_between_the_calls(wrap):
    world = World(wrap)
    results = world.train()
    world.model.to("float64")
    results += world.train()
    world.model.to("float32")
    return results, world.train(), world.state()


@scenario
def eager_steps_in_between(wrap):
    world = World(wrap)
    results = []
    for _ in range(3):
        results += [world.step(X, Y), world.eager(X, Y), world.step(X[:5], Y[:5]), world.eager(X[:5], Y[:5])]
    return results, world.state()


@scenario
def an_optimizer_comes_later(wrap):
    world = World(wrap)
    results = world.train()
    optimizer = optim.Adam(world.model.parameters(), lr=0.01)
    for _ in range(3):
        world.model.zero_grad()
        tg.cross_entropy(world.model(X), Y).backward()
        optimizer.step()
        results += world.train(2)
    return results, world.state(), optimizer.state_dict()


@scenario
def an_optimizer_was_there_before(wrap):
    tg.manual_seed(1)
    model = nn.MLP(3, [4], 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    world = World(wrap, model)
    results = world.train()
    optimizer.zero_grad()
    tg.cross_entropy(model(X), Y).backward()
    optimizer.step()
    return results, world.train(), world.state(), optimizer.state_dict()


@scenario
def both_in_one_step(wrap):
    tg.manual_seed(1)
    model, extra = nn.MLP(3, [4], 2), nn.MLP(2, [3], 2)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(x, y):
        loss = tg.cross_entropy(extra(model(x)), y)
        optimizer.zero_grad()
        extra.zero_grad()
        loss.backward()
        optimizer.step()
        for p in extra.parameters():
            p.data -= 0.1 * p.grad.data
        return loss

    step = wrap(step)
    return [step(X, Y) for _ in range(5)], model.state_dict(), extra.state_dict()


@scenario
def two_functions_of_the_same_parameters(wrap):
    world = World(wrap)
    other = World(wrap, world.model)
    results = []
    for _ in range(3):
        results += [world.step(X, Y), other.step(X, Y), other.step(X[:3], Y[:3])]
    return results, world.state()


@scenario
def functions_of_overlapping_parameters(wrap):
    tg.manual_seed(1)
    first, middle, last = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 2)
    one, two = World(wrap, nn.Sequential(first, middle)), World(wrap, nn.Sequential(middle, last))
    results = []
    for _ in range(3):
        results += [one.step(X, Y), two.step(np.ones((8, 4), np.float32), Y)]
    return results, one.state(), two.state()


@scenario
def copies_of_the_model_go_their_own_way(wrap):
    world = World(wrap)
    results = world.train()
    twin, stored = copy.deepcopy(world.model), pickle.loads(pickle.dumps(world.model))
    before = [bits(list(each.parameters())) for each in (twin, stored)]
    results += world.train()
    after = [bits(list(each.parameters())) for each in (twin, stored)]
    second = World(wrap, twin)
    return results, before == after, second.train(), world.train(), world.state(), second.state()


@scenario
def a_state_is_loaded(wrap):
    world = World(wrap)
    state = copy.deepcopy(world.model.state_dict())
    results = world.train()
    world.model.load_state_dict(state)
    return results, world.train(), world.state()


@scenario
def parameters_frozen_in_between(wrap):
    world = World(wrap)
    results = world.train()
    for wanted in (False, True):
        world.model[0].weight.requires_grad = wanted
        results += world.train()
    return results, world.state()


@scenario
def tied_weights(wrap):
    tg.manual_seed(1)
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    world = World(wrap, nn.Sequential(first, nn.ReLU(), second, nn.Linear(3, 2)))
    return world.train(5), world.state()


@scenario
def an_error_changes_nothing(wrap):
    world = World(wrap)
    results = world.train()
    before = bits([p.data for p in world.model.parameters()])
    for x, y in ((X, Y + 5), (X[:, :2], Y)):
        with pytest.raises((ValueError, TypeError, IndexError)):
            world.step(x, y)
    return results, before == bits([p.data for p in world.model.parameters()]), world.train(), world.state()


@scenario
def plain_tensors(wrap):
    rng = np.random.default_rng(0)
    w, b = (Tensor(rng.normal(size=size).astype(np.float32), requires_grad=True) for size in ((3, 2), 2))

    def step(x, y):
        loss = tg.cross_entropy(x @ w + b, y)
        w.grad = b.grad = None
        loss.backward()
        for p in (w, b):
            p.data -= 0.1 * p.grad.data
        return loss

    step = wrap(step)
    return [step(X, Y) for _ in range(5)], w, b, w.grad, b.grad


@scenario
def without_the_pass(wrap):
    world = World(wrap if wrap is plainly else lambda step: tg.compile(step, without=["memory"]))
    arrays = [p.data for p in world.model.parameters()]
    return world.train(), all(p.data is a for p, a in zip(world.model.parameters(), arrays)), world.state()


def small_pair():
    return nn.Parameter(np.ones((2, 2), np.float32)), nn.Parameter(np.ones((2, 2), np.float32))


def descent(wrap, *params):
    """A step on a loss of all these parameters, which updates each by itself."""

    def step(x):
        loss = sum(((p * x) ** 2).sum() for p in params)
        for p in params:
            p.grad = None
        loss.backward()
        for p in params:
            p.data -= 0.01 * p.grad.data
        return loss

    return wrap(step)


def calls(step, count=4, shape=(2, 2)):
    return [step(np.random.default_rng(i).normal(size=shape).astype(np.float32)) for i in range(count)]


@scenario
def a_target_network_follows(wrap):
    params, targets = small_pair(), small_pair()

    def step(x):
        for p in params:
            p.data -= x
        for p, q in zip(params, targets):
            q.data[...] = 0.9 * q.data + 0.1 * p.data

    return calls(wrap(step)), params, targets


@scenario
def a_view_is_written_over(wrap):
    p = nn.Parameter(np.ones((4, 2), np.float32))

    def step(x):
        rows = p.data[1:3]
        rows[...] = rows * x

    return calls(wrap(step)), p


@scenario
def a_gradient_is_replaced_in_its_place(wrap):
    p = nn.Parameter(np.ones((2, 2), np.float32))

    def step(x):
        p.grad = None
        (p * x).sum().backward()
        p.grad.data[...] = np.sign(p.grad.data)

    return calls(wrap(step)), p.grad


@scenario
def momentum_in_the_gradient(wrap):
    p = nn.Parameter(np.ones((2, 2), np.float32))

    def step(x):
        (p * x).sum().backward()
        p.data -= 0.1 * p.grad.data
        p.grad.data *= 0.9

    return calls(wrap(step)), p, p.grad


@scenario
def a_result_is_written_over_a_gradient(wrap):
    p, target = small_pair()[0], np.full((2, 2), 2, np.float32)

    def step(x):
        p.grad = None
        (p * x).sum().backward()
        np.subtract(p.data, target, out=p.grad.data)

    return calls(wrap(step)), p.grad


@scenario
def weights_are_clipped_in_place(wrap):
    p, q = small_pair()

    def step(x):
        p.data += x
        np.clip(p.data, -0.1, 0.1, out=p.data)
        q.data -= x
        q.data.clip(-0.1, 0.1, out=q.data)
        q.data = q.data * 0.5 + x
        np.minimum(q.data, 0.1, out=q.data)
        return p.data * 1, q.data * 1

    return calls(wrap(step)), p, q


@scenario
def results_that_cast_and_broadcast(wrap):
    def step(x):
        y, z = x * 2, x * 3
        y += x.astype(np.float64)
        np.multiply(x[:1], 3.0, out=z)
        z -= np.float64(0.1)
        return y, z * y

    return calls(wrap(step))


@scenario
def the_order_in_memory_is_that_of_eager(wrap):
    """Sums are taken in the order in which the elements lie, so that another one shows in the last bits."""
    rng = np.random.default_rng(0)
    w, b = (nn.Parameter(rng.normal(size=size).astype(np.float32)) for size in ((31, 57), 31))
    layer = nn.Linear(57, 31, bias=False)

    def step(x):
        loss = ((x @ w.T + b) ** 2).mean() + (layer(x) ** 2).mean()
        w.grad = b.grad = layer.weight.grad = None
        loss.backward()
        norm = np.sqrt(sum(np.sum(p.grad.data**2) for p in (w, b)))
        for p in (w, b):
            p.data -= 0.01 / (norm + 1) * p.grad.data
        return loss, norm, x.T

    found = []
    step = wrap(step)
    for i in range(4):
        loss, norm, x = step(np.random.default_rng(i).normal(size=(8, 57)).astype(np.float32))
        grads = [p.grad.data for p in (w, b, layer.weight)]
        found.append([loss, norm, x.sum(), x.strides, [(grad.sum(), grad.strides) for grad in grads]])
    return found, w, b


@scenario
def parameters_of_odd_layouts(wrap):
    a, b, c = (nn.Parameter(np.ones((2, 3), np.float32)) for _ in range(3))
    rng = np.random.default_rng(0)
    a.data = rng.normal(size=(4, 6)).astype(np.float32)[::2, ::2]
    strided = np.lib.stride_tricks.as_strided
    held = np.arange(6, dtype=np.float32)
    b.data = strided(held, (2, 3), (12, 4))
    data = bytearray(24)
    c.data = np.frombuffer(data, np.float32).reshape(2, 3)
    results = calls(descent(wrap, a, b, c), shape=(2, 3))
    return results, [(p.data.sum(), p.data) for p in (a, b, c)], held, data.hex()


@scenario
def a_parameter_that_overlaps_itself(wrap):
    p, q = small_pair()
    p.data = np.lib.stride_tricks.as_strided(np.ones(2, np.float32), (2, 2), (0, 4), writeable=True)
    return calls(descent(wrap, p, q)), p, q


@scenario
def the_array_given_in_between_stays_the_users(wrap):
    p, q = small_pair()
    step = descent(wrap, p, q)
    results = calls(step)
    p.data = held = np.full((2, 2), 2, np.float32)
    results += calls(step)
    p.data = q.data  # tied from now on
    return results, calls(step), held, p, q


@scenario
def two_tensors_are_given_one_memory(wrap):
    a, b = (Tensor(np.ones((2, 2), np.float32)) for _ in range(2))

    def step(x):
        old = a.data.astype(np.float32)
        b.data -= x
        return old

    step = wrap(step)
    results = calls(step)
    memory = np.ones(6, np.float32)
    a.data, b.data = memory[:4].reshape(2, 2), memory[2:].reshape(2, 2)
    return results, calls(step), memory


@scenario
def a_change_of_dtype_that_is_none(wrap):
    world = World(wrap)
    results = world.train()
    world.model.to("float32")
    results += world.train(1)
    kept = [p.grad for p in world.model.parameters()]
    return results, world.train(), kept


@scenario
def gradients_only_beside_an_optimizer(wrap):
    p, q = small_pair()
    optimizer = optim.SGD([p, q], lr=0.1)

    def gradients(x):
        loss = (p * x + q * q).sum()
        optimizer.zero_grad()
        loss.backward()
        return loss

    gradients = wrap(gradients)
    for _ in range(4):
        calls(gradients, 1)
        optimizer.step()  # warns if it takes the gradients for those of the last step
    return p, q


def raises(function):
    try:
        return function()
    except RuntimeError as error:
        return type(error).__name__


@scenario
def an_older_graph_may_not_go_back(wrap):
    p, q = small_pair()
    step = descent(wrap, p, q)
    calls(step)
    loss = (p * p * q).sum()
    calls(step, 1)
    return raises(loss.backward)


@scenario
def a_change_elsewhere_in_the_vector_is_none_of_ours(wrap):
    p, q = small_pair()
    calls(descent(wrap, p, q))
    p.grad = None
    loss = (p * p).sum()
    q.data += 1
    return raises(loss.backward), p.grad


def test_read_only_parameter_is_refused():
    p = nn.Parameter(np.ones((2, 2), np.float32))
    p._array = np.broadcast_to(np.float32(1), (2, 2))

    @tg.compile
    def step(x):
        p.data = p.data * 0.5 + x

    with pytest.raises(CannotCompile, match=r"read-only.*np\.copy"):
        calls(step)


def test_momentum_in_plain_arrays_is_refused():
    p, momentum = small_pair()[0], [np.zeros((2, 2), np.float32)]

    @tg.compile
    def step(x):
        p.grad = None
        ((p * x) ** 2).sum().backward()
        for each, v in zip((p,), momentum):
            v *= 0.9
            v += each.grad.data
            each.data -= 0.1 * v

    with pytest.raises(CannotCompile, match="momentum is a list, which may change unseen"):
        calls(step)


def test_an_array_of_the_users_that_is_written_into_is_refused():
    momentum = np.zeros((2, 2), np.float32)

    @tg.compile
    def step(x):
        momentum[...] = momentum + x
        return momentum.sum()

    with pytest.raises(CannotCompile, match="written into"):
        calls(step)
    assert not momentum.any()


def test_checking_every_call():
    world = World(lambda step: tg.compile(step, check=1))
    world.train(5)


def test_saved_program_goes_on(tmp_path):
    world = World(tg.compile)
    world.train(2)
    world.step.save(tmp_path / "step.py")
    names = {"__name__": "step", "__file__": str(tmp_path / "step.py")}
    exec(compile((tmp_path / "step.py").read_text(), "step.py", "exec"), names)
    for _ in range(5):
        assert bits(names["step"](X, Y)) == bits(world.step(X, Y))
    assert bits(names["weight0"]) == bits(world.model[0].weight)
