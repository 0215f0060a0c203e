"""Data sets have the sizes, ranges and classes they promise, and a mistake in a CSV file is found by its line."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import data

TOYS = [data.moons, data.circles, data.spirals, data.blobs, data.xor]


@pytest.mark.parametrize("toy", TOYS)
def test_toy_sets_are_balanced_shuffled_and_repeatable(toy):
    X, y = toy(301, seed=3)
    assert X.shape == (301, 2) and X.dtype == np.float32 and np.isfinite(X).all()
    assert y.shape == (301,) and y.dtype == np.int64
    counts = np.bincount(y)
    assert counts.max() - counts.min() <= 1
    assert 50 < np.count_nonzero(np.diff(y)) < 300  # neither sorted by class nor in turn
    again = toy(301, seed=3)
    assert np.array_equal(again[0], X) and np.array_equal(again[1], y)
    assert not np.array_equal(toy(301, seed=4)[0], X)


@pytest.mark.parametrize("toy", TOYS)
def test_toy_sets_without_a_seed_follow_manual_seed(toy):
    tg.manual_seed(5)
    first, second = toy(50)[0], toy(50)[0]
    tg.manual_seed(5)
    assert np.array_equal(toy(50)[0], first)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("toy", TOYS)
@pytest.mark.parametrize("wrong", [{"n": 1}, {"noise": -0.1}, {"noise": np.nan}])
def test_toy_sets_refuse_what_makes_no_sense(toy, wrong):
    with pytest.raises(ValueError, match=toy.__name__):
        toy(**wrong)


def test_toy_sets_lie_on_their_curves():
    X, y = data.moons(400, noise=0, seed=0)
    centre = np.where(y[:, None] == 0, [0, 0], [1, 0.5])
    assert np.allclose(np.hypot(*(X - centre).T), 1, atol=1e-6)
    assert (X[y == 0, 1] >= 0).all() and (X[y == 1, 1] <= 0.5).all()

    X, y = data.circles(400, noise=0, factor=0.3, seed=0)
    assert np.allclose(np.hypot(*X.T), np.where(y == 0, 1, 0.3), atol=1e-6)

    X, y = data.xor(400, seed=0)
    assert ((X[:, 0] * X[:, 1] < 0) == y).all() and np.abs(X).max() <= 1

    X, y = data.spirals(400, noise=0, classes=3, turns=1.5, seed=0)
    radius, angle = np.hypot(*X.T), np.arctan2(X[:, 1], X[:, 0])
    off = angle / (2 * np.pi) - 1.5 * radius - y / 3
    assert np.allclose(off, np.round(off), atol=1e-5)

    X, y = data.blobs(6000, noise=0.2, classes=4, seed=0)
    for k in range(4):
        assert np.allclose(X[y == k].mean(axis=0), [np.cos(k * np.pi / 2), np.sin(k * np.pi / 2)], atol=0.03)
        assert np.allclose(X[y == k].std(axis=0), 0.2, atol=0.02)


def test_digits_are_the_published_ones():
    X, y = data.digits()
    assert X.shape == (1797, 64) and X.dtype == np.float32 and y.dtype == np.int64
    assert X.min() == 0 and X.max() == 1 and (X * 16 == np.round(X * 16)).all()
    # the class distribution that the repository's optdigits.names states for optdigits.tes
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_digits_are_those_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = data.digits()
    theirs = datasets.load_digits()
    assert np.array_equal(X * 16, theirs.data) and np.array_equal(y, theirs.target)


def test_digits_split_is_fixed_and_complete():
    (X, _), (X_train, y_train), (X_test, y_test) = data.digits(), data.digits("train"), data.digits("test")
    assert len(X_train) + len(X_test) == len(X)

    def rows(array):
        return sorted(hashlib.sha256(row.tobytes()).digest() for row in array)

    assert rows(np.concatenate([X_train, X_test])) == rows(X)
    assert np.array_equal(data.digits("test")[0], X_test)
    assert np.abs(np.bincount(y_test) / len(y_test) - np.bincount(y_train) / len(y_train)).max() < 0.005
    with pytest.raises(ValueError, match="'train', 'test'"):
        data.digits("tset")


# ---------------------------------------------------------------------- batches and splits


@pytest.mark.parametrize("n", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("shuffle", [True, False])
def test_batches_bring_each_row_once_with_its_label(n, shuffle):
    X = np.arange(2 * n).reshape(n, 2)
    found = list(data.batches(X, X[:, 0] // 2, 5, shuffle=shuffle, seed=1))
    assert [len(xb) for xb, _ in found] == [5] * (n // 5) + [n % 5] * (n % 5 > 0)
    assert sorted(int(label) for _, yb in found for label in yb) == list(range(n))
    assert all((xb[:, 0] // 2 == yb).all() for xb, yb in found)
    full = list(data.batches(X, X, 5, shuffle=shuffle, drop_last=True))
    assert [len(xb) for xb, _ in full] == [5] * (n // 5)


def test_batches_shuffle_anew_unless_seeded():
    X = np.arange(100)

    def order(**options):
        return np.concatenate([xb for xb, _ in data.batches(X, X, 7, **options)]).tolist()

    assert order(seed=1) == order(seed=1) != order(seed=2)
    assert order() != order()
    tg.manual_seed(3)
    first = order()
    tg.manual_seed(3)
    assert order() == first


@pytest.mark.parametrize("arguments", [(np.ones(3), np.ones(4), 2), (np.ones(3), np.ones(3), 0), (np.ones(3), 1.0, 2)])
def test_batches_check_before_the_first_one(arguments):
    with pytest.raises(ValueError, match="batches"):
        data.batches(*arguments)


def test_split_keeps_rows_together_and_the_shares_of_classes():
    y = np.repeat([0, 1, 2], [70, 25, 5])
    X = np.arange(100) * 10 + y
    X_train, X_test, y_train, y_test = data.train_test_split(X, y, 0.2, seed=0)
    assert (X_train % 10 == y_train).all() and (X_test % 10 == y_test).all()
    assert sorted([*X_train, *X_test]) == X.tolist()
    assert np.bincount(y_test).tolist() == [14, 5, 1]
    assert np.count_nonzero(np.diff(y_train)) > 10  # mixed again
    again = data.train_test_split(X, y, 0.2, seed=0)
    assert np.array_equal(again[1], X_test)
    assert not np.array_equal(data.train_test_split(X, y, 0.2, seed=1)[1], X_test)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, 0.01, np.nan])
def test_split_refuses_an_empty_part(fraction):
    with pytest.raises(ValueError, match="test_fraction"):
        data.train_test_split(np.ones(10), np.ones(10), fraction)


def test_standardize():
    X = np.random.default_rng(0).normal([5, -3, 0.1], [2, 1e-3, 0], (1000, 3)).astype(np.float32)
    Z, mean, scale = data.standardize(X)
    assert Z.dtype == mean.dtype == scale.dtype == np.float32
    assert np.allclose(Z.mean(axis=0), 0, atol=1e-4) and np.allclose(Z.std(axis=0), [1, 1, 0], atol=1e-3)
    assert np.allclose((X - mean) / scale, Z, atol=1e-3)
    assert data.standardize(np.array([[1], [3]]))[0].dtype == np.float32


def test_standardize_has_no_largest_number():
    for dtype, most in ((np.float16, 6e4), (np.float32, 3.3e38), (np.float64, 1.7e308)):
        Z, mean, scale = data.standardize(np.array([[most, most], [-most, 0.9 * most], [-most, most]], dtype))
        assert np.allclose(Z, np.sqrt([[2, 0.5], [0.5, 2], [0.5, 0.5]]) * [[1, 1], [-1, -1], [-1, 1]], atol=2e-2)
        assert np.isfinite(mean).all() and np.isfinite(scale).all() and Z.dtype == mean.dtype == scale.dtype == dtype
    tiny = np.array([[1e-310], [3e-310]])
    assert np.allclose(data.standardize(tiny)[0], [[-1], [1]])
    assert data.standardize(np.array([1.0, 3.0]))[0].tolist() == [-1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_standardize_refuses_what_is_no_number(bad):
    with pytest.raises(ValueError, match="standardize: there is NaN or infinity"):
        data.standardize(np.array([[1.0, 2.0], [1.0, bad]]))


# ---------------------------------------------------------------------- CSV


def table(tmp_path, text, **options):
    path = tmp_path / "table.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return data.read_csv(path, **options)


def test_csv_with_and_without_a_header(tmp_path):
    plain = table(tmp_path, "1,2.5,7\n-3e-1,4,10\n 5 , 6 ,7\n")
    assert plain.X.tolist() == [[1, 2.5], [np.float32(-0.3), 4], [5, 6]] and plain.X.dtype == np.float32
    assert plain.classes == ["7", "10"] and plain.y.tolist() == [0, 1, 0] and plain.features is None
    named = table(tmp_path, '\ufeffkind,a,b\r\n\r\nred,1,2\r\n"dark, blue",3,4\r\n', target="kind")
    assert named.X.tolist() == [[1, 2], [3, 4]] and named.features == ["a", "b"] and named.target == "kind"
    assert named.classes == ["dark, blue", "red"] and named.y.tolist() == [1, 0]
    assert table(tmp_path, "1,2.0\n1,1\n").classes == ["1", "2.0"]  # as it stands in the file


def test_csv_features_only_and_columns_by_name(tmp_path):
    assert table(tmp_path, "a,b\n1,2\n", labelled=False).X.tolist() == [[1, 2]]
    assert table(tmp_path, "1,2\n", labelled=False).y is None
    assert table(tmp_path, "1,9007199254740993\n1,2\n").classes == ["2", "9007199254740993"]  # not rounded
    assert table(tmp_path, "1,10\n1,1_0\n").classes == ["10", "1_0"]  # a name, though Python reads a number
    with pytest.raises(ValueError, match=r"line 1: there is no column 'a'; its header has 'b', 'c'"):
        table(tmp_path, "b,c\n1,2\n", labelled=False, columns=["a", "b"])
    picked = table(tmp_path, "b,kind,a\n1,red,2\n", labelled=False, columns=["a", "b"])
    assert picked.X.tolist() == [[2, 1]] and picked.features == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("a,b,label\n", "only a header"),
        ("1,2,0\n1,2\n", "line 2: 2 cells, but the first line has 3"),
        ("a,b,c\n\n1,2,0\n1,2,3,4\n", "line 4: 4 cells"),
        ("1,2,0\n1,x,1\n", "line 2, column 2: 'x' is not a number"),
        ("a,b,c\n1,2,0\n1,x,1\n", r"line 3, column 2 \(b\): 'x' is not a number"),
        ("1,2,0\n1,,1\n", "line 2, column 2: the cell is empty"),
        ("1,2,0\nnan,2,1\n", "line 2, column 1: 'nan' is not finite"),
        ("1,2,0\n1,-inf,1\n", "line 2, column 2: '-inf' is not finite"),
        ("1,2,0\n1,1e39,1\n", "line 2, column 2: '1e39' is too large"),
        ('1,2,0\n1,"2,5",1\n', "line 2, column 2: '2,5' is not a number; a decimal fraction"),
        ("1,2,0\n1,2,\n", "line 2: the label is empty"),
        ("1,2,0\n1,2,0.5\n", "line 2: the label '0.5' is no class"),
        ("1,2,0\n1,2,nan\n", "line 2: the label 'nan' is no class"),
        ("1,2,red\n3,4,red\n", "every row has the label 'red'"),
        ("1\n2\n", "only one column"),
        ('1,"2,0\n1,2,1\n', "line 2: unexpected end of data"),
        (b"1,2,\xff\xfe\n", "not UTF-8"),
    ],
)
def test_csv_errors_name_file_and_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as caught:
        table(tmp_path, text)
    assert "table.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_csv_target_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="no column 'knid'; the nearest are 'kind'"):
        table(tmp_path, "a,kind\n1,red\n2,blue\n", target="knid")
    with pytest.raises(ValueError, match="2 columns are named 'a'"):
        table(tmp_path, "a,a\n1,2\n", target="a")
    with pytest.raises(FileNotFoundError):
        data.read_csv(tmp_path / "none.csv")
