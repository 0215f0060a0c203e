"""The layout and our own SVG. `python tests/test_draw_svg.py` writes the golden files anew."""

import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tinygrad_relu.draw import style
from tinygrad_relu.draw.layout import Rect, corner_radius, layout
from tinygrad_relu.draw.picture import LEVELS, Arrow, Box, Cluster, Picture
from tinygrad_relu.draw.svg import svg

GOLDEN = Path(__file__).parent / "golden"
SVG = "{http://www.w3.org/2000/svg}"


def chain(length=5):
    boxes = [Box(f"t{i}", "result", [f"t{i}", "x" * (i % 9)]) for i in range(length)]
    return Picture(boxes, [Arrow(f"e{i}", a.id, b.id) for i, (a, b) in enumerate(pairwise(boxes))])


def diamond():
    boxes = [Box("a", "input", ["a"]), Box("f", "op", ["exp"]), Box("g", "op", ["log"]), Box("h", "op", ["add"])]
    arrows = [Arrow("e0", "a", "f"), Arrow("e1", "a", "g"), Arrow("e2", "f", "h", "x"), Arrow("e3", "g", "h", "y")]
    return Picture(boxes, arrows)


def doubled():
    boxes = [
        Box("t0", "parameter", ["x", "()", "3.0", "grad: 2.0"], tooltip="all of it\nexample.py:1", link="example.py"),
        Box("op1", "op", ["add"]),
        Box("t2", "output", ["y", "()", "6.0", "grad: 1.0"]),
    ]
    arrows = [
        Arrow("e0", "t0", "op1", "x", "1.0", 4, tooltip="the first use"),
        Arrow("e1", "t0", "op1", "y", "1.0", 4),
        Arrow("e2", "op1", "t2", gradient="1.0", level=4),
    ]
    return Picture(boxes, arrows, name="doubled", title="y", notes=["Gradients are the sum of both uses."])


def mlp():
    """Two linear layers and what lies between, in clusters; the inputs get no gradient."""
    picture = Picture(title="loss", description="A perceptron with two layers.")
    picture.clusters = [
        Cluster("c0", "model: Sequential"),
        Cluster("c1", "0: Linear", "c0"),
        Cluster("c2", "1: ReLU", "c0"),
        Cluster("c3", "2: Linear", "c0"),
        Cluster("c4", "3: Dropout, of which nothing was recorded", "c0"),
    ]
    picture.boxes = [Box("x", "input", ["X", "(32, 2) float32"]), Box("y", "constant", ["(32,) int64"])]
    hidden = "x"
    for number, cluster in ((0, "c1"), (2, "c3")):
        weight, bias = (_box(picture, "parameter", f"{number}.{name}", cluster) for name in ("weight", "bias"))
        turned = _apply(picture, "transpose", [weight], cluster, 3)
        hidden = _apply(picture, "matmul", [hidden, turned], cluster, 3)
        hidden = _apply(picture, "add", [hidden, bias], cluster, 2)
        if number == 0:
            hidden = _apply(picture, "relu", [hidden], "c2", 1, marks=("silent",))
    _apply(picture, "cross_entropy", [hidden, "y"], "", 4)
    picture.arrows[[arrow.tail for arrow in picture.arrows].index("x")].level = None
    return picture


def _box(picture, kind, title, cluster, marks=()):
    picture.boxes.append(Box(f"n{len(picture.boxes)}", kind, [title, "(32, 4) float32"], cluster=cluster, marks=marks))
    return picture.boxes[-1].id


def _apply(picture, op, arguments, cluster, level, marks=()):
    box = _box(picture, "op", op, cluster, marks)
    for name, argument in zip("xy", arguments):
        picture.arrows.append(Arrow(f"e{len(picture.arrows)}", argument, box, name, f"1e-{4 - level}", level))
    result = _box(picture, "result", op, cluster)
    picture.arrows.append(Arrow(f"e{len(picture.arrows)}", box, result, gradient=f"1e-{4 - level}", level=level))
    return result


