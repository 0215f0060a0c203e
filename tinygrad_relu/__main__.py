"""The command ``tinygrad-relu``, also ``python -m tinygrad_relu``: train a network on a table, and use it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from ._version import __version__
from .cli import explain, predict, train
from .lab import command as lab_command
from .nn.activations import activation_names

__all__ = ["main"]

# Lines of at most 79 characters: they are shown as they stand, in terminals of any width.
_EXAMPLES = """\
examples:
  tinygrad-relu train --data digits --hidden 64,32 --out runs/digits
  tinygrad-relu train --data moons --samples 1000 --noise 0.2 --out runs/moons
  tinygrad-relu train --data flowers.csv --target species --out runs/flowers
  tinygrad-relu predict --run runs/flowers new.csv --out answers.csv
  tinygrad-relu explain --data moons --hidden 4 --out backprop.html
  tinygrad-relu lab dying

A mistake in the input is told in one line on stderr, with exit status 2, and
leaves no files behind.
"""

_TRAIN = """\
Train a multilayer perceptron to tell classes apart, and leave in one folder
all there is to know about it: the trained network, the metrics of every epoch,
the learning curves, the computation graph, and the dead ReLU units."""

_TRAIN_MORE = f"""\
data:
  digits                   1,797 handwritten digits of 8x8 pixels, inside the
                           package
  moons, circles, spirals, blobs, xor
                           points in the plane, see --samples and --noise
  FILE.csv                 one example in each line: numbers, and the class (a
                           word or a whole number) in the last column or the
                           one that --target names; a first line of names is
                           recognised; the columns are standardised

activations:
{textwrap.fill(", ".join(activation_names()), 77, initial_indent="  ", subsequent_indent="  ")}

files in the folder --out:
  model.npz                weights, architecture, class names; for predict,
                           tinygrad_relu.load and numpy.load
  metrics.csv              loss, accuracy and learning rate of every epoch
  curves.png               the same as a picture (needs matplotlib)
  decision.png             what is answered where, for points in the plane
                           (needs matplotlib)
  graph.svg, graph.html, graph.dot
                           the computation graph of 4 rows with the gradients,
                           as a picture, a page to zoom in, and DOT text
  backprop.html            a page that steps through the forward and backward
                           pass of the trained network on those rows
  train_step.py            the training step written out as a NumPy program, to
                           read, and to go on training with NumPy alone
  dead_units.txt           the units that are silent on every row of the
                           training data, layer by layer
  summary.json             settings, versions, results

A part of the data is held out and never trained on; the accuracy on it is the
result. With --patience, a sixth of the training data decides when to stop, so
that the held-out part stays untouched. The learning rate falls to 0 along half
a cosine. The folder appears when all is done, or, after an error or Ctrl-C, not
at all; the results of an earlier run are replaced only then. If a picture
cannot be drawn, a note on stderr says why, and all else is there.
"""

_PREDICT = """\
Give each row of a CSV file its class, and the probability that the network
gives to it, as CSV. The file has the columns that the network was trained on.
If both files begin with a line of names, the columns are found by their names,
and others, such as the label, are ignored. If not, or if names are empty or
double, the columns go by their place, and a note on stderr says so; leave out
the label then. Digits are 64 columns with values from 0 to 1."""


_EXPLAIN = """\
Write a page that steps through the forward and the backward pass of a small
network, op by op: what each op computes and saves, and how its gradient goes
back. The page is one file, needs no network, and opens in any browser."""

_LAB = """\
The ReLU lab: what is said about ReLU, run and measured. Each experiment takes
a few seconds, prints its numbers beside what the sources claim, and leaves
them in a folder with a figure. Without a name, the experiments are listed."""

_LAB_MORE = """\
files in the folder --out, for each experiment:
  NAME.txt                 what was printed
  NAME.json                the numbers
  NAME.svg, NAME.png       the figure, for a page and for a slide
  index.html               with `lab all`: all of it as one lesson

