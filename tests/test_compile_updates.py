"""Updates that a function writes itself: the parameters move into one vector, and nobody can tell but by the time."""

import copy
import pickle

import numpy as np
import pytest
from test_compile import X, Y, bits, check_same, plainly

import tinygrad_relu as tg
from tinygrad_relu import Tensor, nn, optim

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


def test_parameters_are_updated_as_one():
    world = World(tg.compile)
    world.train()
    text = world.step.source
    assert "np.subtract(theta, " in text and "out=theta)" in text
    assert text.count("np.subtract(") == text[: text.index("# ---- update")].count("np.subtract(") + 1
    vectors = {id(p.data.base) for p in world.model.parameters()}
    assert len(vectors) == 1


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
    world = World(wrap if wrap is plainly else lambda step: tg.compile(step, without=["updates"]))
    arrays = [p.data for p in world.model.parameters()]
    return world.train(), all(p.data is a for p, a in zip(world.model.parameters(), arrays)), world.state()


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
    assert bits(names["linear0_weight"]) == bits(world.model[0].weight)
