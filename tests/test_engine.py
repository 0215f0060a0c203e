"""What the engine must withstand: order, depth, cycles, aliasing, hooks, freed graphs, threads, odd inputs."""

import copy
import gc
import pickle
import threading
import weakref

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor


def leaf(data, **options):
    return Tensor(data, requires_grad=True, **options)


# ---------------------------------------------------------------------- order


def test_shared_nodes_wait_for_all_their_consumers():
    a = leaf(1.5)
    b = a + a
    c = b + b
    c.backward()
    assert a.grad.item() == 4.0


def test_ladder_of_20_rungs_is_21_nodes_and_its_gradient_two_to_the_20():
    x = start = leaf(1.0)
    for _ in range(20):
        x = x + x
    assert len(tg.topological_order([x])) == 21
    x.backward()
    assert start.grad.item() == 2.0**20


def test_topological_order_puts_every_node_after_all_its_consumers():
    rng = np.random.default_rng(0)
    nodes = [leaf(float(i)) for i in range(5)]
    for _ in range(200):
        i, j = rng.integers(len(nodes), size=2)
        nodes.append(nodes[i] * nodes[j] if rng.random() < 0.5 else nodes[i] + nodes[j])
    root = nodes[-1]
    for node in nodes[5:-1]:
        root = root + node
    order = tg.topological_order([root])
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    for node in order:
        if node.op:
            assert all(place[parent] > place[node] for parent in node.op.parents if parent is not None)


def test_chain_of_100_000_ops_goes_back_without_recursion():
    x = y = leaf(1.0, dtype=np.float64)
    for _ in range(100_000):
        y = y * 1.00001
    y.backward()
    np.testing.assert_allclose(x.grad.item(), 1.00001**100_000, rtol=1e-9)


def test_a_million_nodes_are_visited_once_each_and_let_go():
    x = y = leaf(1.0, dtype=np.float64)
    for _ in range(1_000_000):
        y = y + x
    assert len(tg.topological_order([y])) == 1_000_001
    y.backward()
    assert x.grad.item() == 1_000_001


# ---------------------------------------------------------------------- memory


def test_graph_is_gone_with_its_last_reference_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(np.ones((3, 3)))
        hidden = tg.relu(x @ x) * 2 + x
        loss = hidden.sum()
        watched = [weakref.ref(hidden), weakref.ref(hidden.op), weakref.ref(loss.op)]
        loss.backward(retain_graph=True)
        del hidden, loss
        assert [ref() for ref in watched] == [None, None, None]
        tg.grad(tg.relu(x).sum(), x, create_graph=True)
        tg.hvp(lambda t: (t**3).sum(), x, np.ones((3, 3)))
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_backward_lets_the_graph_go():
    x = leaf([1.0, 2.0])
    hidden = x * x
    op = weakref.ref(hidden.op)
    loss = hidden.sum()
    loss.backward()
    assert op() is None


def test_gradients_share_memory_with_nothing():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    given = np.array([1.0, 1.0], dtype=np.float32)
    z = x + y
    z.retain_grad()
    z.backward(given)
    arrays = [x.grad.data, y.grad.data, z.grad.data, given, x.data, y.data, z.data]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            assert not np.shares_memory(a, b)


def test_create_graph_gradients_share_no_memory_either():
    x, y = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    (x + y).backward([1.0, 1.0], create_graph=True)
    assert not np.shares_memory(x.grad.data, y.grad.data)


def test_intermediate_gradients_are_local_to_one_pass():
    x = leaf(2.0)
    y = (x * x).relu()
    for expected in (4.0, 8.0):
        y.backward(retain_graph=True)
        assert x.grad.item() == expected
    x.grad = None
    y.backward()
    assert x.grad.item() == 4.0


# ---------------------------------------------------------------------- ReLU


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_at_the_awkward_points_is_pytorchs(dtype):
    x = leaf(np.array([-np.inf, -0.0, 0.0, np.nan, np.inf, 1.0], dtype=dtype))
    y = tg.relu(x)
    np.testing.assert_array_equal(y.detach().numpy(), [0, 0, 0, np.nan, np.inf, 1])
    y.backward(np.ones(6))
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0, 0, 1, 1, 1])


