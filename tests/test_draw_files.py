"""Drawings as text and files: DOT, Mermaid and HTML, with and without a program that draws. Golden files are in
tests/golden; after a change that is meant to be seen there, write them anew with: python tests/test_draw_files.py
"""

import copy
import errno
import os
import pathlib
import pickle
import re
import subprocess
import sys
from xml.etree import ElementTree

import graphviz
import pytest

from tinygrad_relu.draw import render as rendering
from tinygrad_relu.draw.dot import digraph
from tinygrad_relu.draw.drawing import Drawing
from tinygrad_relu.draw.mermaid import mermaid
from tinygrad_relu.draw.page import page
from tinygrad_relu.draw.picture import Arrow, Box, Cluster, Picture

GOLDEN = pathlib.Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"
ODD = [
    "<b>bold</b>", 'say "hi"', r"C:\new\table", "{a|b}", "가중치 λ ∂L/∂w", "&lt;", "&", "1. list", "- x", "# head", "<",
    "\\", 'a\\"b', "end", "%%{init}%%", "`x`", "*a* _b_", "$$x$$", "style: <x>", r"\N \G \l",
]  # fmt: skip


def twice():
    """x + x: two arrows between the same boxes."""
    boxes = [Box("t0", "input", ["x", "2.0"]), Box("op1", "op", ["add"]), Box("t2", "output", ["4.0"])]
    arrows = [Arrow("e0", "t0", "op1", "a"), Arrow("e1", "t0", "op1", "b"), Arrow("e2", "op1", "t2")]
    return Picture(boxes, arrows, name="twice", title="x + x")


def layer():
    """Every kind of box, nested clusters, gradients, a silent unit, tooltips, links and a note."""
    boxes = [
        Box("t0", "input", ["x", "(3, 2) float32"]),
        Box("t1", "parameter", ["0.weight", "grad: 0.5"], "all numbers\nof 0.weight", "file:///a%20b.py#L7", "c1"),
        Box("op2", "op", ["matmul"], cluster="c1"),
        Box("t3", "result", ["(3, 4) float32"], cluster="c1"),
        Box("op4", "op", ["relu", "1 silent"], cluster="c0", marks=("silent",)),
        Box("t5", "constant", ["2.0"]),
        Box("fold6", "fold", ["2 ops", "mul, sum"]),
        Box("t7", "output", ["loss", "0.25"]),
    ]
    arrows = [
        Arrow("e0", "t0", "op2", "a"),
        Arrow("e1", "t1", "op2", "b", "0.5", 4, "gradient: 0.5"),
        Arrow("e2", "op2", "t3", gradient="0.02", level=2),
        Arrow("e3", "t3", "op4", gradient="0.0001", level=0),
        Arrow("e4", "op4", "fold6", gradient="1", level=4),
        Arrow("e5", "t5", "fold6"),
        Arrow("e6", "fold6", "t7", gradient="1", level=4),
    ]
    clusters = [Cluster("c0", "MLP"), Cluster("c1", '0: Linear "in"', "c0", "called in train.py")]
    return Picture(boxes, arrows, clusters, "loss", "TB", "loss <1", "One layer.", ["2 ops are folded into one"])


def odd():
    boxes = [Box(f"t{i}", "result", [name, f"x {name}"], f"tip {name}\nend") for i, name in enumerate(ODD)]
    arrows = [Arrow(f"e{i}", f"t{i}", f"t{i + 1}", name) for i, name in enumerate(ODD[1:])]
    return Picture(boxes, arrows, [Cluster(f"c{i}", name, "") for i, name in enumerate(ODD)], name='<"\\', notes=ODD)


@pytest.fixture
def alone(monkeypatch):
    """No program that draws is installed."""
    monkeypatch.setattr(rendering, "programs", lambda: [])


@pytest.fixture
def pure(monkeypatch, tmp_path):
    """Of the programs that draw there is only graphviz-pure, as make test installs it."""
    folder = os.path.dirname(rendering._graphviz_pure() or pytest.fail('pip install "tinygrad_relu[dot]"'))
    monkeypatch.setenv("PATH", folder)


@pytest.fixture
def fake(monkeypatch, tmp_path):
    """Put a shell script in the place of dot, and let there be no other program."""

    def put(script):
        path = tmp_path / "bin" / "dot"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}/usr/bin{os.pathsep}/bin")
        monkeypatch.setattr(rendering, "_graphviz_pure", lambda: None)

    return put


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def boxes_in(svg):
    return [
        g.get("data-id") for g in ElementTree.fromstring(svg).iter(f"{SVG}g") if "box" in g.get("class", "").split()
    ]