An experiment's files are written when it is done; others in the folder stay.
"""


class _Parser(argparse.ArgumentParser):
    """Errors become one line, written in one place."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def main(argv: list[str] | None = None) -> int:
    """Run the command with ``argv``, the arguments after its name; the exit status.

    0 if all went well, 2 for bad input (after one line on stderr), 130 after Ctrl-C,
    143 or 129 when it was terminated or its terminal closed.

    >>> main(["predict", "--run", "no/such/run", "table.csv"])
    2
    """
    arguments = argparse.Namespace()
    try:
        _parser().parse_args(argv, arguments)
        with _termination_as_an_exception():
            arguments.command(arguments)
        sys.stdout.flush()
        return 0
    except KeyboardInterrupt:
        return _say(f"interrupted, {_left(arguments)}", 130)
    except _Terminated as signal_:
        return _say(f"terminated, {_left(arguments)}", 128 + signal_.number)
    except BrokenPipeError:  # the reader of our output has seen enough, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
        return _say(f"error: {named}", 2)
    except MemoryError as error:
        return _say(f"error: there is not enough memory for this: {error}", 2)
    except (ValueError, FloatingPointError) as error:
        return _say(f"error: {error}", 2)


class _Terminated(BaseException):
    """SIGTERM has come, or SIGHUP, since the terminal was closed."""

    def __init__(self, number: int):
        self.number = number


@contextmanager
def _termination_as_an_exception() -> Iterator[None]:
    """Let these signals clean up as Ctrl-C does, unless they are ignored, as under nohup.

    Only the main thread can ask for that.
    """

    def terminate(number: int, frame: object) -> NoReturn:
        raise _Terminated(number)

    wanted = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        wanted = []
    before = {number: signal.getsignal(number) for number in wanted}
    before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in before:
            signal.signal(number, terminate)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left(arguments: argparse.Namespace) -> str:
    """What a command that was stopped has left behind: of experiments those that were done."""
    done = getattr(arguments, "done", [])
    return f"{', '.join(done)} had been written" if done else "nothing was written"


