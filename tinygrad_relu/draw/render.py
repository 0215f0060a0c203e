"""DOT text made into pictures by whatever Graphviz there is, and Graphviz's SVG made ours.

Tried in this order: the program ``dot`` on the PATH; the program ``graphviz-pure``, which pip can install where there
is no Graphviz. A program that fails, answers nonsense or takes too long is passed over.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from xml.etree import ElementTree

import graphviz

from . import style
from .picture import Arrow, Box, Cluster, Picture
from .svg import SCOPE

TIME_LIMIT = 30.0  # seconds for one program

_XML = "{http://www.w3.org/2000/svg}"
_XLINK = "{http://www.w3.org/1999/xlink}"

# How files of these formats begin. Of others it is enough that they are not empty.
_BEGINNINGS = {
    "png": b"\x89PNG",
    "jpg": b"\xff\xd8",
    "jpeg": b"\xff\xd8",
    "gif": b"GIF8",
    "webp": b"RIFF",
    "pdf": b"%PDF",
    "ps": b"%!PS",
    "eps": b"%!PS",
}


# What graphviz-pure draws: no PDF.
_PURE_FORMATS = ("svg", "png", "jpg", "jpeg", "dot", "gv", "json", "xdot", "plain")


class ProgramNotFound(graphviz.ExecutableNotFound):
    """There is no program that draws this format. Who catches ``graphviz.ExecutableNotFound`` catches this too."""

    def __init__(self, format: str) -> None:
        RuntimeError.__init__(self, _advice(format))


class ProgramFailed(graphviz.CalledProcessError):
    """The programs that there are did not draw it. Who catches ``graphviz.CalledProcessError`` catches this too."""

    def __str__(self) -> str:
        return f"{self.cmd[0]} did not draw it: {self.stderr}"


def _advice(format: str) -> str:
    ways = "install Graphviz (apt install graphviz, brew install graphviz, winget install graphviz)"
    if format in _PURE_FORMATS:
        ways += ' or pip install "tinygrad_relu[dot]"'
    elif format == "pdf":
        ways += ", or save .html and print it to PDF with a browser"
    return f"no program that draws {format}: {ways}. Saving as .svg, .html, .dot or .mmd always works"


# ---------------------------------------------------------------------- which program


def programs() -> list[str]:
    """The paths of the programs that there are, the best first."""
    found = [shutil.which("dot"), _graphviz_pure()]
    return [path for path in found if path]


def _graphviz_pure() -> str | None:
    """Where pip put it: the folder of a virtual environment is not on the PATH when its Python is called by path."""
    folders = (
        None,  # stands for the PATH
        sysconfig.get_path("scripts"),
        os.path.dirname(sys.executable),
        sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")),
    )
    paths = (shutil.which("graphviz-pure", path=folder) for folder in folders)
    return next((path for path in paths if path), None)


def render(source: str, format: str, *, engine: str = "dot", options: tuple[str, ...] = ()) -> bytes:
    """The DOT text drawn in a format such as "svg" or "png" by the first program that can.

    ``options`` are more arguments for the program. Raises ``graphviz.ExecutableNotFound`` if there is no program,
    or none that knows the format; ``graphviz.CalledProcessError`` if there are some and all failed.
    """
    failed = None
    for program in programs():
        if _knows(program, format):
            try:
                return _run([program, f"-K{engine}", f"-T{format}", *options], source, format.split(":")[0])
            except ProgramFailed as error:
                failed = failed or error  # the best program's reason is the best reason
    raise failed or ProgramNotFound(format)


def _knows(program: str, format: str) -> bool:
    name = os.path.splitext(os.path.basename(program))[0]
    return name != "graphviz-pure" or format in _PURE_FORMATS


def _run(command: list[str], source: str, format: str) -> bytes:
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired:
        raise ProgramFailed(-1, command, None, f"no answer within {TIME_LIMIT:g} seconds") from None
    except OSError as error:
        raise ProgramFailed(-1, command, None, str(error)) from None
    complaint = done.stderr.decode(errors="replace").strip()
    if done.returncode:
        raise ProgramFailed(done.returncode, command, done.stdout, complaint or f"exit status {done.returncode}")
    if not _is_whole(done.stdout, format):
        raise ProgramFailed(done.returncode, command, done.stdout, complaint or f"its answer is no {format}")
    return done.stdout


def _is_whole(data: bytes, format: str) -> bool:
    if format != "svg":
        return bool(data) and data.startswith(_BEGINNINGS.get(format, b""))
    try:
        return ElementTree.fromstring(data).tag == f"{_XML}svg"
    except ElementTree.ParseError:
        return False


# ---------------------------------------------------------------------- Graphviz's SVG made ours


def dressed(data: bytes, picture: Picture, prefix: str = "") -> str:
    """Graphviz's SVG as ours is: it fits its place, has the style sheet and tooltips, and can stand in a page.

    ``prefix`` goes before each id, so that two drawings in one page do not share ids.
    """
    root = ElementTree.fromstring(data)
    parts: dict[str, Box | Arrow | Cluster] = {}
    for some in (picture.boxes, picture.arrows, picture.clusters):
        parts |= {part.id: part for part in some}
    for element in list(root.iter()):
        _rename(element)
    for group in list(root.iter("g")):
        _dress_group(group, parts.get(group.get("id", "")), prefix)
    _dress_root(root, picture, prefix)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _rename(element: ElementTree.Element) -> None:
    """Take the namespaces off the names, and the page's own text colour instead of black."""
    element.tag = element.tag.removeprefix(_XML)
    for name in [name for name in element.attrib if name.startswith(_XLINK)]:
        element.set(name.removeprefix(_XLINK), element.attrib.pop(name))
    for name in ("fill", "stroke"):
        if element.get(name) == "black":
            element.set(name, "currentColor")
    if element.tag == "text":
        element.attrib.setdefault("fill", "currentColor")