def shared(steps):
    """One parameter that is used in every step, from the first to the last."""
    picture = Picture([Box("w", "parameter", ["w"]), Box("h", "input", ["h"])])
    hidden = "h"
    for _ in range(steps):
        hidden = _apply(picture, "mul", [hidden, "w"], "", 3)
    return picture


def odd():
    lines = ["<name> \"x\" & 'y'\nnew\x00line\x1b[0m", "\ud800 \uffff 행렬 곱셈"]
    boxes = [
        Box('a<b>"&', "parameter", lines, tooltip='<3 &\n"q"\x07', link='file:///a b.py#L3"&<'),
        Box("o", "op", ["행렬 곱셈", "축=1"]),
        Box("r", "result", ["a_very_long_name_" * 40, "[0.1234 0.5678] " * 40]),
        Box("e", "result", []),
    ]
    arrows = [
        Arrow("e<0", 'a<b>"&', "o", "<x>", "0.1 & \x02", 2, tooltip="<t>"),
        Arrow("e1", "o", "r"),
        Arrow("e2", "r", "e"),
    ]
    return Picture(boxes, arrows, [], "n<&", title='"loss" <&\x00', notes=["n <&> \x00 " + "word " * 60])


PICTURES = {
    "chain": chain,
    "diamond": diamond,
    "doubled": doubled,
    "mlp": mlp,
    "shared": lambda: shared(20),
    "odd": odd,
}
each_picture = pytest.mark.parametrize("name", PICTURES)
each_direction = pytest.mark.parametrize("direction", ["LR", "TB"])
each_lanes = pytest.mark.parametrize("both_ways", [False, True])


# ---------------------------------------------------------------------- layout


def overlap(a, b):
    return (
        a.x < b.x + b.width - 0.2
        and b.x < a.x + a.width - 0.2
        and a.y < b.y + b.height - 0.2
        and b.y < a.y + a.height - 0.2
    )


def inside(a, b):
    return a.x >= b.x and a.y >= b.y and a.x + a.width <= b.x + b.width and a.y + a.height <= b.y + b.height


def distance_to_border(point, rect, corner):
    """Of a rectangle with round corners."""
    dx = abs(point.x - rect.x - rect.width / 2) - rect.width / 2 + corner
    dy = abs(point.y - rect.y - rect.height / 2) - rect.height / 2 + corner
    outside = (max(dx, 0) ** 2 + max(dy, 0) ** 2) ** 0.5
    return abs(outside + min(max(dx, dy), 0) - corner)


def around(cluster, picture):
    """The ids of the clusters in which it lies, with its own."""
    parents = {each.id: each.parent for each in picture.clusters}
    names = []
    while cluster:
        names.append(cluster)
        cluster = parents[cluster]
    return names


@each_picture
@each_direction
@each_lanes
def test_nothing_overlaps_and_everything_is_on_the_page(name, direction, both_ways):
    picture = PICTURES[name]()
    places = layout(picture, direction=direction, both_ways=both_ways)
    page = Rect(0, 0, places.width, places.height)
    assert not [pair for pair in combinations(places.boxes.values(), 2) if overlap(*pair)]
    assert all(inside(rect, page) for rect in [*places.boxes.values(), *places.clusters.values()])
    for route in places.arrows.values():
        assert all(-0.1 <= x <= page.width + 0.1 and -0.1 <= y <= page.height + 0.1 for x, y in route.path + route.twin)
        if route.label:
            assert inside(route.label, page)
            assert not [rect for rect in places.boxes.values() if overlap(route.label, rect)]


@each_direction
def test_a_cluster_holds_its_boxes_and_no_others(direction):
    picture = mlp()
    places = layout(picture, direction=direction)
    assert set(places.clusters) == {"c0", "c1", "c2", "c3"}  # nothing was recorded in c4
    for cluster, rect in places.clusters.items():
        for box in picture.boxes:
            belongs = cluster in around(box.cluster, picture)
            assert inside(places.boxes[box.id], rect) if belongs else not overlap(places.boxes[box.id], rect)
    inner = [places.clusters[name] for name in ("c1", "c2", "c3")]
    assert all(inside(rect, places.clusters["c0"]) for rect in inner)
    assert not [pair for pair in combinations(inner, 2) if overlap(*pair)]


