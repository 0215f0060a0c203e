"""A file that states more than it holds costs no memory, and what save and load cannot take is named."""

from __future__ import annotations

import enum
import io
import json
import tracemalloc
import zipfile
import zlib
from collections import Counter, OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg

MEGABYTE = 2**20


def loaded(path):
    """What load gives or raises, and how much memory that took at most."""
    tracemalloc.start()
    try:
        try:
            return tg.load(path), tracemalloc.get_traced_memory()[1]
        except ValueError as error:
            assert "cannot be read: " in str(error)
            return str(error), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def npy(shape, body=b"", descr="<f4"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    return file.getvalue() + body


def zeros_deflated(megabytes):
    """A megabyte of zeros compressed once, and written so many times: valid, without compressing all of them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = npy((megabytes * MEGABYTE,), descr="|u1")
    raw = deflate.compress(head) + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(bytes(MEGABYTE)) + deflate.flush(zlib.Z_FULL_FLUSH)
    return raw + block * megabytes + deflate.flush(), len(head) + megabytes * MEGABYTE


def write_zip(path, members):
    """``members``: name, bytes as they are stored, and what the directory is to say of them."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw, said in members:
            archive.writestr(name, raw)
            for what, value in said.items():
                setattr(archive.getinfo(name), what, value)


# ---------------------------------------------------------------------- sizes


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_before_it_does(tmp_path):
    raw, size = zeros_deflated(4000)
    said = {"compress_type": zipfile.ZIP_DEFLATED, "file_size": size}
    write_zip(tmp_path / "bomb.npz", [("a.npy", raw, said)])
    assert (tmp_path / "bomb.npz").stat().st_size < 4.2 * MEGABYTE
    message, memory = loaded(tmp_path / "bomb.npz")
    assert "unpack to 4,194,304,128; if you trust it, read it with numpy.load" in message and memory < MEGABYTE


def test_many_members_that_unpack_to_gigabytes_together_are_refused(tmp_path):
    raw, size = zeros_deflated(300)
    said = {"compress_type": zipfile.ZIP_DEFLATED, "file_size": size}
    write_zip(tmp_path / "bomb.npz", [(f"{i}.npy", raw, said) for i in range(5)])
    message, memory = loaded(tmp_path / "bomb.npz")
    assert "unpack to 1,572," in message and memory < MEGABYTE


def test_members_that_share_their_bytes_are_refused(tmp_path):
    raw, size = zeros_deflated(1)
    said = {"compress_type": zipfile.ZIP_DEFLATED, "file_size": size, "compress_size": len(raw)}
    first = [("0.npy", raw, said)]
    write_zip(tmp_path / "bomb.npz", first + [(f"{i}.npy", b"", {**said, "header_offset": 0}) for i in range(1, 500)])
    message, memory = loaded(tmp_path / "bomb.npz")
    assert "its members should take" in message and memory < 2 * MEGABYTE


HUGE = 10**12


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("a.npy", npy((HUGE,)), {})], r"a.npy of shape \(1000000000000,\) and dtype float32 should have 4,000,"),
        ([("a.npy", npy((10**30, 0)), {})], "too large"),
        ([("a.npy", npy((-2, -3), bytes(24)), {})], "unknown dimension"),
        ([("a.npy", npy((2,), bytes(12)), {})], "should have 8 bytes, not 12"),
        ([("a.npy", npy((2,), bytes(8), f"<U{10**8}"), {})], "should have 800,000,000 bytes, not 8"),
        ([("a.npy", npy((HUGE,)), {"file_size": HUGE})], "which cannot be in it"),
        ([("a.npy", npy((HUGE,)), {"file_size": HUGE, "compress_size": HUGE})], "its members should take 1,000,000"),
        ([("a.npy", npy((HUGE,)), {"file_size": HUGE, "compress_type": zipfile.ZIP_DEFLATED})], "cannot be in it"),
        ([("a.npy", npy((1,), bytes(4)), {"compress_type": zipfile.ZIP_LZMA})], "compressed in a way that npz files"),
        ([("a.npy", npy((1,), bytes(4)), {"header_offset": 10**15})], "should begin at byte"),
        ([("a.npy", npy((1,), bytes(4)), {}), ("b.npy", npy((1,), bytes(4)), {"filename": "a.npy"})], "of one name"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_an_npz_file_says_of_itself_is_held_against_what_is_in_it(tmp_path, members, message):
    write_zip(tmp_path / "a.npz", members)
    said, memory = loaded(tmp_path / "a.npz")
    assert isinstance(said, str) and memory < MEGABYTE
    with pytest.raises(ValueError, match=message):
        tg.load(tmp_path / "a.npz")


def test_a_structure_that_unpacks_to_many_lists_is_refused(tmp_path):
    text = b'{"list": [' + b"[]," * 10_000_000 + b"[]]}"
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("structure.json", text)
    message, memory = loaded(tmp_path / "a.npz")
    assert "structure.json unpacks to 30,000,014 bytes" in message and memory < MEGABYTE


def test_compressed_files_of_ordinary_arrays_are_read(tmp_path):
    arrays = {"zeros": np.zeros(25 * MEGABYTE, np.float32), "w": np.arange(6.0).reshape(2, 3), "word": np.array("a")}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    assert (tmp_path / "a.npz").stat().st_size < MEGABYTE / 5
    back, memory = loaded(tmp_path / "a.npz")
    assert all(np.array_equal(back[name], array) for name, array in arrays.items())
    assert memory < 110 * MEGABYTE  # the arrays once
    tg.save(tmp_path / "b.npz", {"w": [np.arange(3)], "epoch": 1})
    with (
        zipfile.ZipFile(tmp_path / "b.npz") as ours,
        zipfile.ZipFile(tmp_path / "c.npz", "w", zipfile.ZIP_DEFLATED) as c,
    ):
        for name in ours.namelist():
            c.writestr(name, ours.read(name))
    assert tg.load(tmp_path / "c.npz")["w"][0].tolist() == [0, 1, 2]


def test_uncompressed_files_are_read_with_little_more_memory_than_their_arrays(tmp_path):
    for name in ("a.npz", "a.safetensors"):
        tg.save(tmp_path / name, {"a": np.ones(20 * MEGABYTE, np.uint8)})
        back, memory = loaded(tmp_path / name)
        assert back["a"].sum() == 20 * MEGABYTE and memory < 22 * MEGABYTE


def safetensors(path, header, body=b""):
    text = json.dumps(header).encode()
    Path(path).write_bytes(len(text).to_bytes(8, "little") + text + body)


def test_what_a_safetensors_file_says_of_itself_is_held_against_what_is_in_it(tmp_path):
    path = tmp_path / "a.safetensors"
    same = {"dtype": "U8", "shape": [MEGABYTE], "data_offsets": [0, MEGABYTE]}
    for header, body in (
        ({f"{i}": same for i in range(500)}, bytes(MEGABYTE)),  # all of them the same bytes
        ({"a": {**same, "shape": [HUGE], "data_offsets": [0, HUGE]}}, b""),
        ({"a": {**same, "shape": [1] * 100_000 + [HUGE]}}, b""),
        ({"a": {**same, "shape": [HUGE, 0, 10**30], "data_offsets": [0, 0]}}, b""),
    ):
        safetensors(path, header, body)
        message, memory = loaded(path)
        assert isinstance(message, str) and memory < 8 * MEGABYTE, message
    path.write_bytes((10**8).to_bytes(8, "little"))
    assert "the header should have" in loaded(path)[0]


def test_a_device_that_never_ends_is_no_file_of_arrays():
    for path in ("/dev/zero", "/dev/null"):
        if Path(path).exists():
            with pytest.raises(ValueError, match="it is no ordinary file"):
                tg.load(path)


# ---------------------------------------------------------------------- what is given


def test_exchanged_and_missing_arguments_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = tg.nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"got a dict; the path comes first: tg.save\('m.npz', ...\)"):
        tg.save(model.state_dict(), "m.npz")
    with pytest.raises(TypeError, match=r"got a Linear; the path comes first: tg.save\('m.npz', ...\)"):
        tg.save(model, Path("m.npz"))
    with pytest.raises(TypeError, match=r"expected the path of a file, got a dict$"):
        tg.save(model.state_dict())
    with pytest.raises(TypeError, match=r"what to save is missing, as in tg.save\('m.npz', model.state_dict\(\)\)"):
        tg.save("m.npz")
    with pytest.raises(TypeError, match="a Linear; save its state_dict"):
        tg.save("m.npz", model)
    with pytest.raises(TypeError, match=r"an? SGD; save its state_dict"):
        tg.save("m.npz", tg.optim.SGD(model.parameters(), lr=0.1))
    for wrong in (model, model.state_dict(), None, 5):
        with pytest.raises(TypeError, match=r"expected the path of a file, got .*; .*load_state_dict\(tg.load"):
            tg.load(wrong)
    assert not list(tmp_path.iterdir())
    tg.save(b"bytes.safetensors", {"a": np.ones(1)})
    assert tg.load(b"bytes.safetensors")["a"] == 1