def test_the_seminar_notes_four_numbers():
    x = leaf([1.0, -2.0, 3.0, -4.0])
    y = tg.relu(x)
    assert y.tolist() == [1, 0, 3, 0] and y.op.mask.tolist() == [False, True, False, True]
    y.backward([1, 2, -3, 4])
    assert x.grad.tolist() == [1, 0, -3, 0]


def test_shared_incoming_gradient_is_not_corrupted():
    x, u = leaf([-1.0, 2.0, 3.0]), leaf([4.0, -5.0, 6.0])
    incoming = np.broadcast_to(np.float32(1), (3,))  # read-only
    (x + tg.relu(x)).backward(incoming)
    assert x.grad.tolist() == [1, 2, 2]
    x.grad = None
    (tg.relu(x) + tg.relu(u)).backward(incoming)
    assert x.grad.tolist() == [0, 1, 1] and u.grad.tolist() == [1, 0, 1]


def test_inputs_never_change():
    x = leaf([-1.0, 2.0])
    before = x.data.copy()
    tg.relu(x).sum().backward()
    np.testing.assert_array_equal(x.data, before)


# ---------------------------------------------------------------------- backward's rules


def test_gradients_add_up_at_leaves_until_cleared():
    x = leaf([1.0, 2.0])
    for _ in range(3):
        (x * x).sum().backward()
    assert x.grad.tolist() == [6, 12]


def test_second_backward_is_the_same_clear_error_whether_or_not_something_was_saved():
    for make in (lambda x: (x + x).sum(), lambda x: (x * x).sum()):
        loss = make(leaf([1.0, 2.0]))
        loss.backward()
        with pytest.raises(RuntimeError, match=r"already freed.*retain_graph=True"):
            loss.backward()


def test_two_losses_over_one_trunk_name_the_freed_op():
    x = leaf([1.0, 2.0])
    trunk = tg.exp(x)
    trunk.sum().backward()
    with pytest.raises(RuntimeError, match=r"'exp'.*freed"):
        (trunk * 2).sum().backward()


def test_backward_errors_say_what_to_do():
    with pytest.raises(RuntimeError, match=r"scalar.*sum"):
        (leaf([1.0, 2.0]) * 2).backward()
    with pytest.raises(RuntimeError, match="requires_grad=True"):
        Tensor(1.0).backward()
    with pytest.raises(RuntimeError, match=r"\(3,\).*\(2,\)"):
        (leaf([1.0, 2.0]) * 2).backward([1.0, 2.0, 3.0])


def test_unused_inputs_get_no_gradient_and_grad_names_them():
    x, unused = leaf([1.0]), leaf([1.0], name="b")
    (x * 2).sum().backward()
    assert unused.grad is None
    with pytest.raises(RuntimeError, match=r"input 1 \(b\).*allow_unused=True"):
        tg.grad((x * 2).sum(), (x, unused))
    assert tg.grad((x * 2).sum(), (x, unused), allow_unused=True)[1] is None


def test_grad_leaves_dot_grad_alone_and_takes_intermediates():
    x = leaf(3.0)
    y = x * x
    dz_dy, dz_dx = tg.grad(y * y, (y, x))
    assert (dz_dy.item(), dz_dx.item(), x.grad) == (18.0, 108.0, None)


def test_root_that_is_an_ancestor_of_another_root():
    x = leaf(2.0)
    y = x * x
    (g,) = tg.grad((y, y * y), x)
    assert g.item() == 2 * 2 + 4 * 2**3


def test_gradients_of_gradients_to_the_third_order():
    x = leaf(2.0, dtype=np.float64)
    y = x**4
    for expected in (32.0, 48.0, 48.0):
        (y,) = tg.grad(y, x, create_graph=True)
        assert y.item() == expected


def test_a_gradient_penalty_trains_through_the_first_gradient():
    w = leaf([1.0, 2.0], dtype=np.float64)
    (g,) = tg.grad((w**3).sum(), w, create_graph=True)
    (g * g).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * 3 * w.data**2 * 6 * w.data)


