"""Modes: switches that hold for a block, a function, or the lines of a generator, in one thread, and can be reused."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor

SWITCHES = {
    "no_grad": (tg.no_grad, lambda: not tg.is_grad_enabled()),
    "detect_anomaly": (tg.detect_anomaly, lambda: _stops_at_nan()),
    "seeded": (lambda: tg.random.seeded(7), lambda: tg.random.generator().bit_generator.state["state"] == SEVEN),
}
SEVEN = np.random.default_rng(7).bit_generator.state["state"]


def _stops_at_nan():
    try:
        with np.errstate(invalid="ignore"):
            tg.sqrt(Tensor([-1.0]))
    except FloatingPointError:
        return True
    return False


@pytest.fixture(params=SWITCHES)
def switch(request):
    return SWITCHES[request.param]


def test_a_switch_can_be_used_again_and_inside_itself(switch):
    make, holds = switch
    one = make()
    for _ in range(2):
        with one:
            assert holds()
            with one:
                assert holds()
            assert holds()
        assert not holds()


def test_a_decorated_function_runs_in_the_mode_each_time(switch):
    make, holds = switch

    @make()
    def look(depth):
        return holds() and (not depth or look(depth - 1))

    assert look(2) and look(0) and not holds() and look.__name__ == "look"


def test_a_decorated_generator_is_in_the_mode_only_while_its_own_lines_run(switch):
    make, holds = switch
    closed = []

    @make()
    def steps(n):
        try:
            for i in range(n):
                sent = yield i, holds()
                assert sent is None or sent == "sent"
        except KeyError:
            yield "caught", holds()
        finally:
            closed.append(holds())
        return "end"

    def outer():
        result = yield from steps(1)
        assert result == "end"

    running = steps(5)
    assert next(running) == (0, True) and not holds()
    assert running.send("sent") == (1, True) and not holds()
    assert running.throw(KeyError()) == ("caught", True) and not holds()
    running.close()
    assert list(outer()) == [(0, True)] and closed == [True, True] and not holds()


def test_a_decorated_coroutine_is_in_the_mode_only_while_its_own_lines_run(switch):
    make, holds = switch
    inside, outside = [], []

    @make()
    async def look():
        for _ in range(3):
            inside.append(holds())
            await asyncio.sleep(0)
        return "result"

    async def other():
        for _ in range(3):
            outside.append(holds())
            await asyncio.sleep(0)

    async def both():
        return await asyncio.gather(look(), other(), look())

    # In a thread of its own, since a browser's test may have a loop running in this one.
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: asyncio.run(both())).result() == ["result", None, "result"]
    assert inside == [True] * 6 and outside == [False] * 3


def test_what_a_decorator_cannot_do_it_refuses():
    with pytest.raises(TypeError, match="with block inside"):

        @tg.no_grad()
        async def rows():
            yield 1


def test_an_error_inside_leaves_the_mode_as_it_was(switch):
    make, holds = switch
    one = make()
    with pytest.raises(KeyError), one:
        raise KeyError
    assert not holds()


def test_one_switch_in_two_threads_at_once():
    one, inside, seen = tg.no_grad(), threading.Barrier(2, timeout=10), []

    def work():
        for _ in range(20):
            with one:
                inside.wait()
                seen.append(tg.is_grad_enabled())
            seen.append(not tg.is_grad_enabled())

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 80


def test_enable_grad_and_no_grad_decorate_with_and_without_brackets():
    @tg.no_grad
    @tg.enable_grad()
    def inner():
        return tg.is_grad_enabled()

    @tg.no_grad()
    @tg.enable_grad
    def other():
        return tg.is_grad_enabled()

    @tg.no_grad
    @tg.detect_anomaly
    def steps():
        yield tg.is_grad_enabled(), _stops_at_nan()

    assert inner() and other() and list(steps()) == [(False, True)]


def test_a_seeded_generator_draws_on_from_one_step_to_the_next():
    @tg.random.seeded(3)
    def numbers():
        while True:
            yield tg.random.generator().random()

    drawn = numbers()
    expected = np.random.default_rng(3)
    assert [next(drawn) for _ in range(4)] == [expected.random() for _ in range(4)]
    with tg.random.seeded(3) as generator:
        assert generator.random() == np.random.default_rng(3).random()