# ---------------------------------------------------------------------- DOT and Mermaid


@pytest.mark.parametrize("make", [twice, layer])
def test_the_text_is_the_golden_one(make):
    assert digraph(make()).source == (GOLDEN / f"{make.__name__}.dot").read_text()
    assert mermaid(make()) == (GOLDEN / f"{make.__name__}.mmd").read_text()


def test_x_plus_x_has_two_arrows():
    assert digraph(twice()).source.count("t0 -> op1") == 2
    assert mermaid(twice()).count("t0 -->") == 2


def test_odd_names_come_out_of_graphviz_as_themselves(pure):
    svg = Drawing(odd()).svg()
    written = texts(svg)
    assert written[0:1] == [ODD[0]]
    for name in ODD:
        assert f"x {name}" in written
    titles = [title.text for title in ElementTree.fromstring(svg).iter(f"{SVG}title")]
    assert [f"tip {name}\nend" for name in ODD] == [title for title in titles if title and title.startswith("tip ")]


def test_odd_tooltips_come_out_of_plain_graphviz_too(pure):
    svg = Drawing(odd()).pipe("svg", encoding="utf-8")
    tips = [a.get("{http://www.w3.org/1999/xlink}title") for a in ElementTree.fromstring(svg.encode()).iter(f"{SVG}a")]
    assert [tip for tip in tips if tip.startswith("tip ")] == [f"tip {name}\nend" for name in ODD]


@pytest.mark.parametrize("text", ["bell\x07", "null\x00 byte", "half \ud800 pair", "two\nlines"])
def test_what_no_picture_can_show_breaks_nothing(text, pure, tmp_path):
    picture = Picture([Box("t0", "result", [text], text)], [], [Cluster("c", text)], text, "LR", text, text, [text])
    drawing = Drawing(picture)
    assert len(boxes_in(drawing.svg())) == 1
    for kind in ("dot", "mmd", "html", "svg"):
        assert text.split()[0].strip("\x07\x00") in pathlib.Path(drawing.save(tmp_path / f"x.{kind}")).read_text(
            "utf-8"
        )


def deep():
    """Three layers in clusters; each has a weight and a bias. The gradient of the first weight is zero."""
    picture = Picture([Box("x", "input", ["x"])], direction="TB")
    hidden = "x"
    for i in range(3):
        cluster, weight, bias, op, result = f"m{i}", f"w{i}", f"b{i}", f"op{i}", f"t{i}"
        picture.clusters.append(Cluster(cluster, "Linear"))
        kinds = {weight: "parameter", bias: "parameter", op: "op", result: "result"}
        picture.boxes += [
            Box(name, kind, [name, "(100, 100) float32"], cluster=cluster) for name, kind in kinds.items()
        ]
        pairs = [(hidden, op), (weight, op), (bias, op), (op, result)]
        picture.arrows += [Arrow(f"e{i}_{j}", *pair, "x", "|g| 0.5", 4) for j, pair in enumerate(pairs)]
        hidden = result
    picture.arrows[1].gradient, picture.arrows[1].level = "|g| 0", 0
    return picture


def centres(svg):
    """Where each box of Graphviz's SVG has its middle, by its id."""
    found = {}
    for g in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        if "box" in g.get("class", "").split():
            points = [corner for shape in g.iter(f"{SVG}polygon") for corner in shape.get("points").split()]
            points += re.findall(r"-?[\d.]+,-?[\d.]+", " ".join(path.get("d") for path in g.iter(f"{SVG}path")))
            across = [float(point.split(",")[0]) for point in points]
            found[g.get("data-id")] = (min(across) + max(across)) / 2
    return found


def test_the_main_line_goes_straight_down_and_parameters_stand_at_its_sides(pure):
    middle = centres(Drawing(deep()).svg())
    main = [middle[name] for name in ("x", "op0", "t0", "op1", "t1", "op2", "t2")]
    assert max(main) - min(main) < 10
    for i in range(3):
        assert middle[f"w{i}"] < middle[f"op{i}"] < middle[f"b{i}"]


