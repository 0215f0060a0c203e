"""Progress where it can be seen: in the kernel of a notebook, on a terminal, and nowhere else."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TRAIN = """
import time, numpy as np, tinygrad_relu as tg
X, y = tg.data.moons(64, seed=0)
def train(pause=0.0, **options):
    return tg.fit(tg.nn.MLP(2, [4], 2), X, y, epochs=5, callback=lambda history: time.sleep(pause), **options)
"""


@pytest.fixture(scope="module")
def kernel():
    """Runs code in a kernel, and gives the messages that a notebook would get."""
    pytest.importorskip("ipykernel")
    manager = pytest.importorskip("jupyter_client.manager")
    running, client = manager.start_new_kernel(
        kernel_name="python3", env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=str(ROOT)
    )

    def run(code):
        messages = []
        reply = client.execute_interactive(code, output_hook=messages.append, timeout=120)
        assert reply["content"]["status"] == "ok", reply["content"]
        shown = [m for m in messages if m["msg_type"] not in ("status", "execute_input")]
        return [(m["msg_type"], m["content"]) for m in shown]

    run(TRAIN)
    yield run
    client.stop_channels()
    running.shutdown_kernel(now=True)


def test_a_bar_moves_in_a_notebook_and_its_last_state_stays(kernel):
    messages = kernel("_ = train(pause=0.15)")
    kinds = [kind for kind, _ in messages]
    assert kinds[0] == "display_data" and set(kinds[1:]) == {"update_display_data"} and len(kinds) >= 4
    assert len({content["transient"]["display_id"] for _, content in messages}) == 1
    epochs = [int(re.match(r"epoch (\d)/5", content["data"]["text/plain"])[1]) for _, content in messages]
    assert epochs[0] == 0 and epochs[-1] == 5 and epochs == sorted(set(epochs))
    for epoch, (_, content) in zip(epochs, messages):
        assert (
            f'<progress value="{epoch}" max="5"></progress> {content["data"]["text/plain"]}'
            in content["data"]["text/html"]
        )
    assert "loss" in messages[-1][1]["data"]["text/plain"] and "accuracy" in messages[-1][1]["data"]["text/plain"]


def test_a_fast_training_shows_its_last_state(kernel):
    messages = kernel("_ = train()")
    assert messages[-1][1]["data"]["text/plain"].startswith("epoch 5/5  loss ")
    stopped = kernel("_ = tg.fit(tg.nn.Linear(2, 2), X, y, epochs=9, callback=lambda history: len(history) == 2)")
    assert stopped[-1][1]["data"]["text/plain"].startswith("epoch 2/9  loss ")


def test_a_notebook_without_progress_stays_empty(kernel):
    assert kernel("_ = train(progress=False)") == []


def test_in_a_notebook_that_is_run_by_a_program_one_line_stays():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    cells = [nbformat.v4.new_code_cell(code) for code in (TRAIN, "_ = train()", "_ = train(progress=False)")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    resources = {"metadata": {"path": str(ROOT)}}
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources).execute()
    assert [len(cell["outputs"]) for cell in notebook["cells"]] == [0, 1, 0]
    (output,) = notebook["cells"][1]["outputs"]
    assert output["output_type"] == "display_data" and output["data"]["text/plain"].startswith("epoch 5/5  loss ")


def test_a_pipe_gets_nothing_and_a_terminal_a_bar():
    fcntl, pty, termios = (pytest.importorskip(name) for name in ("fcntl", "pty", "termios"))
    command = [sys.executable, "-c", TRAIN + "train()"]
    piped = subprocess.run(command, capture_output=True, cwd=ROOT, check=True)
    assert piped.stdout == piped.stderr == b""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # rows, columns
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, cwd=ROOT) as process:
        os.close(theirs)
        out, text = process.stdout.read(), b""
        try:
            while chunk := os.read(ours, 65536):
                text += chunk
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0 and out == b""
    assert b"loss" in text and b"5/5" in text
