"""Files and folders are the old or the new ones, whenever the process that writes them is killed."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tinygrad_relu as tg
from tinygrad_relu import files

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1"}
unix = pytest.mark.skipif(os.name == "nt", reason="signals and numbers of processes as on Unix")

# Runs `work` in processes of its own, and kills each before another one of its calls to the system, until one survives.
KILLED_EVERYWHERE = """
import os, signal, sys
import numpy as np
import tinygrad_relu as tg
from tinygrad_relu import files

CALLS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.scandir", "os.listdir", "shutil.rmtree")


def killed_everywhere(work, look):
    for moment in range(1, 500):
        child = os.fork()
        if not child:
            left = moment

            def watch(event, arguments):
                nonlocal left
                if event in CALLS:
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(watch)
            try:
                work(moment)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        look(moment)
        assert status in (0, signal.SIGKILL), status
        if status == 0:
            print("killed", moment - 1, "times")
            return
"""


def killed_everywhere(folder, program):
    done = subprocess.run([sys.executable, "-c", KILLED_EVERYWHERE + program], cwd=folder, env=ENVIRONMENT,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(re.fullmatch(r"killed (\d+) times\n", done.stdout)[1])


SAVES = """
def look(moment):
    array = tg.load("model.npz")["weights"]
    assert (array == array[0]).all() and array[0] in (seen[-1], moment), array
    seen.append(array[0])
    hidden = [name for name in os.listdir() if name.startswith(".")]
    assert len(hidden) <= 1, hidden  # of the one that was killed just now


seen = [0]
tg.save("model.npz", {"weights": np.zeros(1000)})
killed_everywhere(lambda moment: tg.save("model.npz", {"weights": np.full(1000, moment)}), look)
"""


@unix
def test_a_save_that_is_killed_leaves_the_old_file_and_the_next_one_clears_up(tmp_path):
    assert killed_everywhere(tmp_path, SAVES) >= 3
    assert os.listdir(tmp_path) == ["model.npz"]


FOLDERS = """
EXCHANGES = {exchanges}
if not EXCHANGES:
    files._exchange = lambda a, b: False


def write(moment):
    with files.replacing_folder("runs/run") as folder:
        for name in ("a", "b"):
            (folder / name).write_text(str(moment))


def look(moment):
    if not EXCHANGES:
        files.restore("runs/run")
    texts = {{open(f"runs/run/{{name}}").read() for name in ("a", "b")}}
    assert len(texts) == 1 and texts < {{seen[-1], str(moment)}}, texts
    seen.extend(texts)
    assert len(os.listdir("runs")) <= 3, os.listdir("runs")  # the run, what is new or old, and what is being written


