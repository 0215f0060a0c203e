"""Tables of numbers in CSV files, checked cell by cell, so that a mistake in a file is found by its line."""

from __future__ import annotations

import csv
import difflib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

__all__ = ["Table", "read_csv"]

_Row = tuple[int, list[str]]  # its line in the file, its cells


@dataclass(frozen=True, eq=False)
class Table:
    """What ``read_csv`` found. ``classes[y[i]]`` is the label of row i, as it stands in the file."""

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

    The first line is a header if none of its feature cells is a number. Labels are whole numbers or words. With
    ``labelled=False`` all columns are features. With ``columns`` and a header, the columns of these names are taken,
    and others are left out. Separators are commas, the text is UTF-8, empty lines are skipped.

    Raises ValueError, with the line, for a file that is empty or has rows of different length, a column that is not
    there, cells that are no numbers or not finite, labels that are missing or fractions, or one class only; OSError if
    it cannot be read.

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
    header = _header(rows, target, labelled)
    body = rows[1:] if header else rows
    if not body:
        raise ValueError(f"{name}: only a header, no data")
    width = len(rows[0][1])
    for line, cells in rows:
        if len(cells) != width:
            raise ValueError(f"{name}, line {line}: {_cells(len(cells))}, but the first line has {width}")

    label = _label_column(name, header, width, target) if labelled else None
    chosen = [i for i in range(width) if i != label]
    if columns and header:
        lacking = [column for column in columns if column not in header]
        if lacking:
            raise ValueError(f"{name}, line 1: there is no column {lacking[0]!r}, only {', '.join(header[:8])}")
        chosen = [header.index(column) for column in columns]
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
                if any(cells):
                    yield reader.line_num, cells
        except UnicodeDecodeError:
            raise ValueError(f"{name}: not a CSV file, its text is not UTF-8") from None
        except csv.Error as error:
            raise ValueError(f"{name}, line {reader.line_num}: {error}") from None


def _header(rows: list[_Row], target: str | None, labelled: bool) -> list[str] | None:
    cells = rows[0][1]
    features = cells[:-1] if labelled and len(cells) > 1 else cells
    if target is None and any(_is_number(cell) for cell in features):
        return None
    return cells


def _label_column(name: str, header: list[str] | None, width: int, target: str | None) -> int:
    if width < 2:
        raise ValueError(f"{name}: only one column; expected features and a label, separated by commas")
    if target is None:
        return width - 1
    assert header is not None  # a target asks for a header
    if target not in header:
        near = difflib.get_close_matches(target, header, n=3)
        known = "the nearest are" if near else "its header has"
        raise ValueError(f"{name}: there is no column {target!r}; {known} {', '.join(near or header[:8])}")
    if header.count(target) > 1:
        raise ValueError(f"{name}, line 1: {header.count(target)} columns are named {target!r}")
    return header.index(target)


def _is_number(cell: str) -> bool:
    """Whether it is one in a file too: Python's ``float`` also takes ``1_000``, which is a name here."""
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
    if not _is_number(cell):
        hint = "; a decimal fraction is written with a point" if "," in cell else ""
        raise ValueError(f"{where}: {_shown(cell)} is not a number{hint}")
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(f"{where}: {_shown(cell)} is not finite; remove the row or fill in a number")
    if abs(value) > float(np.finfo(np.float32).max):
        raise ValueError(f"{where}: {_shown(cell)} is too large for float32")
    return value


def _classes(name: str, labels: list[tuple[int, str]]) -> tuple[list[str], np.ndarray]:
    """The names of the classes in order, and the number of each row's class."""
    names = [_class_name(name, line, cell) for line, cell in labels]
    classes = sorted(set(names))
    if all(_is_number(each) for each in classes):
        classes.sort(key=int)
    if len(classes) == 1:
        raise ValueError(
            f"{name}: all {len(names)} rows have the label {_shown(classes[0])}; expected two or more classes"
        )
    number = {each: i for i, each in enumerate(classes)}
    return classes, np.array([number[each] for each in names], dtype=np.int64)


def _class_name(name: str, line: int, cell: str) -> str:
    if not cell:
        raise ValueError(f"{name}, line {line}: the label is empty")
    if not _is_number(cell):
        return cell
    value = float(cell)
    if not math.isfinite(value) or value != int(value):
        raise ValueError(
            f"{name}, line {line}: the label {_shown(cell)} is no class; expected a whole number or a word"
        )
    return str(int(cell) if cell.isdecimal() else int(value))  # a long number is not rounded


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:37] + "...")