def test_hooks_see_and_may_replace_the_total_gradient():
    x = leaf([1.0, 2.0])
    seen = []
    handle = x.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: g * 10)
    (x * 2 + x).sum().backward()
    assert seen == [[3, 3]] and x.grad.tolist() == [30, 30]
    handle.remove()
    handle.remove()
    x.grad = None
    (x * 2).sum().backward()
    assert len(seen) == 1 and x.grad.tolist() == [20, 20]


def test_a_hook_on_an_intermediate_changes_what_flows_on_and_what_is_retained():
    x = leaf([1.0, 2.0])
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 0)
    y.sum().backward()
    assert y.grad.tolist() == [0, 0] and x.grad.tolist() == [0, 0]


def test_a_hook_that_changes_the_shape_is_refused():
    x = leaf([1.0, 2.0])
    x.register_hook(lambda g: g.sum())
    with pytest.raises(RuntimeError, match=r"hook.*\(\).*\(2,\)"):
        (x * 2).sum().backward()


def test_an_error_on_the_way_leaves_no_half_written_gradients():
    x, y = leaf([1.0]), leaf([1.0])
    late = tg.exp(y)
    late.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        (x * 2 + late).sum().backward()
    assert x.grad is None and y.grad is None


# ---------------------------------------------------------------------- modes


def test_no_grad_is_a_context_a_decorator_and_local_to_its_thread():
    x = leaf([1.0])
    results = {}

    @tg.no_grad()
    def double(t):
        return t * 2

    def other():
        results["thread"] = (x * 2).requires_grad

    with tg.no_grad():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        results["here"] = (x * 2).requires_grad
    assert results == {"thread": True, "here": False}
    assert not double(x).requires_grad and (x * 2).requires_grad


def test_no_grad_ends_when_the_block_raises():
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError
    assert tg.is_grad_enabled()


def test_threads_that_share_a_leaf_lose_no_gradient():
    w = leaf(np.zeros(64, dtype=np.float64))

    def work():
        for _ in range(200):
            (w * 2).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert (w.grad.numpy() == 1600).all()


def test_anomaly_names_the_first_source_and_the_line():
    with tg.detect_anomaly(), pytest.raises(FloatingPointError, match=r"log: the forward pass.*test_engine\.py"):
        tg.exp(tg.log(leaf([1.0, -1.0])) * 2)


def test_anomaly_in_the_backward_pass():
    x = leaf([0.0, 1.0])
    with tg.detect_anomaly():
        y = tg.sqrt(x).sum()
        with pytest.raises(FloatingPointError, match="sqrt: the backward pass"):
            y.backward()


# ---------------------------------------------------------------------- odd inputs


def test_integers_compute_but_require_no_gradient():
    t = Tensor(np.array([1, 2, 3]))
    assert t.dtype.kind == "i" and (t * 2).tolist() == [2, 4, 6]
    with pytest.raises(TypeError, match="only floats have gradients, not int64"):
        Tensor(np.array([1, 2]), requires_grad=True)
    with pytest.raises(TypeError, match="only floats have gradients, not "):
        t.requires_grad_()


def test_zero_d_and_empty():
    x = leaf(2.0)
    (x * x).backward()
    assert x.grad.shape == () and x.grad.item() == 4 and isinstance(x.data, np.ndarray)
    e = leaf(np.zeros((0, 3)))
    tg.relu(e).sum().backward()
    assert e.grad.shape == (0, 3)


def test_gradient_has_the_dtype_of_its_tensor_in_mixed_arithmetic():
    x, y = leaf(np.ones(3, np.float32)), leaf(np.ones(3, np.float64))
    (x * y).sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_numbers_beside_a_float32_tensor_do_not_promote_it():
    x = leaf([1.0])
    for number in (2, 2.0, np.float64(2), np.float32(2), np.int64(2), True):
        for result in (x * number, number * x, x + number, tg.maximum(x, number)):
            assert result.dtype == np.float32 and isinstance(result, Tensor)