seen = ["0"]
write(0)
killed_everywhere(write, look)
"""


@unix
@pytest.mark.parametrize("wanted", [True, False])
def test_a_folder_is_the_old_or_the_new_one_whenever_its_writer_is_killed(tmp_path, wanted):
    exchanges = wanted and can_exchange(tmp_path)
    assert killed_everywhere(tmp_path, FOLDERS.format(exchanges=exchanges)) >= 6
    assert os.listdir(tmp_path / "runs") == ["run"]


def can_exchange(folder):
    for name in ("x", "y"):
        Path(folder, name).mkdir()
    done = files._exchange(os.path.join(folder, "x"), os.path.join(folder, "y"))
    for name in ("x", "y"):
        Path(folder, name).rmdir()
    return done


def test_two_folders_change_places(tmp_path, monkeypatch):
    for exchange in (files._exchange, lambda a, b: False):
        monkeypatch.setattr(files, "_exchange", exchange)
        for text in ("old", "new"):
            with files.replacing_folder(tmp_path / "run") as folder:
                (folder / text).write_text(text)
                assert folder.parent == tmp_path and folder.name.startswith(".run.")
        assert os.listdir(tmp_path) == ["run"] and os.listdir(tmp_path / "run") == ["new"]


def test_a_folder_that_failed_leaves_the_old_one_and_no_way_to_it(tmp_path):
    with files.replacing_folder(tmp_path / "run") as folder:
        (folder / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), files.replacing_folder(tmp_path / "run") as folder:
        raise KeyboardInterrupt
    with pytest.raises(ZeroDivisionError), files.replacing_folder(tmp_path / "far" / "away") as folder:
        raise ZeroDivisionError
    assert os.listdir(tmp_path) == ["run"] and os.listdir(tmp_path / "run") == ["a"]


# ---------------------------------------------------------------------- whose hidden files they are


def of_another(machine="", process=0, start=""):
    """A hidden name as ``_beside`` gives them, but of another machine, process, or one that began at another time."""
    name = os.path.basename(files._beside("a.npz", "tmp"))
    own = f"{files._machine()}-{os.getpid()}-{files._status(os.getpid())[1]}"
    assert own in name
    return name.replace(
        own, f"{machine or files._machine()}-{process or os.getpid()}-{start or files._status(os.getpid())[1]}"
    )


def after_the_next_save(folder, name, days=0):
    path = folder / name
    path.write_text("half of it")
    then = time.time() - days * 24 * 3600
    os.utime(path, (then, then))
    tg.save(folder / "b.npz", 1)
    return path.exists()


def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


@unix
def test_only_what_a_dead_process_of_this_machine_has_left_is_deleted_at_once(tmp_path):
    assert not after_the_next_save(tmp_path, of_another(process=dead_process()))
    assert after_the_next_save(tmp_path, of_another(), days=300)  # this process lives
    assert after_the_next_save(tmp_path, of_another(machine="01234567", process=dead_process()), days=20)
    assert not after_the_next_save(tmp_path, of_another(machine="01234567"), days=40)
    for name in (".a.npz.0123abcd.tmp", ".a.npz.swp", "a.npz.tmp", ".hidden"):
        assert after_the_next_save(tmp_path, name, days=300)  # not ours


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_number_that_was_given_to_another_process_since_is_no_sign_of_life(tmp_path):
    assert not after_the_next_save(tmp_path, of_another(start="1"))
    zombie = os.fork()
    if not zombie:
        os._exit(0)
    deadline = time.monotonic() + 60
    while files._status(zombie)[0] != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not after_the_next_save(tmp_path, of_another(process=zombie, start=files._status(zombie)[1]))
    os.waitpid(zombie, 0)


def test_saving_goes_on_beside_a_living_process_that_writes_the_same_file(tmp_path):
    path = tmp_path / "a.npz"
    with files.replacing(path) as file:
        file.write(b"mine")
        tg.save(path, np.ones(2))
        assert len(os.listdir(tmp_path)) == 2
    assert path.read_bytes() == b"mine" and os.listdir(tmp_path) == ["a.npz"]


# ---------------------------------------------------------------------- names


def test_names_as_long_as_the_system_takes_them(tmp_path):
    name = "가" * 83 + ".npz"  # 253 bytes
    tg.save(tmp_path / name, 1)
    assert os.listdir(tmp_path) == [name] and tg.load(tmp_path / name) == 1
    for text in ("old", "new"):
        with files.replacing_folder(tmp_path / ("x" * 255)) as folder:
            (folder / text).write_text(text)
    assert sorted(os.listdir(tmp_path)) == ["x" * 255, name]


def test_a_missing_folder_is_named_as_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"there is no folder none/at/all; make it first.*'none/at/all/a.npz'"):
        tg.save("none/at/all/a.npz", 1)
    with pytest.raises(IsADirectoryError, match="models/"):
        tg.save("models/", 1)
    with pytest.raises(FileNotFoundError):
        tg.save("", 1)
    with open("file", "w"), pytest.raises(OSError) as caught:
        tg.save("file/a.npz", 1)
    assert caught.value.errno == errno.ENOTDIR and os.listdir() == ["file"]
