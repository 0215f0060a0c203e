"""Tables of numbers in CSV files, checked cell by cell, so that a mistake in a file is found by its line."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

import numpy as np

from ..record.words import plural

__all__ = ["Table", "read_csv"]

_Row = tuple[int, list[str]]  # its line in the file, its cells


@dataclass(frozen=True, eq=False)
class Table:
    """Table that ``read_csv`` has found. ``classes[y[i]]`` is the label of row i, as it stands in the file."""

    X: np.ndarray  # float32 (rows, features)
    y: np.ndarray | None  # int64 (rows,), 0 to len(classes) - 1; None without labels
    features: list[str] | None  # names of the columns of X, if the file has a header
    classes: list[str]  # in order of number, if all are numbers, else of the alphabet
    target: str | None  # name of the label's column


def read_csv(
    path: str | os.PathLike[str],
    target: str | None = None,
    labelled: bool = True,
    columns: list[str] | None = None,
) -> Table:
    """Read a table with one example in each line: numbers, and a label in the last column or the one named ``target``.

    The first line is a header if none of its feature cells is a number, if ``target`` is given, or if it has all
    names in ``columns``. Labels are whole numbers or words. With ``labelled=False`` all columns are features.
    Separators are commas, the text is UTF-8, empty lines are skipped.

    ``columns`` names those to take, in any order, from a file with a header; others are left out. Where these names
    are empty or double, they do not tell the columns apart, so the file must have them in the same order.

    Raises ValueError, with the line, for a file that is empty or has rows of different length, a column that is not
    there or there twice, cells that are no numbers or not finite, labels that are missing, fractions, or one number
    written in two ways (``1`` and ``01``), one class only, or a first line that could be names and could be numbers;
    OSError if it cannot be read.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "flowers.csv")
    >>> _ = path.write_text("width,height,kind\\n1.5,2,rose\\n0.5,3,lily\\n1,2.5,rose\\n")
    >>> table = data.read_csv(path)
    >>> table.X.tolist(), table.y.tolist(), table.classes
    ([[1.5, 2.0], [0.5, 3.0], [1.0, 2.5]], [1, 0, 1], ['lily', 'rose'])
    """
    name = os.fspath(path)
    if target is not None and not labelled:
        raise ValueError("read_csv: target names the column of the labels, but labelled=False says there is none")
    rows = list(_rows(name))
    if not rows:
        raise ValueError(f"{name}: the file is empty")
    header = _header(rows, target, labelled, columns or [])
    body = rows[1:] if header else rows
    if not body:
        raise ValueError(f"{name}: only a header, no data")
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise ValueError(f"{name}, line {line}: {plural(len(cells), 'cell')}, but the first line has {width}")

    label = _label_column(name, header, width, target) if labelled else None
    if header is None:
        _check_first_line(name, rows, label)
    chosen = [i for i in range(width) if i != label]
    if columns and header:
        chosen = _places(name, header, columns)
    X = np.array([[_number(name, line, i, cells[i], header) for i in chosen] for line, cells in body], dtype=np.float32)
    features = [header[i] for i in chosen] if header else None
    if label is None:
        return Table(X, None, features, [], None)
    classes, y = _classes(name, [(line, cells[label]) for line, cells in body])
    return Table(X, y, features, classes, header[label] if header else None)


def _rows(name: str) -> Iterator[_Row]:
    """The lines that are not empty, cut into cells without blanks around them."""
    with open(name, newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file, strict=True, skipinitialspace=True)
        try:
            for cells in reader:
                cells = [cell.strip() for cell in cells]
                if cells not in ([], [""]):
                    yield reader.line_num, cells
        except UnicodeDecodeError:
            raise ValueError(f"{name}: not a CSV file, its text is not UTF-8") from None
        except csv.Error as error:
            raise ValueError(f"{name}, line {reader.line_num}: {error}") from None


def _header(rows: list[_Row], target: str | None, labelled: bool, columns: list[str]) -> list[str] | None:
    cells = rows[0][1]
    features = cells[:-1] if labelled and len(cells) > 1 else cells
    if target is None and not (columns and set(columns) <= set(cells)) and any(map(is_number, features)):
        return None
    return cells


def _check_first_line(name: str, rows: list[_Row], label: int | None) -> None:
    """Refuse a first line that was taken for data, since it has numbers, and looks like one of names."""
    line, cells = rows[0]
    where = f"{name}, line {line}"
    if len(cells) > 2 and cells == [str(i) for i in range(len(cells))]:
        raise ValueError(
            f"{where}: 0, 1, 2, ... are what pandas writes as names of columns; remove the line "
            "(header=False in to_csv), or if it is an example, put a line of names before it"
        )
    if label is None or len(rows) == 1:
        return
    first, others = cells[label], Counter(cells[label] for _, cells in rows[1:])
    word_among_numbers = not is_number(first) and all(map(is_number, others))
    if word_among_numbers or (first not in others and min(others.values()) > 1):
        raise ValueError(
            f"{where}: the label {_shown(first)} stands nowhere else; if the line has the names of the columns, say so "
            f"with target={first!r} (--target {first}), and if it is an example, put a line of names before it"
        )


def _places(name: str, header: list[str], columns: list[str]) -> list[int]:
    """Where the columns of these names stand."""
    for column in columns:
        _check_is_there(f"{name}, line 1", column, header)
    if told_apart(columns):
        for column in columns:
            _check_is_there_once(name, column, header)
        return [header.index(column) for column in columns]
    places = [i for i, column in enumerate(header) if column in columns]
    found = [header[i] for i in places]
    if found != columns:
        raise ValueError(
            f"{name}, line 1: names that are double or empty do not tell columns apart, so they must come in the order "
            f"{listed(columns)}, got {listed(found)}"
        )
    return places


def told_apart(columns: list[str]) -> bool:
    """Tell whether each column has a name of its own."""
    return len(set(columns)) == len(columns) and "" not in columns


def _check_is_there(where: str, column: str, header: list[str]) -> None:
    if column not in header:
        alike = [other for other in header if other.casefold().split() == column.casefold().split()]
        near = alike or difflib.get_close_matches(column, header, n=3)
        raise ValueError(
            f"{where}: there is no column {column!r}; {'the nearest are' if near else 'its header has'} "
            f"{listed(near or header)}"
        )


def _check_is_there_once(name: str, column: str, header: list[str]) -> None:
    if header.count(column) > 1:
        raise ValueError(f"{name}, line 1: {header.count(column)} columns are named {column!r}")


def listed(names: list[str]) -> str:
    """The first names, in quotes, so that blanks and what cannot be seen show."""
    return ", ".join(map(repr, names[:8])) + (", ..." if len(names) > 8 else "")


def _label_column(name: str, header: list[str] | None, width: int, target: str | None) -> int:
    if width < 2:
        raise ValueError(f"{name}: only one column; expected features and a label, separated by commas")
    if target is None:
        return width - 1
    assert header is not None  # a target asks for a header
    _check_is_there(name, target, header)
    _check_is_there_once(name, target, header)
    if all(map(is_number, header)) and header != [str(i) for i in range(width)]:
        raise ValueError(
            f"{name}, line 1: numbers only, which may be data; to find the column {target!r} by its name, put a line "
            "of names first, one of them a word"
        )
    return header.index(target)


def is_number(cell: str) -> bool:
    """Tell whether it is one in a file too: Python's ``float`` also takes ``1_000``, which is a name here."""
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def _number(name: str, line: int, column: int, cell: str, header: list[str] | None) -> float:
    """The cell as a number that fits into float32, or an error that says where it stands."""
    where = f"{name}, line {line}, column {column + 1}" + (f" ({header[column]})" if header else "")
    if not cell:
        raise ValueError(f"{where}: the cell is empty, expected a number")
    if not is_number(cell):
        hint = "; a decimal fraction is written with a point" if "," in cell else ""
        raise ValueError(f"{where}: {_shown(cell)} is not a number{hint}")
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(f"{where}: {_shown(cell)} is not finite; remove the row or fill in a number")
    if abs(value) > float(np.finfo(np.float32).max):
        raise ValueError(f"{where}: {_shown(cell)} is too large for float32")
    return value