@pytest.mark.parametrize("bad", ["text", ["a"], [[1.0], [1.0, 2.0]], 1j, None, {"a": 1}, [object()]])
def test_data_that_are_no_numbers_are_refused(bad):
    with pytest.raises((TypeError, ValueError), match="Tensor: expected"):
        Tensor(bad)


@pytest.mark.parametrize("bad", ["text", None, object(), np.array(["a"]), np.array([1, None]), 1j])
def test_operands_that_are_no_numbers_are_refused_by_the_op(bad):
    with pytest.raises(TypeError, match="add: "):
        Tensor([1.0, 2.0]) + bad


def test_lists_of_tensors_are_not_detached_in_silence():
    x = leaf([1.0])
    for make in (lambda: Tensor([x, x]), lambda: x + [x], lambda: np.array([x, x])):
        with pytest.raises(TypeError, match="stack"):
            make()


def test_shape_errors_name_op_and_shapes():
    with pytest.raises(ValueError, match=r"add:.*\(2,\) float32, \(3,\) float32"):
        leaf([1.0, 2.0]) + leaf([1.0, 2.0, 3.0])


def test_options_are_checked_with_the_signature_in_the_error():
    with pytest.raises(TypeError, match=r"leaky_relu: .*negative_slope"):
        tg.leaky_relu(leaf([1.0]), slope=0.1)
    with pytest.raises(TypeError, match="relu"):
        tg.relu()


def test_data_can_be_changed_in_place_and_keeps_shape_and_dtype():
    w = leaf([1.0, 2.0])
    w.data -= 0.5
    w.data[0] = 9
    w.data = np.array([3.0, 4.0])
    assert w.tolist() == [3, 4] and w.dtype == np.float32
    with pytest.raises(ValueError, match="keeps its shape"):
        w.data = np.zeros(3)
    scalar = leaf(2.0)
    scalar.data[...] = 5
    assert scalar.item() == 5


def test_a_gradient_step_as_people_write_it():
    w = leaf([1.0, 2.0])
    (w * w).sum().backward()
    w.data -= 0.1 * w.grad
    np.testing.assert_allclose(w.data, [0.8, 1.6], rtol=1e-6)
    same = w
    with tg.no_grad():
        w -= 0.1 * w.grad
    assert w is same and w.requires_grad
    np.testing.assert_allclose(w.data, [0.6, 1.2], rtol=1e-6)
    with pytest.raises(RuntimeError, match="no_grad"):
        w += 1
    y = w * 2
    y += 1
    y.sum().backward()


def test_elements_cannot_be_assigned():
    with pytest.raises(TypeError, match=r"t\.data\[index\]"):
        leaf([1.0])[0] = 2


def test_grad_setter_checks_shape():
    x = leaf([1.0, 2.0])
    x.grad = np.array([1.0, 2.0])
    assert x.grad.tolist() == [1, 2] and x.grad.dtype == np.float32
    with pytest.raises(ValueError, match="shape"):
        x.grad = np.zeros(3)


def test_numpy_and_asarray_refuse_to_lose_a_gradient():
    x = leaf([1.0])
    with pytest.raises(RuntimeError, match="detach"):
        x.numpy()
    with pytest.raises(TypeError, match="detach"):
        np.asarray(x)
    assert np.asarray(x.detach()).tolist() == [1.0]
    assert np.shares_memory(x.detach().numpy(), x.data)


