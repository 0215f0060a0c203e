"""Every experiment gives the same numbers on every executor: here, in threads, in processes, and on Dask."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from experiments import TINY

from tinygrad_relu import lab
from tinygrad_relu.lab.born_dead import born_dead_table


@pytest.fixture(scope="module")
def processes():
    with lab.process_pool(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def cluster():
    """Dask's executor on two processes of this machine; nothing of it is left in the end."""
    distributed = pytest.importorskip("distributed")
    local = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "host": "127.0.0.1"}
    with (
        distributed.LocalCluster(**local, dashboard_address="127.0.0.1:0") as workers,  # any port that is free
        distributed.Client(workers) as client,
    ):
        yield client.get_executor()


@pytest.fixture(scope="module", params=TINY)
def serial(request):
    """An experiment's name, and what it finds here, one piece of work after the other."""
    return request.param, lab.run(request.param, executor=lab.Serial(), **TINY[request.param]).to_dict()


def test_there_are_options_for_every_experiment():
    assert tuple(TINY) == lab.EXPERIMENTS == tuple(lab.titles())


def test_threads_and_processes_give_the_same_numbers(serial, processes):
    name, numbers = serial
    with ThreadPoolExecutor(2) as threads:
        assert lab.run(name, executor=threads, **TINY[name]).to_dict() == numbers
    assert lab.run(name, executor=processes, **TINY[name]).to_dict() == numbers


def test_a_distributed_engine_gives_the_same_numbers(serial, cluster):
    name, numbers = serial
    assert lab.run(name, executor=cluster, **TINY[name]).to_dict() == numbers


def test_the_large_table_of_the_born_dead_on_a_distributed_engine(cluster):
    """Depth 2 to 20, width 2 to 10, 10,000 networks a cell: as on any executor, and in agreement with the formula."""
    found = born_dead_table(executor=cluster)
    assert len(found.cells) == 19 * 9 and {cell.networks for cell in found.cells} == {10_000}
    assert abs(found.score) < 4 and abs(found.farthest.z) < 5  # of 171, one in 10,000 times by chance
    here = born_dead_table([2, 20], [2, 10], executor=lab.Serial())
    assert set(here.cells) <= set(found.cells)


def test_results_come_in_the_order_of_the_jobs_and_errors_come_through(processes, cluster):
    jobs = [(2.0, n) for n in range(20)]
    for executor in (lab.Serial(), processes, cluster):
        assert lab.each(math.pow, jobs, executor) == [2.0**n for n in range(20)]
        with pytest.raises(ValueError, match="math domain error"):
            lab.each(math.sqrt, [(1.0,), (-1.0,)], executor)
