"""Files and folders that are whole or not there: written under a hidden name, then put in their place at once.

A process that is killed leaves its hidden file behind. Its name says which process of which machine wrote it, so the
next one that writes to the same folder can tell what is left over from what is being written just now.
"""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

__all__ = ["replacing", "replacing_folder", "restore", "sweep"]

_HIDDEN = re.compile(r"\.(.+)\.([0-9a-f]{8})-(\d{1,9})-(\d+)-[0-9a-f]{8}\.(tmp|old)")  # name, machine, process, start
_LONG = 30 * 24 * 3600  # seconds after which what another machine has begun is taken to be left over
_SWAP = 2  # RENAME_EXCHANGE of Linux (renameat2) and RENAME_SWAP of macOS (renamex_np)
_HERE = -100  # AT_FDCWD


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A new file to write to, which takes the place of ``path`` at the end, or is deleted if anything fails.

    What is no file but stands for a device or a pipe, such as /dev/null, is not replaced but written to.
    """
    given = os.fsdecode(path)
    if os.path.isdir(given) or given.endswith(os.sep):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), given)
    if not given:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), given)
    if os.path.exists(given) and not os.path.isfile(given):
        with open(given, "wb") as file:
            yield file
        return
    real = os.path.realpath(given)  # of a symbolic link, the target is replaced
    sweep(os.path.dirname(real))
    temporary = _beside(real, "tmp")
    with ExitStack() as cleanup:
        cleanup.callback(_remove, temporary)  # runs last, when the file is closed
        try:
            file = cleanup.enter_context(open(temporary, "xb"))
        except OSError as error:  # told with the name that was given, not with one that nobody knows
            raise type(error)(error.errno, _why(error, os.path.dirname(given)), given) from None
        yield file
        file.flush()
        os.fsync(file.fileno())
        file.close()
        os.replace(temporary, real)


def _why(error: OSError, folder: str) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{error.strerror}: there is no folder {folder}; make it first, as with os.makedirs"
    return str(error.strerror)


@contextmanager
def replacing_folder(out: str | os.PathLike[str]) -> Iterator[Path]:
    """A new folder to write to, which takes the place of ``out`` at the end, or is deleted if anything fails.

    Missing folders on the way to it are made, and go again with it. Whenever the process is killed, ``out`` is the
    old one or the new one; where the system cannot exchange two names in one step, ``restore`` brings the old one back.
    """
    real = os.path.realpath(out)
    missing = [folder for folder in Path(real).parents if not folder.exists()]
    restore(out)
    sweep(os.path.dirname(real))
    folder = _beside(real, "tmp")
    try:
        try:
            os.makedirs(folder)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, os.fspath(out)) from None
        yield Path(folder)
        _swap(folder, real)
    except BaseException:
        _remove(folder)
        for parent in missing:  # the deepest first; one that is not empty stays
            with suppress(OSError):
                parent.rmdir()
        raise


def _swap(new: str, out: str) -> None:
    if not os.path.exists(out):
        os.rename(new, out)
        return
    if _exchange(new, out):
        _remove(new)  # which is the old one now
        return
    old = _beside(out, "old")
    os.rename(out, old)
    try:
        os.rename(new, out)
    except BaseException:
        os.rename(old, out)
        raise
    _remove(old)


def _exchange(a: str, b: str) -> bool:
    """Let two names change places in one step; False where the system or the file system cannot."""
    try:
        import ctypes

        libc: Any = ctypes.CDLL(None)
        names = os.fsencode(a), os.fsencode(b)
        if sys.platform == "darwin":
            return libc.renamex_np(*names, _SWAP) == 0
        return libc.renameat2(_HERE, names[0], _HERE, names[1], _SWAP) == 0
    except (ImportError, OSError, AttributeError, TypeError):  # no C library, or an old one
        return False


def restore(out: str | os.PathLike[str]) -> None:
    """Bring the folder ``out`` back if a process was killed after it had put it aside, and before the new one came."""
    real = os.path.realpath(out)
    for path, name, ending in _left_over(os.path.dirname(real)):
        if ending == "old" and name == _short(real):
            with suppress(OSError):
                if os.path.exists(real):
                    _remove(path)
                else:
                    os.rename(path, real)


# ---------------------------------------------------------------------- what killed processes have left


def sweep(folder: str | os.PathLike[str]) -> None:
    """Delete what killed processes have left half-written in this folder."""
    for path, _, ending in _left_over(folder):
        if ending == "tmp":
            _remove(path)


def _left_over(folder: str | os.PathLike[str]) -> list[tuple[str, str, str]]:
    """The hidden files and folders here whose process is dead: path, name of what they were to be, ending."""
    found = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _HIDDEN.fullmatch(entry.name)
            if match and _is_left_over(entry, match[2], int(match[3]), match[4]):
                found.append((entry.path, match[1], match[5]))
    return found


def _is_left_over(entry: os.DirEntry[str], machine: str, process: int, start: str) -> bool:
    if machine == _machine() and os.name == "posix":
        return not _lives(process, start)
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > _LONG


def _lives(process: int, start: str) -> bool:
    """Tell whether the process that began then still runs; its number may have been given to another since."""
    try:
        os.kill(process, 0)  # signal 0 only asks
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    state, began = _status(process)
    return state != "Z" and began == start


def _status(process: int) -> tuple[str, str]:
    """State and start (in ticks since the machine's) of a process as Linux tells them; elsewhere nothing."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return fields[0], fields[19]
    except OSError:
        return "", "0"


@lru_cache(maxsize=1)
def _machine() -> str:
    """A name for the machine since its last start, as far as its process numbers reach: a container has its own."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            this = file.read() + os.readlink("/proc/self/ns/pid")
    except OSError:
        import uuid

        this = str(uuid.getnode())
    return _hash(platform.node() + this)[:8]


def _beside(path: str, ending: str) -> str:
    """A hidden name in the same folder that nobody else has."""
    process = os.getpid()
    tag = f"{_machine()}-{process}-{_status(process)[1]}-{secrets.token_hex(4)}"
    return os.path.join(os.path.dirname(path), f".{_short(path)}.{tag}.{ending}")


def _short(path: str) -> str:
    """The name of the file; of one so long that nothing could be added, a hash."""
    name = os.path.basename(path)
    return name if len(os.fsencode(name)) <= 150 else _hash(name)


def _hash(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):  # it has been renamed, or cannot be helped
        os.unlink(path)
