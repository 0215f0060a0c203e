"""What is saved comes back the same, readable by others, and a damaged file is a clear error."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import Tensor, serialize

ARRAYS = {
    "float32": np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3),
    "float64": np.array([np.nan, np.inf, -0.0]),
    "float16": np.array([1.5], np.float16),
    "int8": np.array([-128, 127], np.int8),
    "uint64": np.array([2**64 - 1], np.uint64),
    "bool": np.array([[True], [False]]),
    "0-d": np.array(3.0),
    "empty": np.zeros((0, 3), np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(10)[::-2],
}


def same(a, b):
    return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_arrays_come_back_the_same(tmp_path, ending):
    path = tmp_path / f"arrays.{ending}"
    tg.save(path, ARRAYS)
    back = tg.load(path)
    assert list(back) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert same(back[name], array), name
        back[name][...] = 0  # what is loaded can be changed


def test_nested_state_comes_back_the_same(tmp_path):
    state = {
        "a": [1, 2.5, "text\n\u2713", True, None, float("inf"), 2**70],
        "b": (np.float32(0.1), [np.arange(3)], {}, [], ()),
        7: {"a/b": np.ones(1), "a": {"b": np.zeros(2)}},
        "": np.array("words"),
        "nul\0and\\": np.arange(2),
        "structure.json": np.arange(4),
    }
    path = tmp_path / "state.npz"
    tg.save(path, state)
    back = tg.load(path)
    assert list(back) == list(state) and back["a"] == state["a"] and type(back["a"][3]) is bool
    assert isinstance(back["b"], tuple) and same(back["b"][0], np.float32(0.1)) and same(back["b"][1][0], np.arange(3))
    assert back["b"][2:] == ({}, [], ())
    assert same(back[7]["a/b"], np.ones(1)) and same(back[7]["a"]["b"], np.zeros(2))
    assert back[""] == "words" and same(back["nul\0and\\"], np.arange(2)) and same(back["structure.json"], np.arange(4))
    tg.save(path, 5)
    assert tg.load(path) == 5


def test_tensors_come_back_as_arrays(tmp_path):
    for ending in ("npz", "safetensors"):
        path = tmp_path / f"t.{ending}"
        tg.save(path, {"w": Tensor([1.0, 2.0], requires_grad=True)})
        assert same(tg.load(path)["w"], np.array([1, 2], np.float32))


def test_npz_is_readable_by_numpy_and_the_other_way_round(tmp_path):
    tg.save(tmp_path / "ours.npz", {"model": {"0.weight": np.ones((2, 2))}})
    with np.load(tmp_path / "ours.npz") as stored:
        assert np.array_equal(stored["model/0.weight"], np.ones((2, 2)))
    np.savez_compressed(tmp_path / "theirs.npz", w=np.arange(3))
    assert same(tg.load(tmp_path / "theirs.npz")["w"], np.arange(3))


def test_safetensors_bytes_follow_the_format(tmp_path):
    path = tmp_path / "a.safetensors"
    arrays = {"flag": np.array([True]), "w": np.array([[1, 2]], ">f4"), "half": np.array(0.5, np.float16)}
    tg.save(path, arrays)
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    assert raw[8:9] == b"{" and length % 8 == 0
    assert {name: (entry["dtype"], entry["shape"]) for name, entry in header.items()} == {
        "flag": ("BOOL", [1]),
        "w": ("F32", [1, 2]),
        "half": ("F16", []),
    }
    body = raw[8 + length :]
    places = sorted(entry["data_offsets"] for entry in header.values())
    assert places[0][0] == 0 and places[-1][1] == len(body)
    assert all(a[1] == b[0] for a, b in itertools.pairwise(places))
    start, stop = header["w"]["data_offsets"]
    assert body[start:stop] == np.array([1, 2], "<f4").tobytes()


def test_safetensors_agrees_with_its_own_library(tmp_path):
    theirs = pytest.importorskip("safetensors.numpy")
    arrays = {name: np.ascontiguousarray(array) if array.ndim else array for name, array in ARRAYS.items()}
    tg.save(tmp_path / "ours.safetensors", arrays)
    back = theirs.load_file(tmp_path / "ours.safetensors")
    assert all(same(back[name], array) for name, array in arrays.items())
    theirs.save_file(arrays, tmp_path / "theirs.safetensors", metadata={"format": "np"})
    back = tg.load(tmp_path / "theirs.safetensors")
    assert all(same(back[name], array) for name, array in arrays.items())


# ---------------------------------------------------------------------- what cannot be saved


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"a": [1, object()]}, "a object at 'a/1'"),
        ({"a": {1.5: 1}}, "the key 1.5 at 'a'"),
        ({"a": np.array([object()])}, "dtype object at 'a'"),
        ({"a": {1, 2}}, "a set at 'a'"),
        ({"a": b"bytes"}, "a bytes at 'a'"),
    ],
)
def test_what_cannot_be_saved_is_named_and_nothing_is_written(tmp_path, state, message):
    path = tmp_path / "state.npz"
    tg.save(path, 1)
    with pytest.raises(TypeError, match=message):
        tg.save(path, state)
    assert tg.load(path) == 1 and os.listdir(tmp_path) == ["state.npz"]


def test_a_module_is_not_its_state(tmp_path):
    with pytest.raises(TypeError, match="state_dict"):
        tg.save(tmp_path / "model.npz", {"model": tg.nn.ReLU()})


@pytest.mark.parametrize("state", [[np.ones(1)], {"a": {"b": np.ones(1)}}, {"a": 1.0}, {1: np.ones(1)},
                                   {"a": np.ones(1, complex)}])  # fmt: skip
def test_safetensors_holds_only_a_flat_dict_of_arrays(tmp_path, state):
    with pytest.raises(TypeError, match="safetensors"):
        tg.save(tmp_path / "a.safetensors", state)
    assert not os.listdir(tmp_path)


# ---------------------------------------------------------------------- what goes wrong on the disk


def test_an_older_file_survives_a_failed_write(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    tg.save(path, {"old": np.ones(3)})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tg.save(path, {"new": np.ones(3)})
    monkeypatch.undo()
    assert list(tg.load(path)) == ["old"] and os.listdir(tmp_path) == ["a.npz"]
    with pytest.raises(KeyboardInterrupt), serialize.replacing(path) as file:
        file.write(b"half of it")
        raise KeyboardInterrupt
    assert list(tg.load(path)) == ["old"] and os.listdir(tmp_path) == ["a.npz"]


def test_saving_where_nothing_can_be_written(tmp_path):
    with pytest.raises(OSError):
        tg.save(tmp_path / "no folder" / "a.npz", {})


def test_a_folder_is_not_replaced(tmp_path):
    with pytest.raises(IsADirectoryError, match=str(tmp_path)):
        tg.save(tmp_path, 1)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="pipes as on Unix")
def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with serialize.replacing(pipe) as file:
        file.write(b"answers")
    assert os.read(reader, 100) == b"answers" and pipe.is_fifo()
    os.close(reader)


@pytest.mark.skipif(os.name == "nt", reason="modes and links as on Unix")
def test_saving_through_a_link_and_with_ordinary_permissions(tmp_path):
    (tmp_path / "link.npz").symlink_to(tmp_path / "real.npz")
    tg.save(tmp_path / "link.npz", 1)
    assert (tmp_path / "link.npz").is_symlink() and tg.load(tmp_path / "real.npz") == 1
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "real.npz").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_every_truncation_and_many_changes_are_noticed(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    tg.save(path, {"a": np.arange(7.0), "b": np.arange(3)})
    raw = path.read_bytes()
    for length in range(0, len(raw), 7):
        path.write_bytes(raw[:length])
        with pytest.raises(ValueError, match=f"load: .*a.{ending} cannot be read: ."):
            tg.load(path)
    for place in range(0, len(raw), 5):  # a changed byte is noticed or harmless, and never another kind of error
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        try:
            tg.load(path)
        except ValueError as error:
            assert "cannot be read" in str(error)


def header(**entry):
    text = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **entry}}).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize(
    "raw",
    [
        header() + b"1234567",  # too short
        header() + b"123456789",  # too long
        header(shape=[3]) + b"12345678",
        header(shape=[-2]) + b"12345678",
        header(shape=[2.0]) + b"12345678",
        header(data_offsets=[4, 12]) + b"123456789012",  # a hole before it
        header(data_offsets=[8, 0]) + b"12345678",
        header(dtype="BF16") + b"1234",
        (2**63).to_bytes(8, "little") + b"{}",
        b"\2\0\0\0\0\0\0\0[]",
        b'\x10\0\0\0\0\0\0\0{"a": 1, "a": 2}',
    ],
)
def test_safetensors_of_another_shape_than_they_say(tmp_path, raw):
    (tmp_path / "a.safetensors").write_bytes(raw)
    with pytest.raises(ValueError, match="cannot be read"):
        tg.load(tmp_path / "a.safetensors")


def test_no_code_is_run(tmp_path):
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    (tmp_path / "a.npz").write_bytes(pickle.dumps(Evil()))
    np.savez(tmp_path / "b.npz", a=np.array([Evil()], dtype=object))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    for name in ("a.npz", "b.npz", "c.npz"):
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            tg.load(tmp_path / name)
    assert not marker.exists()