def _classes(name: str, labels: list[tuple[int, str]]) -> tuple[list[str], np.ndarray]:
    """The classes in order, and the number of each row's class."""
    first: dict[str | Decimal, tuple[int, str]] = {}  # where each class stands first, and how it is written
    for line, cell in labels:
        there, written = first.setdefault(_class(name, line, cell), (line, cell))
        if written != cell:
            raise ValueError(
                f"{name}, line {line}: the label {_shown(cell)} is the number {_shown(written)} of line {there} in "
                "another way; write each class in one way"
            )
    classes = [written for _, written in first.values()]
    classes.sort(key=Decimal if all(map(is_number, classes)) else None)
    if len(classes) == 1:
        raise ValueError(f"{name}: every row has the label {_shown(classes[0])}; expected two or more classes")
    number = {each: i for i, each in enumerate(classes)}
    return classes, np.array([number[cell] for _, cell in labels], dtype=np.int64)


def _class(name: str, line: int, cell: str) -> str | Decimal:
    """The word, or the number with all its digits, so that two ways to write it are known to be one."""
    if not cell:
        raise ValueError(f"{name}, line {line}: the label is empty")
    if not is_number(cell):
        return cell
    try:
        value = Decimal(cell)
        if value.is_finite() and value == value.to_integral_value():
            return value
    except InvalidOperation:  # an exponent beyond all bounds
        pass
    raise ValueError(f"{name}, line {line}: the label {_shown(cell)} is no class; expected a whole number or a word")


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")
