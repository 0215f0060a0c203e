"""The columns of a CSV file are those that are meant, and a label is one class: what could be two things is refused."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_relu import data


def table(tmp_path, text, **options):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return data.read_csv(path, **options)


def taken(tmp_path, text, columns):
    """The first row of the columns of these names."""
    return table(tmp_path, text, labelled=False, columns=columns).X[0].tolist()


# ---------------------------------------------------------------------- columns by name


def test_columns_are_found_by_name_wherever_they_stand(tmp_path):
    assert taken(tmp_path, "a,b\n1,2\n", ["a", "b"]) == [1, 2]
    assert taken(tmp_path, "b,a\n1,2\n", ["a", "b"]) == [2, 1]
    assert taken(tmp_path, "b,kind,id,a\n1,red,x,2\n", ["a", "b"]) == [2, 1]
    assert taken(tmp_path, "\ufeffa , b\n1,2\n", ["a", "b"]) == [1, 2]
    assert taken(tmp_path, ",b,a\nrow 1,1,2\n", ["a", "b"]) == [2, 1]  # as pandas writes an index


def test_double_and_empty_names_are_taken_in_their_order_or_refused(tmp_path):
    assert taken(tmp_path, "a,a,b\n1,2,3\n", ["a", "a", "b"]) == [1, 2, 3]
    assert taken(tmp_path, "a,label,a,b\n1,x,2,3\n", ["a", "a", "b"]) == [1, 2, 3]
    assert taken(tmp_path, ",,b\n1,2,3\n", ["", "", "b"]) == [1, 2, 3]
    assert taken(tmp_path, ",b,label\n1,2,x\n", ["", "b"]) == [1, 2]
    for text, columns in (
        ("b,a,a\n1,2,3\n", ["a", "a", "b"]),
        ("a,b\n1,2\n", ["a", "a", "b"]),
        ("a,a,b\n1,2,3\n", ["a", "b", "a"]),
        ("b,\n1,2\n", ["", "b"]),
        (",b,\n1,2,3\n", ["", "b"]),  # an index and a comma too many: which of them was it?
    ):
        with pytest.raises(ValueError, match=r"line 1: names that are double or empty .* must come in the order"):
            taken(tmp_path, text, columns)


def test_a_name_that_is_there_twice_is_refused_and_one_that_nearly_is_named(tmp_path):
    with pytest.raises(ValueError, match="line 1: 2 columns are named 'a'"):
        taken(tmp_path, "a,a,b\n1,2,3\n", ["a", "b"])
    for header in ("Petal Width", "petal  width", "PETAL WIDTH", "petal\u00a0width"):
        with pytest.raises(ValueError, match=r"no column 'petal width'; the nearest are '[pP].*'$") as caught:
            taken(tmp_path, f"id,{header}\n1,2\n", ["petal width"])
        assert repr(header) in str(caught.value)


def test_names_that_are_numbers_are_names_where_they_are_known(tmp_path):
    known = table(tmp_path, "2019,2020,kind\n1,2,a\n3,4,b\n", target="kind")
    assert known.features == ["2019", "2020"] and known.X.tolist() == [[1, 2], [3, 4]]
    assert taken(tmp_path, "2020,2019\n1,2\n", known.features) == [2, 1]
    assert table(tmp_path, "0,1,2\n5,6,7\n5,6,8\n", target="2").classes == ["7", "8"]  # the header that pandas writes
    assert table(tmp_path, "a,kind,b\n1,x,2\n3,y,4\n", target="kind").X.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("2019,2020,label\n1,2,0\n3,4,1\n", {}, r"line 1: the label 'label' stands nowhere else; .*--target label"),
        ("2019,2020,kind\n1,2,a\n3,4,b\n5,6,b\n7,8,a\n", {}, "line 1: the label 'kind' stands nowhere else"),
        ("2019,2020,2021\n1,2,5\n3,4,6\n5,6,5\n7,8,6\n", {}, "line 1: the label '2021' stands nowhere else"),
        ("0,1,2\n5,6,1\n5,6,2\n", {}, "line 1: 0, 1, 2, ... are what pandas writes"),
        ("0,1,2\n5,6,1\n5,6,2\n", {"labelled": False}, "line 1: 0, 1, 2, ... are what pandas writes"),
        ("1.5,2,0\n2.5,3,1\n", {"target": "0"}, "line 1: numbers only, which may be data; to find the column '0'"),
        ("a,2020,kind\n1,2,x\n3,4,y\n", {}, "line 1, column 1: 'a' is not a number"),
    ],
)
def test_a_first_line_that_may_be_names_or_numbers_is_refused(tmp_path, text, options, message):
    with pytest.raises(ValueError, match=message):
        table(tmp_path, text, **options)


def test_a_first_line_of_data_stays_data(tmp_path):
    assert len(table(tmp_path, "1,2,a\n3,4,b\n").X) == 2
    assert len(table(tmp_path, "1,2,a\n3,4,b\n5,6,c\n").X) == 3
    assert len(table(tmp_path, "1,2,a\n3,4,b\n5,6,b\n7,8,a\n").X) == 4
    assert len(table(tmp_path, "0,1\n0,0\n").X) == 2


def test_a_row_of_empty_cells_is_no_empty_line(tmp_path):
    assert len(table(tmp_path, "1,2\n\n  \n3,4\n", labelled=False).X) == 2
    with pytest.raises(ValueError, match="line 2, column 1: the cell is empty"):
        table(tmp_path, "1,2\n,\n3,4\n", labelled=False)


# ---------------------------------------------------------------------- labels


def labels(tmp_path, *cells):
    read = table(tmp_path, "".join(f"1,{cell}\n" for cell in cells))
    assert [read.classes[i] for i in read.y] == [cell.strip() for cell in cells]
    return read.classes


def test_labels_are_as_they_stand_in_the_file(tmp_path):
    assert labels(tmp_path, "02", "01", "10", "01") == ["01", "02", "10"]
    assert labels(tmp_path, "2.0", "1.0", "10.0", " 1.0") == ["1.0", "2.0", "10.0"]
    assert labels(tmp_path, "+1", "-1", "+1") == ["-1", "+1"]
    assert labels(tmp_path, "1e1", "9", "1e0") == ["1e0", "9", "1e1"]
    assert labels(tmp_path, "b", "B", "a b", "a  b") == ["B", "a  b", "a b", "b"]
    long = "1" * 5000
    assert labels(tmp_path, long + "2", long + "1", "1e400") == ["1e400", long + "1", long + "2"]
    assert labels(tmp_path, "9007199254740993", "9007199254740992.0") == ["9007199254740992.0", "9007199254740993"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "01"), ("1.0", "1"), ("1", "+1"), ("1e0", "1"), ("0", "-0"), ("1", "\uff11"), ("10", "1e1"),
     ("9007199254740993", "9007199254740993.0"), ("1" * 400, "1" * 400 + ".0")],
)  # fmt: skip
def test_one_number_written_in_two_ways_is_refused(tmp_path, one, other):
    with pytest.raises(ValueError, match=r"line 4: the label .* is the number .* of line 2 in another way"):
        table(tmp_path, f"1,5\n1,{one}\n1,5\n1,{other}\n")


@pytest.mark.parametrize(
    "label", ["0.5", "1e-1", "nan", "inf", "1e99999999999999999999", "1.0000000000000000000000001"]
)
def test_labels_that_are_no_class(tmp_path, label):
    with pytest.raises(ValueError, match=f"line 2: the label '{label}' is no class"):
        table(tmp_path, f"1,5\n1,{label}\n1,5\n")


def test_what_was_read_twice_is_the_same(tmp_path):
    text = "a,a,,kind\n" + "".join(f"{i},{-i},{i % 3},{'xy'[i % 2]}\n" for i in range(6))
    first = table(tmp_path, text)
    again = table(tmp_path, text, labelled=False, columns=first.features)
    assert np.array_equal(first.X, again.X) and first.features == again.features == ["a", "a", ""]