def _dress_group(group: ElementTree.Element, part: Box | Arrow | Cluster | None, prefix: str) -> None:
    name = group.attrib.pop("id", "")
    if group.get("class") == "graph":
        _dress_graph(group)
    if part is None:  # the whole graph, or what a user has added
        return
    group.set("id", prefix + name)
    group.set("data-id", name)
    _replace_title(group, _tooltip(part))
    _unwrap_anchors(group)
    if isinstance(part, Arrow):  # the head ends where its outline does
        for head in group.iter("polygon"):
            head.set("style", f"stroke-width: {style.arrow_width(part)}")
    if isinstance(part, Box):
        for i, text in enumerate(group.iter("text")):
            text.set("class", f"line l{i}")
        for shape in group.iter():
            _keep_special(shape, part)


def _dress_graph(group: ElementTree.Element) -> None:
    """The picture's title stands elsewhere; its only texts are the notes."""
    _replace_title(group, "")
    for text in group.findall("text"):
        text.set("class", "note")


def _replace_title(group: ElementTree.Element, text: str) -> None:
    title = group.find("title")
    if title is not None:
        title.text = text
        if not text:
            group.remove(title)


def _tooltip(part: Box | Arrow | Cluster) -> str:
    """Its tooltip, and else what is written on it."""
    words = part.lines if isinstance(part, Box) else [part.label]
    text = part.tooltip or "\n".join(words)
    return "\n".join(style.printable(line) for line in text.split("\n"))


def _unwrap_anchors(group: ElementTree.Element) -> None:
    """Links stay; those that only held a tooltip go, as the title now does, and the groups around both."""
    for inner in group.findall("g"):
        anchor = inner.find("a")
        if anchor is not None:
            anchor.attrib.pop("title", None)
            place = list(group).index(inner)
            group.remove(inner)
            inside = [anchor] if anchor.get("href") else list(anchor)
            for i, element in enumerate(inside):
                group.insert(place + i, element)


def _keep_special(shape: ElementTree.Element, box: Box) -> None:
    """The style sheet fills all shapes of a box alike; these are not to be: second lines around it, and bars."""
    colors = style.LIGHT[box.kind]
    fill = shape.get("fill", "").upper()
    if shape.tag == "polygon" and fill == "NONE":
        shape.set("style", "fill: none")
    elif shape.tag == "polygon" and fill == colors.stroke.upper():
        shape.set("style", f"fill: var(--tg-{box.kind}-stroke)")
    if shape.get("stroke") == "none" or shape.get("stroke") == "transparent":
        shape.set("style", f"{shape.get('style', '')}; stroke: none".strip("; "))


def _dress_root(root: ElementTree.Element, picture: Picture, prefix: str) -> None:
    width, height = root.get("viewBox", "0 0 0 0").split()[2:]
    root.attrib |= {
        "xmlns": "http://www.w3.org/2000/svg",
        "class": SCOPE[1:],
        "width": width,
        "height": height,
        "style": "max-width: 100%; height: auto; color: var(--tg-result-text)",
        "role": "graphics-document document",
        "aria-labelledby": f"{prefix}title {prefix}description",
    }
    title = ElementTree.Element("title", {"id": f"{prefix}title"})
    title.text = style.printable(picture.title or picture.name)
    description = ElementTree.Element("desc", {"id": f"{prefix}description"})
    description.text = style.printable(picture.description)
    look = ElementTree.Element("style")
    look.text = style.css(SCOPE)
    root[0:0] = [title, description, look]