def test_an_arrow_points_to_what_it_feeds_on_either_side(pure):
    for g in ElementTree.fromstring(Drawing(deep()).svg()).iter(f"{SVG}g"):
        if g.get("data-id") in ("e0_1", "e0_2"):
            head = [float(corner.split(",")[0]) for corner in g.find(f"{SVG}polygon").get("points").split()]
            line = [
                float(point.split(",")[0]) for point in re.findall(r"[-\d.]+,[-\d.]+", g.find(f"{SVG}path").get("d"))
            ]
            points_right = sum(head) / len(head) > sum(line) / len(line)
            assert points_right == (g.get("data-id") == "e0_1")


def test_a_gradient_of_zero_is_dashed_everywhere():
    (edge,) = [line for line in digraph(deep()).source.splitlines() if "id=e0_1 " in line]
    assert "style=dashed" in edge and 'class="arrow g0 zero"' in edge
    assert digraph(deep()).source.count("style=dashed") == 1
    assert re.search(r"linkStyle 1 .*stroke-dasharray", mermaid(deep()))
    assert mermaid(deep()).count("dasharray") == 1
    assert "gradient of zero</li>" in page(deep(), "<svg></svg>")
    assert "gradient of zero" not in page(layer(), "<svg></svg>")


def test_mermaid_writes_signs_by_their_numbers():
    lines = mermaid(odd()).splitlines()
    assert '  t1["say #quot;hi#quot;<br>x say #quot;hi#quot;"]:::result' in lines
    assert '  t7["1#46; list<br>x 1. list"]:::result' in lines
    for line in lines:
        if ":::" in line:  # the only quotes are those around the label
            label = line.split('"', 1)[1].rsplit('"', 1)[0]
            assert not set(label.replace("<br>", "")) & set('"<>`*_{|}\\&'), line


def test_mermaid_keeps_below_the_longest_text():
    boxes = [Box(f"t{i}", "result", ["title", "many numbers " * 20]) for i in range(400)]
    text = mermaid(Picture(boxes))
    assert len(text) < 50_000
    assert text.count('["title"]') == 400


def test_mermaid_says_when_there_are_too_many_arrows():
    arrows = [Arrow(f"e{i}", "t0", "op1") for i in range(501)]
    assert "maxEdges" in mermaid(Picture(twice().boxes, arrows))
    assert "maxEdges" not in mermaid(twice())


# ---------------------------------------------------------------------- the Drawing


def test_a_drawing_is_a_digraph_that_can_be_added_to(pure):
    drawing = Drawing(twice())
    drawing.node("remark", "hello")
    drawing.edge("t2", "remark")
    with drawing.subgraph(name="cluster_mine") as mine:
        mine.node("inner", "inside")
    assert isinstance(drawing, graphviz.Digraph)
    assert {"hello", "inside"} <= set(texts(drawing.svg()))
    assert drawing.source.count("digraph") == 1


def test_copies_are_equal_and_independent():
    drawing = Drawing(layer())
    for other in (drawing.copy(), copy.deepcopy(drawing), pickle.loads(pickle.dumps(drawing))):
        assert other.source == drawing.source
        assert other.picture == drawing.picture
        other.node("remark")
        assert "remark" not in drawing.source


def test_repr_counts():
    assert repr(Drawing(layer())) == "<Drawing 'loss': 5 tensors, 2 ops, 1 fold, 7 arrows; 2 ops are folded into one>"
    assert repr(Drawing(twice())) == "<Drawing 'twice': 2 tensors, 1 op, 3 arrows>"


def test_our_own_svg_says_what_it_leaves_out(alone):
    drawing = Drawing(twice())
    assert "not shown" not in drawing.svg()
    drawing.node("remark")
    assert "not shown" in drawing.svg()
    assert drawing.picture.notes == []


@pytest.mark.parametrize("program", ["alone", "pure"])
def test_the_svg_fits_its_place_and_has_ids_classes_and_a_description(program, request):
    request.getfixturevalue(program)
    drawing = Drawing(layer())
    svg = drawing.svg(prefix="p-")
    root = ElementTree.fromstring(svg)
    assert svg == drawing.svg(prefix="p-")
    assert svg.startswith("<svg")
    assert [root.get("width"), root.get("height")] == root.get("viewBox").split()[2:]
    assert "max-width: 100%; height: auto" in root.get("style")
    assert root.get("role").startswith("graphics-document")
    names = {element.get("id"): element.text for element in root if element.get("id")}
    assert [names[name] for name in root.get("aria-labelledby").split()] == ["loss <1", "One layer."]
    groups = {g.get("data-id"): g for g in root.iter(f"{SVG}g")}
    assert groups["t1"].get("id") == "p-t1"
    assert {"box", "parameter"} <= set(groups["t1"].get("class").split())
    assert {"box", "op", "silent"} <= set(groups["op4"].get("class").split())
    assert {"arrow", "g4"} <= set(groups["e1"].get("class").split())
    assert {"arrow", "none"} <= set(groups["e0"].get("class").split())
    assert "cluster" in groups["c1"].get("class")
    assert groups["t1"].find(f"{SVG}title").text == "all numbers\nof 0.weight"
    assert "file:///a%20b.py#L7" in [a.get("href") for a in root.iter(f"{SVG}a")]
    assert "prefers-color-scheme: dark" in svg