def _say(message: str, status: int) -> int:
    print("tinygrad-relu:", " ".join(message.split()), file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="tinygrad-relu",
        description="Train small neural networks with tinygrad_relu, and use them.",
        epilog=_EXAMPLES + "\nEach command has its own --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tinygrad-relu {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(name: str, run: Any, summary: str, description: str, epilog: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        made.set_defaults(command=run)
        return made

    _add_train(command("train", train.train, "train a network", _TRAIN, f"{_TRAIN_MORE}\n{_EXAMPLES}"))
    _add_predict(command("predict", predict.predict, "use a trained network", _PREDICT, _EXAMPLES))
    _add_explain(command("explain", explain.explain, "watch a gradient go back", _EXPLAIN, _EXAMPLES))
    _add_lab(command("lab", lab_command.lab, "measure what is said about ReLU", _LAB, f"{_LAB_MORE}\n{_EXAMPLES}"))
    return parser


def _add_train(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("what to learn").add_argument
    add("--data", default="digits", metavar="NAME|FILE.csv", help="data set or table (default: digits)")
    add("--target", metavar="COLUMN", help="CSV: the column with the classes (default: the last)")
    add("--samples", type=_whole(2), metavar="N", help="points in the plane: how many (default: 1000)")
    add("--noise", type=_number(0), metavar="X", help="points in the plane: how much noise (default: by data set)")
    add("--test-fraction", type=_number(0, 1), default=0.2, metavar="X", help="share to hold out (default: 0.2)")

    add = parser.add_argument_group("the network").add_argument
    add("--hidden", type=_sizes, default=[64, 32], metavar="N,N,...", help="hidden units by layer (default: 64,32)")
    add("--activation", default="relu", metavar="NAME", help="any of those listed below (default: relu)")
    add("--dropout", type=_number(0, 1), metavar="P", help="share of hidden units to drop while training "
        "(default: 0.1 for digits, else 0)")  # fmt: skip

    add = parser.add_argument_group("how to train").add_argument
    add("--epochs", type=_whole(1), default=100, metavar="N", help="times through the training data (default: 100)")
    add("--batch-size", type=_whole(1), default=32, metavar="N", help="rows for one step (default: 32)")
    add("--optimizer", default="adamw", metavar="NAME", help="adamw, adam, sgd (with momentum 0.9), rmsprop, adagrad "
        "(default: adamw)")  # fmt: skip
    add("--lr", type=_number(0), metavar="X", help="learning rate at the start (default: 0.05 for sgd and adagrad, "
        "else 0.005)")  # fmt: skip
    add("--label-smoothing", type=_number(0, 1), metavar="X", help="share of each target that all classes get alike; "
        "the loss cannot fall to 0 then (default: 0.1 for digits, else 0)")  # fmt: skip
    add("--weight-decay", type=_number(0), metavar="X", help="pull of the weights to 0 (default: 0.1 for adamw, "
        "else 0)")  # fmt: skip
    add("--patience", type=_whole(1), metavar="N", help="stop after N epochs without improvement, and keep the best")
    add("--seed", type=_whole(0), default=0, metavar="N", help="for everything that is random (default: 0)")
    add("--no-compile", dest="compile", action="store_false", help="train op by op, not by the training step written "
        "as a NumPy program; the results are the same, and there is no train_step.py")  # fmt: skip

    add = parser.add_argument_group("what to show").add_argument
    add("--out", metavar="FOLDER", help="folder for the results (default: runs/ and the name of the data)")
    add("--quiet", action="store_true", help="no progress bar, no report, only errors and notes")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.csv", help="the rows to classify")
    parser.add_argument("--run", required=True, metavar="FOLDER", help="folder that train made")
    parser.add_argument("--out", metavar="FILE", help="where to write the answers (default: to standard output)")


def _add_explain(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", default="moons", metavar="NAME|FILE.csv", help="data set or table (default: moons)")
    add("--target", metavar="COLUMN", help="CSV: the column with the classes (default: the last)")
    add("--rows", type=_whole(1), default=8, metavar="N", help="rows of the data to compute with (default: 8)")
    add("--noise", type=_number(0), metavar="X", help="points in the plane: how much noise (default: by data set)")
    add("--hidden", type=_sizes, default=[4], metavar="N,N,...", help="hidden units by layer (default: 4)")
    add("--activation", default="relu", metavar="NAME", help="as for train (default: relu)")
    add("--seed", type=_whole(0), default=0, metavar="N", help="of the data and the weights (default: 0)")
    add("--language", default="en", choices=["en", "ko"], help="of the page at first; it can switch (default: en)")
    add("--out", default="backprop.html", metavar="FILE.html", help="where to write (default: backprop.html)")
    add("--quiet", action="store_true", help="no report, only errors")


def _add_lab(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("names", nargs="*", metavar="NAME", help="an experiment, several, or all")
    add("--out", default="runs/lab", metavar="FOLDER", help="folder for the results (default: runs/lab)")
    add("--workers", type=_whole(1), metavar="N", help="processes at most (default: one for each core)")
    add("--quiet", action="store_true", help="no progress bar, no report, only errors")


# ---------------------------------------------------------------------- values of options


def _whole(least: int) -> Any:
    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"expected a whole number, {least} or more, got {text!r}")
        return value

    return convert


def _number(low: float, high: float = float("inf")) -> Any:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value < high:
            least = f"{low:g} or more" + ("" if high == float("inf") else f" and below {high:g}")
            raise argparse.ArgumentTypeError(f"expected a number, {least}, got {text!r}")
        return value

    return convert


def _sizes(text: str) -> list[int]:
    """``"64,32"`` as [64, 32]; ``"none"`` as [], which is a network without hidden layers."""
    if text.strip().lower() == "none":
        return []
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part) <= 100_000 for part in parts):
        raise argparse.ArgumentTypeError(
            f"expected the sizes of the hidden layers, whole numbers from 1 on such as 64,32 (or none), got {text!r}"
        )
    return [int(part) for part in parts]


if __name__ == "__main__":
    sys.exit(main())
