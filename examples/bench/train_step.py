"""How long does one training step take? This engine beside NumPy by an expert's hand, and beside its peers.

    make bench                          with the peers that are installed
    make bench-peers                    installs them all, and runs it
    python examples/bench/train_step.py --networks 2-16-16-2 --optimizers SGD --contenders expert eager --rounds 5

One step is forward, softmax cross-entropy, backward and SGD or Adam, in float32. What makes the comparison fair:

- Everything runs on one core, with one thread for BLAS (see one_core.py).
- All start from the same weights, see the same batch, and must come to the same loss.
- All take turns in every round of one run, so that a busy machine slows all alike; the first step of a turn, which
  finds the caches full of another's data, is not timed. Medians over the rounds are printed.
- What depends on shapes alone may be prepared, what depends on the data is computed in every step, and every step
  ends with the loss as a Python number.
- The NumPy of the expert (contenders/expert.py) keeps to the formulas and allocates nothing; contenders/tuned.py goes
  as far as we know how to go for these networks alone. Each peer is used as its own documentation advises.

Beside times, there is the memory of a step (see memory.py), and the time of a compiled step's first call, which is
the one that records. The numbers and a chart of them go to runs/bench.
"""

from __future__ import annotations

# isort: off
import one_core  # noqa: F401  before anything that starts threads

# isort: on
import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from chart import draw
from contenders import CONTENDERS, Contender
from memory import MEASURED, peak_memory
from problem import LEARNING_RATES, Network, Problem, make_problem

Step = Callable[[], float]

NETWORKS = {
    network.title: network
    for network in (
        Network((2, 16, 16, 2), batch=100, checked_steps=200, steps_a_turn=50),
        Network((64, 64, 32, 10), batch=32, checked_steps=200, steps_a_turn=50),
        Network((784, 256, 128, 10), batch=128, checked_steps=10, steps_a_turn=3),
        Network((784, 1024, 1024, 10), batch=256, checked_steps=10, steps_a_turn=2),
    )
}


def checked_losses(steps: dict[str, Step], count: int, alike: set[str]) -> dict[str, float]:
    """The loss of each after ``count`` steps; AssertionError if one of ``alike`` went elsewhere."""
    losses = {key: [step() for _ in range(count)][-1] for key, step in steps.items()}
    first = next(key for key in losses if key in alike)
    for key in alike:
        np.testing.assert_allclose(losses[key], losses[first], rtol=2e-3, err_msg=f"{key} went elsewhere than {first}")
    return losses


def measure(steps: dict[str, Step], rounds: int, steps_a_turn: int) -> dict[str, float]:
    """Microseconds of one step of each: the median over rounds in which all take turns."""
    times: dict[str, list[float]] = {key: [] for key in steps}
    for _ in range(rounds):
        for key, step in steps.items():
            step()
            start = time.perf_counter()
            for _ in range(steps_a_turn):
                step()
            times[key].append((time.perf_counter() - start) / steps_a_turn * 1e6)
    return {key: statistics.median(values) for key, values in times.items()}


def first_call(problem: Problem, repeats: int = 5) -> float:
    """Microseconds of the first call of a compiled step, the median over newly made ones."""
    times = []
    for _ in range(repeats):
        step = CONTENDERS["compiled"].make(problem)
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e6)
    return statistics.median(times)


def compare(network: Network, optimizer: str, chosen: dict[str, Contender], rounds: int) -> dict:
    """All numbers of one network and one rule."""
    problem = make_problem(network, optimizer)
    steps = {key: contender.make(problem) for key, contender in chosen.items()}
    alike = {key for key, contender in chosen.items() if contender.trains_alike(problem)}
    losses = checked_losses(steps, network.checked_steps, alike)
    result = {
        "network": network.title,
        "batch": network.batch,
        "optimizer": optimizer,
        "steps": network.checked_steps,
        "losses": losses,
        "microseconds": measure(steps, rounds, network.steps_a_turn),
        "bytes": {key: peak_memory(key, network, optimizer) for key in chosen if key in MEASURED},
    }
    if "compiled" in chosen:
        result["first call"] = first_call(problem)
    return result


def report(result: dict) -> None:
    """Print the numbers of one network and one rule."""
    times, memory = result["microseconds"], result["bytes"]
    ours = "compiled" if "compiled" in times else "eager"
    print(f"\n{result['network']}, batch {result['batch']}, {result['optimizer']}")
    loss = next(iter(result["losses"].values()))
    print(f"    a loss of {loss:.4f} after {result['steps']} steps")
    print(f"    {'':<26}{'µs a step':>11}{'/ expert':>10}{'/ ' + ours:>11}{'memory, KB':>12}")
    for key, value in times.items():
        ratios = [f"{value / times[other]:.2f}" if other in times else "" for other in ("expert", ours)]
        kilobytes = f"{memory[key] / 1000:,.0f}" if key in memory else ""
        print(f"    {CONTENDERS[key].name:<26}{value:>11,.1f}{ratios[0]:>10}{ratios[1]:>11}{kilobytes:>12}")
    if "first call" in result and "eager" in times:
        print(
            f"    the first call of a compiled step takes as long as {result['first call'] / times['eager']:.1f} eager"
        )


def report_notes(chosen: dict[str, Contender], absent: dict[str, str]) -> None:
    """Print what a reader of the tables has to know."""
    print("\nmemory: what set-up leaves and the peak of a step, weights and gradients included, the batch not")
    for contender in chosen.values():
        if contender.note:
            print(f"{contender.name} {contender.note}")
    for key, what in absent.items():
        print(f"{CONTENDERS[key].name} was left out, for want of {what}")


def save(results: list[dict], chosen: dict[str, Contender], folder: Path) -> None:
    """The numbers as JSON, and a chart of them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {key: contender.name for key, contender in chosen.items()}
    notes = {key: contender.note for key, contender in chosen.items() if contender.note}
    versions = {"python": platform.python_version(), "numpy": np.__version__, "machine": platform.machine()}
    everything = {"versions": versions, "names": names, "notes": notes, "results": results}
    (folder / "train_step.json").write_text(json.dumps(everything, indent=1) + "\n")
    for path in draw(everything, folder):
        print(f"wrote {path}")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--optimizers", nargs="+", choices=LEARNING_RATES, default=list(LEARNING_RATES))
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--rounds", type=int, default=20, help="how often all take turns (default 20)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="a folder (default runs/bench)")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    missing = {key: CONTENDERS[key].missing() for key in options.contenders}
    absent = {key: what for key, what in missing.items() if what}
    chosen = {key: CONTENDERS[key] for key in options.contenders if key not in absent}
    results = []
    for title in options.networks:
        for optimizer in options.optimizers:
            results.append(compare(NETWORKS[title], optimizer, chosen, options.rounds))
            report(results[-1])
    report_notes(chosen, absent)
    save(results, chosen, options.out)


if __name__ == "__main__":
    main()
