"""The graph that a computation leaves behind: its topological order, and the only loop that goes back through it.

A node is a Tensor. ``node.op`` is the op that made it (None for a leaf), and ``node.op.parents`` are the op's
arguments, Tensors and constants, so the arrows of the graph run from a node to its parents.

Why an order at all? A node that is used twice has two gradients coming in, and what it passes on is right only
when both have arrived. So a node waits until all its consumers are done: that is a topological order (Kahn 1962,
"Topological sorting of large networks", CACM 5:558). Plain recursion passes the first half on too early.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy import ndarray

from . import guard
from .mode import mode


def topological_order(roots) -> list[Any]:
    """All nodes that lead to ``roots`` and require a gradient, each after all of its consumers: outputs first.

    Every node is counted once however often it is used, without recursion, in time linear in nodes and arrows.

    >>> a = tg.Tensor(1.0, requires_grad=True, name="a")
    >>> b = a + a
    >>> c = b + b
    >>> [node.op.name if node.op else node.name for node in tg.topological_order([c])]
    ['add', 'add', 'a']
    """
    waiting_for = dict.fromkeys(roots, 0)  # node -> how many of its consumers have not been placed yet
    found = list(waiting_for)
    for node in found:
        if node.op is not None:
            for parent in node.op.parents or _raise_freed(node.op):
                if parent in waiting_for:
                    waiting_for[parent] += 1
                elif parent is not None:
                    waiting_for[parent] = 1
                    found.append(parent)

    order = [root for root in dict.fromkeys(roots) if not waiting_for[root]]
    for node in order:
        if node.op is not None:
            for parent in node.op.parents:
                if parent is not None:
                    waiting = waiting_for[parent] = waiting_for[parent] - 1
                    if not waiting:
                        order.append(parent)
    return order


_SCALARS = frozenset(np.sctypeDict.values())


def _raise_freed(op):
    raise RuntimeError(
        f"backward: the graph behind '{op.name}' was already freed by an earlier backward() or grad(). "
        "Run the forward pass again to make a new graph, or give retain_graph=True to the earlier call; "
        "for several losses over one graph, add them up and go back once."
    )


def backward_pass(roots, gradients, *, inputs=(), create_graph=False, retain_graph=False) -> dict[Any, Any]:
    """Carry ``gradients`` from ``roots`` back through the graph; the total gradient of each leaf, as a dict.

    With ``inputs``, only the way to those nodes is walked, and the dict holds them instead of the leaves.
    Gradients are arrays, and then the rules run as plain NumPy; with ``create_graph`` they are Tensors, and the
    same rules are recorded as they run. Without ``retain_graph`` each op is let go as soon as it has been used.
    """
    now = mode.now
    before = now.record, now.call
    now.record, now.call = create_graph, None
    try:
        return _go_back(roots, gradients, set(inputs), create_graph, retain_graph)
    finally:
        now.record, now.call = before


def _go_back(roots, gradients, inputs, create_graph, retain_graph) -> dict[Any, Any]:
    order = topological_order(roots)
    useful = _nodes_leading_to(inputs, order) if inputs else None
    anomaly, watched = mode.now.anomaly, guard.watched
    arrived: dict[Any, Any] = {}  # node -> the sum of the gradients that have reached it so far
    for root, gradient in zip(roots, gradients):
        arrived[root] = arrived[root] + gradient if root in arrived else gradient

    results: dict[Any, Any] = {}
    order.reverse()
    while order:  # popping lets go of each node, and of its array, when its turn is over
        node = order.pop()
        grad = arrived.pop(node, None)
        if grad is None:
            continue
        if node._hooks:
            grad = _run_hooks(node, grad, create_graph)
        op = node.op
        if node in inputs if inputs else (op is None or node._retains_grad):
            results[node] = grad
        if op is None:
            continue

        if watched:
            guard.refuse_changes(op)
        rule = _recording(op, node) if create_graph else op
        if anomaly and type(grad) is ndarray:  # a rule that writes into the gradient of others is caught
            grad = grad.view()
            grad.flags.writeable = False
        try:
            contributions = rule.backward(grad)
        except (TypeError, ValueError, IndexError, KeyError, AttributeError) as error:
            raise type(error)(f"{op.name}: its backward rule failed: {error}") from error
        if type(contributions) is not tuple:
            contributions = (contributions,)
        if len(contributions) != len(op.parents):
            raise RuntimeError(_WRONG_COUNT.format(op=op.name, given=len(contributions), wanted=len(op.parents)))
        if anomaly:
            op.check_finite("backward", contributions, given=(grad,))

        recorded_at = op.time
        for parent, contribution in zip(op.parents, contributions):
            if parent is None or contribution is None or (useful and parent not in useful):
                continue
            if parent._changed_at > recorded_at:
                raise guard.changed(op, next(i for i, p in enumerate(op.parents) if p is parent))
            data = parent._data
            kind = type(contribution)
            if kind is ndarray:
                if contribution.shape != data.shape or contribution.dtype is not data.dtype:
                    contribution = unbroadcast(contribution, data, op)
                elif not contribution.ndim:
                    contribution = contribution[()]  # NumPy computes with its scalars ten times faster
            elif kind is not type(data) or kind not in _SCALARS:  # two scalars of one type agree in dtype and shape
                contribution = unbroadcast(contribution, data, op)
            before = arrived.get(parent)
            arrived[parent] = contribution if before is None else before + contribution
        if not retain_graph:
            node.op = op.freed
        else:
            went = (c if not useful or p in useful else None for p, c in zip(op.parents, contributions))
            # As arrays: a graph that held its own gradients as Tensors would be a circle.
            op.received, op.sent = getattr(grad, "_data", grad), tuple(getattr(c, "_data", c) for c in went)
    return results


_WRONG_COUNT = (
    "{op}: backward returned {given} gradients, but forward has {wanted} inputs. Return one for each input in the "
    "order of forward's arguments, None for one that has no gradient; an argument with a default, or one behind *, "
    "is an option and takes none."
)


def _recording(op, node):
    """A twin of the op whose inputs and output are Tensors: the same rule then records a graph of its own."""
    twin = copy.copy(op)
    twin.inputs = tuple(x if hasattr(x, "op") else array for x, array in zip(op.arguments, op.inputs))
    twin.output = node
    twin.recording = True
    return twin


def _nodes_leading_to(inputs, order) -> set[Any]:
    """The nodes of ``order`` from which some of ``inputs`` can be reached, those themselves included."""
    leading = inputs.copy()
    for node in reversed(order):
        if node.op is not None and any(parent in leading for parent in node.op.parents):
            leading.add(node)
    return leading


def unbroadcast(gradient, data, op):
    """The gradient in the shape and dtype of its input: what broadcasting repeated is summed, here and only here."""
    if not hasattr(gradient, "shape"):
        gradient = np.asarray(gradient, dtype=data.dtype)
    shape = data.shape
    if gradient.shape != shape:
        try:
            repeats = np.broadcast_shapes(shape, gradient.shape) == gradient.shape
        except ValueError:
            repeats = False
        if not repeats:
            raise RuntimeError(
                f"{op.name}: backward returned a gradient of shape {gradient.shape} for an input of shape {shape}. "
                "A gradient has the shape of its input, or one that the input broadcasts to."
            )
        added = gradient.ndim - len(shape)
        axes = tuple(i for i, n in enumerate(gradient.shape) if i < added or (n != 1 and shape[i - added] == 1))
        gradient = gradient.sum(axis=axes).reshape(shape)
    return gradient if gradient.dtype == data.dtype else gradient.astype(data.dtype)


def _run_hooks(node, grad, create_graph: bool):
    """The gradient after the node's hooks, each of which may replace it by another of the same shape."""
    for hook in list(node._hooks.values()):
        before = grad if create_graph else type(node)._from_array(grad)
        after = hook(before)
        if after is None:
            continue
        after = after if hasattr(after, "op") else type(node)._from_array(np.array(after, dtype=node.dtype))
        if after.shape != before.shape:
            raise RuntimeError(
                f"register_hook: the hook {getattr(hook, '__name__', hook)!r} returned a gradient of shape "
                f"{after.shape} for one of shape {before.shape}; return the same shape, or None to keep it."
            )
        after = after if after.dtype == node.dtype else after.astype(node.dtype)
        grad = after if create_graph else after._data
    return grad
