"""Tiny is a promise: the core stays what one can read in an evening, and is not bought with dense lines."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
spec = importlib.util.spec_from_file_location("size", ROOT / "examples" / "bench" / "size.py")
size = importlib.util.module_from_spec(spec)
spec.loader.exec_module(size)


def test_the_core_is_small_and_not_dense():
    sizes = size.rooms()
    assert set(size.CORE) <= set(sizes)
    engine_lines, _ = size.total(sizes, [name for name in size.CORE if name != "ops"])
    core_lines, core_tokens = size.total(sizes, size.CORE)
    assert engine_lines <= 900 and core_lines <= 2600
    assert core_tokens / core_lines <= 11


def test_counting_leaves_out_docstrings_comments_and_blank_lines(tmp_path):
    file = tmp_path / "example.py"
    file.write_text('"""Doc\nstring."""\n\n# why\nx = (1,\n     2)\n\n\ndef f():\n    """Doc."""\n    return "text"\n')
    assert size.measure(file) == (4, 7 + 5 + 2)


def test_the_changelog_knows_the_version():
    import tinygrad_relu

    assert f"## {tinygrad_relu.__version__}" in (ROOT / "CHANGELOG.md").read_text()