def test_a_notebook_shows_svg_and_text(alone):
    bundle = Drawing(twice())._repr_mimebundle_()
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["text/plain"] == repr(Drawing(twice()))
    assert list(Drawing(twice())._repr_mimebundle_(exclude=["image/svg+xml"])) == ["text/plain"]
    assert list(Drawing(twice())._repr_mimebundle_(include=["image/svg+xml"])) == ["image/svg+xml"]


def test_a_notebook_gets_text_where_even_our_svg_fails(alone):
    drawing = Drawing(twice())
    drawing.picture.arrows.append(Arrow("e9", "nowhere", "t0"))
    bundle = drawing._repr_mimebundle_()
    assert "Drawing 'twice'" in bundle["text/plain"]


# ---------------------------------------------------------------------- programs


@pytest.mark.parametrize("script", ["exit 1", "echo garbage", "echo '<html/>'", "exec sleep 60", "kill -9 $$"])
def test_svg_comes_from_ourselves_where_the_program_fails(script, fake, monkeypatch, tmp_path):
    fake(script)
    monkeypatch.setattr(rendering, "TIME_LIMIT", 0.3)
    drawing = Drawing(twice())
    assert boxes_in(drawing.svg()) == ["t0", "op1", "t2"]
    assert boxes_in(drawing._repr_mimebundle_()["image/svg+xml"]) == ["t0", "op1", "t2"]
    with pytest.raises(graphviz.CalledProcessError, match="dot did not draw it"):
        drawing.save(tmp_path / "x.png")
    assert list(tmp_path.glob("*.png")) == []


def test_a_program_that_fails_is_followed_by_the_next(fake, pure, monkeypatch, tmp_path):
    working = rendering._graphviz_pure()
    fake("exit 1")
    monkeypatch.setattr(rendering, "_graphviz_pure", lambda: working)
    assert pathlib.Path(Drawing(twice()).save(tmp_path / "x.png")).read_bytes().startswith(b"\x89PNG")


def test_what_the_program_says_is_passed_on(fake, tmp_path):
    fake("echo 'syntax error in line 3' >&2; exit 1")
    with pytest.raises(graphviz.CalledProcessError, match="syntax error in line 3"):
        Drawing(twice()).save(tmp_path / "x.pdf")


def test_dot_on_the_path_comes_first(fake, monkeypatch):
    fake('cat >/dev/null; echo \'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7"><g id="mine"/></svg>\'')
    assert 'viewBox="0 0 7 7"' in Drawing(twice()).svg()


def test_graphviz_pure_is_found_where_pip_puts_it(monkeypatch, tmp_path):
    program = tmp_path / "graphviz-pure"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(rendering.sysconfig, "get_path", lambda name, scheme=None: str(tmp_path))
    assert rendering.programs() == [str(program)]


def test_a_missing_program_is_one_clear_error(alone, tmp_path):
    drawing = Drawing(twice())
    for draw in (lambda: drawing.save(tmp_path / "x.png"), lambda: drawing.pipe("png"), drawing.render):
        with pytest.raises(graphviz.ExecutableNotFound, match=r"apt install graphviz.*\.svg, \.html"):
            draw()
    with pytest.raises(RuntimeError, match=re.escape('pip install "tinygrad_relu[dot]"')):
        drawing.save(tmp_path / "x.png")
    with pytest.raises(RuntimeError, match="no program that draws pdf") as caught:
        drawing.save(tmp_path / "x.pdf")
    assert "pip install" not in str(caught.value)  # it would not help
    assert list(tmp_path.iterdir()) == []