@each_picture
@each_direction
@each_lanes
def test_arrows_go_from_border_to_border(name, direction, both_ways):
    picture = PICTURES[name]()
    places = layout(picture, direction=direction, both_ways=both_ways)
    boxes = {box.id: box for box in picture.boxes}

    def is_on_border(point, box):
        rect = places.boxes[box]
        corner = corner_radius(boxes[box], rect.width, rect.height) if boxes[box].kind == "op" else 0
        return distance_to_border(point, rect, corner) < (5 if both_ways else 0.2)

    for arrow in picture.arrows:
        path, twin = places.arrows[arrow.id].path, places.arrows[arrow.id].twin
        assert len(path) % 3 == 1
        assert is_on_border(path[0], arrow.tail) and is_on_border(path[-1], arrow.head)
        assert bool(twin) == both_ways
        if twin:
            assert is_on_border(twin[0], arrow.head) and is_on_border(twin[-1], arrow.tail)


@each_direction
def test_arrows_between_the_same_boxes_stay_apart(direction):
    places = layout(doubled(), direction=direction, both_ways=True)
    first, second = places.arrows["e0"], places.arrows["e1"]
    lines = [first.path, first.twin[::-1], second.path, second.twin[::-1]]
    across = 1 if direction == "LR" else 0
    for start in ([line[0][across] for line in lines], [line[-1][across] for line in lines]):
        assert all(b - a >= 5 for a, b in pairwise(start))
    assert not overlap(first.label, second.label)


@each_direction
def test_arrows_point_along_the_flow(direction):
    places = layout(mlp(), direction=direction)
    along = 0 if direction == "LR" else 1
    for arrow in mlp().arrows:
        assert places.boxes[arrow.tail][along] < places.boxes[arrow.head][along]


@each_direction
def test_the_main_line_is_straight(direction):
    places = layout(mlp(), direction=direction)
    main = ["x", *(box.id for box in mlp().boxes if box.lines[0] in ("matmul", "add", "relu", "cross_entropy"))]
    rects = [places.boxes[name] for name in main]
    middles = [rect.y + rect.height / 2 if direction == "LR" else rect.x + rect.width / 2 for rect in rects]
    assert max(middles) - min(middles) < 1


def test_a_source_stands_just_before_what_uses_it():
    places = layout(mlp())
    use = next(arrow for arrow in mlp().arrows if arrow.tail == "y")
    constant, op = places.boxes["y"], places.boxes[use.head]
    assert 0 < op.x - constant.x - constant.width < 60


def test_a_small_network_fits_a_narrow_page():
    assert layout(mlp(), direction="TB").width < 400


def test_the_picture_has_a_direction_of_its_own():
    picture = chain()
    picture.direction = "TB"
    assert layout(picture) == layout(chain(), direction="TB") != layout(chain())
    with pytest.raises(ValueError, match='"LR" or "TB", got \'RL\''):
        layout(picture, direction="RL")


def test_a_chain_of_ten_thousand_boxes_is_laid_out_without_recursion():
    places = layout(chain(10_000))
    boxes = list(places.boxes.values())
    assert all(a.x + a.width < b.x for a, b in pairwise(boxes))
    assert len({box.y + box.height / 2 for box in boxes}) == 1


def test_coordinates_of_a_huge_picture_have_all_their_digits():
    picture = chain(3000)
    drawn = [float(rect.get("x")) for rect in ElementTree.fromstring(svg(picture)).iter(f"{SVG}rect")]
    assert drawn == [rect.x for rect in layout(picture).boxes.values()]


def test_clusters_nest_without_recursion():
    clusters = [Cluster(f"c{i}", "deep", f"c{i - 1}" if i else "") for i in range(1500)]
    boxes = [Box("a", "input", ["a"]), Box("b", "op", ["b"], cluster="c1499")]
    places = layout(Picture(boxes, [Arrow("e", "a", "b")], clusters))
    assert len(places.clusters) == 1500
    assert inside(places.boxes["b"], places.clusters["c1499"])