def test_leaves_copy_and_pickle_and_results_refuse():
    x = leaf([1.0, 2.0], name="x")
    (x * 2).sum().backward()
    for twin in (copy.copy(x), copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert twin.tolist() == [1, 2] and twin.requires_grad and twin.name == "x"
        assert not np.shares_memory(twin.data, x.data)
    for way in (copy.deepcopy, pickle.dumps):
        with pytest.raises(RuntimeError, match="multiply"):
            way(x * 2)


def test_python_protocols():
    x = Tensor([1.0, 2.0])
    assert len(x) == 2 and [float(v) for v in x] == [1.0, 2.0] and bool(Tensor(1.0)) and int(Tensor(3.7)) == 3
    assert [10, 20, 30][Tensor(np.int64(1))] == 20
    for bad, message in ((lambda: bool(x), "ambiguous"), (lambda: len(Tensor(1.0)), "0-d"), (lambda: x.item(), "one")):
        with pytest.raises((TypeError, ValueError), match=message):
            bad()
    assert x in {x: 1}


def test_default_dtype_is_float32_and_can_be_changed():
    try:
        tg.set_default_dtype(np.float64)
        assert Tensor([1, 2]).dtype == np.float64
    finally:
        tg.set_default_dtype(np.float32)
    assert Tensor([1, 2]).dtype == np.float32 and Tensor(np.zeros(1)).dtype == np.float64
    with pytest.raises(TypeError, match="float dtype"):
        tg.set_default_dtype(int)


# ---------------------------------------------------------------------- arrays that change in between


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.data.__setitem__(0, 9.0),
        lambda w: w.detach().data.__setitem__(0, 9.0),
        lambda w: setattr(w, "data", w.data - 0.5),
        lambda w: w.data.sort(),
        lambda w: _minus_under_no_grad(w),
        lambda w: _step_of_an_optimizer(w),
    ],
)
def test_a_leaf_changed_between_forward_and_backward_is_found_and_named(change):
    w = leaf([3.0, 2.0, 1.0], name="w")
    w.grad = np.ones(3)
    loss = (w.reshape((3, 1)) * w.reshape((3, 1))).sum()
    change(w)
    with pytest.raises(RuntimeError, match=r"(reshape|multiply): input 0.*was changed in place"):
        loss.backward()
    w.grad = None
    (w * w).sum().backward()
    np.testing.assert_allclose(w.grad.numpy(), 2 * w.data)


def _minus_under_no_grad(w):
    with tg.no_grad():
        w -= 1


def _step_of_an_optimizer(w):
    tg.optim.SGD([w], lr=0.1).step()


def test_an_intermediate_result_changed_in_between_is_found():
    x = leaf([1.0, 2.0])
    y = tg.exp(x)
    y.data[0] = 100
    with pytest.raises(RuntimeError, match="exp: the result was changed in place"):
        y.sum().backward()


def test_an_array_that_was_handed_out_before_is_found_too():
    x = leaf([1.0, 2.0])
    alias = x.data
    y = (x * x).sum()
    alias[0] = 100
    with pytest.raises(RuntimeError, match="multiply: input 0 was changed in place"):
        y.backward()


def test_arrays_that_were_given_as_they_are_stay_the_callers_to_change():
    x, array = leaf([1.0, 2.0]), np.array([3.0, 4.0], dtype=np.float32)
    batch = np.ones((2, 2), dtype=np.float32)
    layer = tg.nn.Linear(2, 1)
    loss = (x * array).sum() + layer(batch).sum()
    array[:], batch[:] = 0, 0
    loss.backward()
    assert x.grad.tolist() == [3, 4] and layer.weight.grad.tolist() == [[2, 2]]


def test_an_index_that_is_filled_anew_does_not_move_the_gradient():
    x, index, mask = leaf([1.0, 2.0, 3.0]), np.array([0, 0]), np.array([True, False, False])
    total = x[index].sum() + x.take(index).sum() + x.masked_fill(mask, 0.0).sum()
    index[:], mask[:] = 2, False
    total.backward()
    assert x.grad.tolist() == [4, 1, 1]


def test_reading_an_array_changes_nothing_and_is_no_reason_to_refuse():
    x = leaf([1.0, 2.0])
    y = tg.exp(x)
    for t in (x, y):
        t.data.sum()
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp([1.0, 2.0]), rtol=1e-6)


def test_the_gradient_of_a_result_is_told_to_be_nowhere():
    """``w = w - 0.1 * w.grad`` makes w a result, of which no gradient is kept: in the second round it would be None."""
    w = Tensor([1.0, 2.0], requires_grad=True)
    (w * w).sum().backward()
    w = w - 0.1 * w.grad
    (w * w).sum().backward()
    with pytest.warns(UserWarning, match=r"none is kept of a result, here of 'subtract'.*retain_grad.*w -= x"):
        assert w.grad is None
    w.retain_grad()
    assert w.grad is None  # asked for, and not there yet
