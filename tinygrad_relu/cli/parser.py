"""Parser: the commands with their options. The words around the options stand in help/, a file for each command."""

from __future__ import annotations

import argparse
import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from .._version import __version__
from ..lab.command import lab
from ..nn.activations import activation_names
from . import explain, predict, train

__all__ = ["parser"]


class _Parser(argparse.ArgumentParser):
    """Errors become one line, written in one place."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(f"{message} (see {self.prog} --help)")


def parser() -> argparse.ArgumentParser:
    """The parser of the whole command; what it returns has the function to call as ``command``."""
    examples = _help("examples")
    whole = _Parser(
        prog="tinygrad-relu",
        description="Train small neural networks with tinygrad_relu, and use them.",
        epilog=f"{examples}\nEach command has its own --help.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=f"tinygrad-relu {__version__}")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name, run, summary, add_options in (
        ("train", train.train, "train a network", _add_train),
        ("predict", predict.predict, "use a trained network", _add_predict),
        ("explain", explain.explain, "watch a gradient go back", _add_explain),
        ("lab", lab, "measure what is said about ReLU", _add_lab),
    ):
        description, _, more = _help(name).partition("\n\n")
        command = commands.add_parser(
            name,
            help=summary,
            description=description,
            epilog=f"{more}\n{examples}" if more else examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(command=run)
        add_options(command)
    return whole


def _help(name: str) -> str:
    """A text of help/, whose lines have at most 79 characters: they are shown as they stand in any terminal."""
    text = (Path(__file__).parent / "help" / f"{name}.txt").read_text(encoding="utf-8")
    activations = textwrap.fill(", ".join(activation_names()), 77, initial_indent="  ", subsequent_indent="  ")
    return text.replace("{activations}", activations)


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


def _number(low: float, high: float = math.inf, kind: type = float) -> Callable[[str], Any]:
    least = f"{low:g} or more" + ("" if high == math.inf else f" and below {high:g}")
    what = f"a whole number, {least}" if kind is int else f"a number, {least}"

    def convert(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not low <= value < high:
            raise argparse.ArgumentTypeError(f"expected {what}, got {text!r}")
        return value

    return convert


def _whole(least: int) -> Callable[[str], int]:
    return _number(least, kind=int)


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