def test_the_longest_arrows_go_straight_where_there_are_many():
    """With a point in each rank on their way, a parameter shared by 600 steps would cost half a million points."""
    picture = shared(600)
    places = layout(picture)
    uses = [places.arrows[arrow.id].path for arrow in picture.arrows if arrow.tail == "w"]
    assert len(uses[-1]) == 4  # a single curve
    assert len(uses[5]) > 4


@each_direction
def test_arrows_into_a_cluster_do_not_cross_before_it(direction):
    boxes = [Box("a", "input", ["a"]), Box("b", "input", ["b"])]
    boxes += [Box(name, "op", [name], cluster="c") for name in ("f", "g", "h")]
    pairs = [("b", "f"), ("a", "g"), ("f", "h"), ("g", "h")]
    picture = Picture(boxes, [Arrow(f"e{i}", *pair) for i, pair in enumerate(pairs)], [Cluster("c", "c")])
    places = layout(picture, direction=direction).boxes
    across = 1 if direction == "LR" else 0
    assert (places["a"][across] < places["b"][across]) == (places["g"][across] < places["f"][across])


def test_clusters_that_need_one_another_are_drawn_all_the_same():
    boxes = [
        Box("a", "input", ["a"], cluster="c0"),
        Box("b", "op", ["b"], cluster="c1"),
        Box("d", "op", ["d"], cluster="c0"),
    ]
    arrows = [
        Arrow("e0", "a", "b"),
        Arrow("e1", "b", "d"),
        Arrow("e2", "d", "a", "back"),
        Arrow("e3", "d", "d", "again"),
    ]
    places = layout(Picture(boxes, arrows, [Cluster("c0", "0"), Cluster("c1", "1")]), both_ways=True)
    assert not overlap(places.clusters["c0"], places.clusters["c1"])
    assert set(places.arrows) == {"e0", "e1", "e2", "e3"}


# ---------------------------------------------------------------------- SVG


def group(text, name):
    """The group with that data-id, its texts and its paths' classes."""
    (found,) = [g for g in ElementTree.fromstring(text).iter(f"{SVG}g") if g.get("data-id") == name]
    return found


@pytest.mark.parametrize("name", ["doubled", "mlp"])
def test_golden(name):
    assert svg(PICTURES[name]()) == (GOLDEN / f"{name}.svg").read_text(encoding="utf-8")


@each_picture
@each_direction
def test_svg_is_xml_of_one_element_and_always_the_same(name, direction):
    text = svg(PICTURES[name](), direction=direction, both_ways=True, prefix="p<1>-")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert text == svg(PICTURES[name](), direction=direction, both_ways=True, prefix="p<1>-")
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids)) and all(each.startswith("p<1>-") for each in ids)


def test_odd_text_is_shown_as_it_is():
    text = svg(odd())
    box = group(text, 'a<b>"&')
    assert [line.text for line in box.iter(f"{SVG}text")] == ["<name> \"x\" & 'y' newline[0m", "  행렬 곱셈"]
    assert box.find(f"{SVG}title").text == '<3 &\n"q"'
    (link,) = ElementTree.fromstring(text).iter(f"{SVG}a")
    assert link.get("href") == 'file:///a b.py#L3"&<' and link[0].get("data-id") == 'a<b>"&'
    (label,) = [g for g in ElementTree.fromstring(text).iter(f"{SVG}g") if g.get("data-of") == "e<0"]
    assert [span.text for span in label.iter(f"{SVG}tspan")] == ["<x>", "0.1 & "]
    long = group(text, "r")
    assert all(line.text.endswith("…") for line in long.iter(f"{SVG}text"))
    assert long.find(f"{SVG}title").text == "\n".join(odd().boxes[2].lines)


def test_it_has_its_natural_size_up_to_the_width_of_the_page():
    root = ElementTree.fromstring(svg(mlp()))
    _, _, width, height = map(float, root.get("viewBox").split())
    assert (float(root.get("width")), float(root.get("height"))) == (width, height)
    assert "max-width: 100%; height: auto" in root.get("style")
    assert (width, height) == pytest.approx((layout(mlp()).width, layout(mlp()).height), abs=0.1)