def test_pipe_gives_svg_always(alone):
    assert Drawing(twice()).pipe("svg").startswith(b"<svg")
    assert Drawing(twice()).pipe(format="svg", encoding="utf-8").startswith("<svg")
    with pytest.raises(ValueError, match="unknown format"):
        Drawing(twice()).pipe("nonsense")


def test_pipe_and_render_use_the_program_that_there_is(pure, tmp_path):
    drawing = Drawing(twice())
    assert drawing.pipe("png").startswith(b"\x89PNG")
    path = drawing.render("x.gv", tmp_path, format="png")
    assert path == str(tmp_path / "x.gv.png")
    assert pathlib.Path(path).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "x.gv").read_text() == drawing.source
    path = drawing.render(outfile=tmp_path / "y.svg", cleanup=True)
    assert path == str(tmp_path / "y.svg")
    assert {each.name for each in tmp_path.iterdir()} == {"x.gv", "x.gv.png", "y.svg"}
    with pytest.raises(graphviz.FileExistsError):
        drawing.render(outfile=tmp_path / "y.svg", raise_if_result_exists=True)


# ---------------------------------------------------------------------- files


@pytest.mark.parametrize("kind", ["svg", "html", "mmd", "gv", "dot", "SVG"])
def test_these_can_always_be_saved(kind, alone, tmp_path):
    path = tmp_path / "new folder" / f"a.{kind}"
    assert Drawing(layer()).save(path) == str(path)
    assert "0.weight" in path.read_text("utf-8")
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind, beginning", [("png", b"\x89PNG"), ("jpg", b"\xff\xd8"), ("jpeg", b"\xff\xd8")])
def test_pictures_made_of_dots_can_be_saved(kind, beginning, pure, tmp_path):
    path = Drawing(layer()).save(tmp_path / f"a.{kind}")
    assert pathlib.Path(path).read_bytes().startswith(beginning)


def test_save_keeps_what_graphviz_users_know(tmp_path):
    drawing = Drawing(twice())
    assert drawing.save("plain", tmp_path) == str(tmp_path / "plain")
    assert (tmp_path / "plain").read_text() == drawing.source
    assert drawing.filepath == str(tmp_path / "plain")
    assert Drawing(twice(), directory=tmp_path).save() == str(tmp_path / "twice.gv")
    (tmp_path / "old.svg").write_text("old")
    drawing.save(tmp_path / "old.svg", skip_existing=True)
    assert (tmp_path / "old.svg").read_text() == "old"


def test_an_unknown_suffix_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"x\.doc.*\.svg.*\.html.*\.mmd.*\.gv.*\.png.*\.pdf"):
        Drawing(twice()).save(tmp_path / "x.doc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.svg", "a.gv"])
def test_a_path_that_cannot_be_written_is_named_and_nothing_is_left(name, alone, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(OSError, match=re.escape(str(tmp_path / name))):
        Drawing(twice()).save(tmp_path / name)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "file"))):
        Drawing(twice()).save(tmp_path / "file" / name)
    assert {each.name for each in tmp_path.iterdir()} == {name, "file"}


def test_a_full_disk_is_named_and_the_old_file_is_kept(alone, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "a.svg").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=re.escape(str(tmp_path / "a.svg"))):
        Drawing(twice()).save(tmp_path / "a.svg")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_the_page_holds_the_svg_and_asks_nobody_for_anything():
    svg = '<svg viewBox="0 0 9 9"><text>mine</text></svg>'
    text = page(layer(), svg)
    assert svg in text
    assert '<html lang="en">' in text
    assert "default-src 'none'" in text
    assert "loss &lt;1" in text and "loss <1" not in text
    assert not re.search(r"https?://|<link|<img|@import|url\(", text)
    for word in (
        "parameter",
        "input",
        "constant",
        "result",
        "output",
        "op with silent units",
        "no gradient",
    ):
        assert f"{word}</li>" in text
    assert "each step ten times" in text
    assert 'data-first="t0"' in text
    assert "gradient" not in re.findall("<footer>.*?</footer>", page(twice(), svg), re.DOTALL)[0]


def test_the_drawing_needs_no_other_package_than_those_of_the_core():
    code = "import sys, tinygrad_relu.draw.drawing; print([m for m in ('matplotlib', 'IPython') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


if __name__ == "__main__":
    for make in (twice, layer):
        (GOLDEN / f"{make.__name__}.dot").write_text(digraph(make()).source)
        (GOLDEN / f"{make.__name__}.mmd").write_text(mermaid(make()))