Point = namedtuple("Point", "x y")


class Color(enum.IntEnum):
    RED = 1


class Words(str):
    pass


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Point(1, 2), r"a Point at 'a/1'; a file knows no classes: save its _asdict\(\), or tuple\(\) of it"),
        (Color.RED, "a Color at 'a/1'; a file knows no classes: make it a plain int"),
        (Words("x"), "a Words at 'a/1'; a file knows no classes"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), "a masked array at 'a/1', its mask would be lost; fill it"),
    ],
)
def test_what_would_come_back_as_something_else_is_refused(tmp_path, value, message):
    with pytest.raises(TypeError, match=message):
        tg.save(tmp_path / "a.npz", {"a": [0, value]})
    assert not list(tmp_path.iterdir())


def test_the_docstring_says_what_comes_back_as_its_kind(tmp_path):
    tg.save(tmp_path / "a.npz", [OrderedDict(b=1, a=2), Counter("aab"), np.ma.array([1.0])])
    ordered, counted, unmasked = tg.load(tmp_path / "a.npz")
    assert (
        type(ordered) is dict and list(ordered) == ["b", "a"] and type(counted) is dict and counted == {"a": 2, "b": 1}
    )
    assert type(unmasked) is np.ndarray
    assert "Dicts and lists of any class come back as dicts and lists" in " ".join(tg.save.__doc__.split())