def test_a_reader_who_cannot_see_it_is_told_what_it_is():
    root = ElementTree.fromstring(svg(mlp(), prefix="p-"))
    names = {element.get("id"): element.text for element in root}
    assert [names[each] for each in root.get("aria-labelledby").split()] == ["loss", "A perceptron with two layers."]
    assert "document" in root.get("role")


def test_boxes_have_what_scripts_and_styles_look_for():
    text = svg(mlp(), prefix="p-")
    for box in mlp().boxes:
        found = group(text, box.id)
        assert found.get("id") == f"p-{box.id}"
        assert found.get("class").split() == ["box", box.kind, *box.marks]
        lines = found.findall(f"{SVG}text")
        assert [line.text for line in lines] == box.lines
        assert [line.get("class") for line in lines] == [f"line l{i}" for i in range(len(lines))]


def test_kinds_differ_in_shape_too():
    kinds = ("parameter", "input", "constant", "result", "output", "op", "fold")
    picture = Picture([Box(kind, kind, ["same text"]) for kind in kinds])
    text = svg(picture)
    shapes = set()
    for kind in kinds:
        inside_group = [(each.get("class"), each.get("rx")) for each in group(text, kind).iter(f"{SVG}rect")]
        shapes.add((tuple(inside_group), style.BORDERS[kind]))
    assert len(shapes) == len(kinds)


def test_silent_units_have_a_mark():
    text = svg(mlp())
    marked = [box.id for box in mlp().boxes if group(text, box.id).find(f"{SVG}path[@class='mark']") is not None]
    assert marked == [box.id for box in mlp().boxes if "silent" in box.marks] != []


def test_arrows_have_a_level_and_a_way_back_if_asked_for():
    text = svg(doubled(), both_ways=True)
    arrow = group(text, "e0")
    assert arrow.get("class") == "arrow g4"
    assert [path.get("class") for path in arrow.findall(f"{SVG}path")] == ["value", "gradient"]
    assert [head.get("class") for head in arrow.findall(f"{SVG}polygon")] == ["value", "gradient"]
    assert arrow.find(f"{SVG}title").text == "the first use"
    assert "gradient" not in {path.get("class") for path in ElementTree.fromstring(svg(doubled())).iter(f"{SVG}path")}
    none = [arrow.id for arrow in mlp().arrows if group(svg(mlp()), arrow.id).get("class") == "arrow none"]
    assert none == [arrow.id for arrow in mlp().arrows if arrow.level is None] != []
    assert {group(svg(diamond()), f"e{i}").get("class") for i in range(4)} == {"arrow"}


def test_a_gradient_of_zero_does_not_look_like_a_small_one():
    picture = diamond()
    picture.arrows[0].gradient, picture.arrows[0].level = "|g| 0", 0
    picture.arrows[1].gradient, picture.arrows[1].level = "|g| 1e-20", 0
    text = svg(picture)
    assert [group(text, f"e{i}").get("class") for i in (0, 1)] == ["arrow g0 zero", "arrow g0"]
    (rule,) = [line for line in style.css().splitlines() if line.startswith(".arrow.zero path")]
    assert "stroke-dasharray" in rule
    assert style.arrow_width(picture.arrows[0]) < style.arrow_width(picture.arrows[1])


@each_direction
@pytest.mark.parametrize("name", ["chain", "doubled", "mlp"])
def test_a_label_beside_a_line_is_farther_from_it_than_half_its_width(name, direction):
    picture = PICTURES[name]()
    for arrow in picture.arrows:
        arrow.level, arrow.gradient = LEVELS - 1, "|g| 5.477"
    half = style.WIDTHS[-1] / 2
    across, extent = (1, 3) if direction == "LR" else (0, 2)
    places = layout(picture, direction=direction)
    straight = [route for route in places.arrows.values() if len({point[across] for point in route.path}) == 1]
    assert straight
    for route in straight:
        low, high = route.label[across], route.label[across] + route.label[extent]
        line = route.path[0][across]
        assert max(low - line, line - high) > half


def test_a_label_does_not_hide_a_gentle_bend():
    boxes = [Box("x", "input", ["x", "four", "lines", "of text"]), Box("f", "op", ["relu"]), Box("g", "op", ["add"])]
    arrows = [Arrow("e0", "x", "f"), Arrow("e1", "f", "g"), Arrow("e2", "x", "g", gradient="|g| 5.477", level=4)]
    text_area = layout(Picture(boxes, arrows)).arrows["e2"].label
    path = layout(Picture(boxes, arrows)).arrows["e2"].path
    for start in range(0, len(path) - 1, 3):
        for point in points_on(path[start : start + 4]):
            assert not overlap(text_area, Rect(*point, 0.5, 0.5))


def points_on(curve):
    """Places on a cubic Bézier curve."""
    for t in (i / 50 for i in range(51)):
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        yield tuple(sum(w * point[axis] for w, point in zip(weights, curve)) for axis in (0, 1))


def test_notes_stand_below_within_the_width():
    picture = chain(2)
    picture.notes = ["First.", "word " * 60]
    root = ElementTree.fromstring(svg(picture))
    _, _, width, height = map(float, root.get("viewBox").split())
    notes = [text for text in root.iter(f"{SVG}text") if text.get("class") == "note"]
    assert " ".join(note.text for note in notes) == " ".join(["First.", *["word"] * 60])
    assert len(notes) > 2
    bottom = max(rect.y + rect.height for rect in layout(picture).boxes.values())
    assert all(bottom < float(note.get("y")) < height for note in notes)
    assert all(style.text_width(note.text, style.LABEL_SIZE) < width for note in notes)


def test_svg_needs_nothing_from_elsewhere_and_touches_nothing_outside():
    text = svg(mlp(), both_ways=True)
    assert "<script" not in text and "url(" not in text and "@import" not in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]
    rules = re.sub(r":is\(.*?\)|@media[^{]*\{", "", style.css(".here"))  # their commas divide no selectors
    selectors = [part for line in rules.splitlines() for part in line.split("{")[0].split(",")]
    assert all(selector.strip().startswith(".here") for selector in selectors)


def test_an_empty_picture_is_a_picture():
    assert ElementTree.fromstring(svg(Picture(notes=["nothing was recorded"]))).tag == f"{SVG}svg"


# ---------------------------------------------------------------------- style


def luminance(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("mode", ["LIGHT", "DARK"])
def test_contrast_is_as_wcag_asks(mode):
    colors, plain = getattr(style, mode), getattr(style, f"{mode}_PLAIN")
    ground = plain["ground"]
    for kind in colors.values():
        assert contrast(kind.text, kind.fill) >= 4.5
        assert contrast(kind.stroke, ground) >= 3
    for color in (*getattr(style, f"{mode}_LEVELS"), plain["arrow"], plain["silent"], plain["gradient"]):
        assert contrast(color, ground) >= 3
    assert contrast(plain["note"], ground) >= 4.5
    assert contrast(plain["note"], colors["cluster"].fill) >= 4.5


@pytest.mark.parametrize("mode", ["LIGHT", "DARK"])
def test_a_larger_gradient_stands_out_more_in_grey_too(mode):
    levels = getattr(style, f"{mode}_LEVELS")
    assert len(levels) == len(style.WIDTHS) == LEVELS
    against = [contrast(color, getattr(style, f"{mode}_PLAIN")["ground"]) for color in levels]
    assert against == sorted(against) and list(style.WIDTHS) == sorted(set(style.WIDTHS))


def test_every_colour_that_a_rule_asks_for_is_set_in_light_and_in_dark():
    text = style.css()
    for name in set(re.findall(r"var\((--tg-[\w-]+)\)", text)):
        assert text.count(f"{name}:") == 2


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for golden in ("doubled", "mlp"):
        (GOLDEN / f"{golden}.svg").write_text(svg(PICTURES[golden]()), encoding="utf-8")
