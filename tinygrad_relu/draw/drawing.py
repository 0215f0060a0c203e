"""Drawing: a picture of a graph as a ``graphviz.Digraph`` that can also be seen and saved where Graphviz is missing."""

from __future__ import annotations

import dataclasses
import os
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import graphviz

from ..record.words import plural
from ..serialize import replacing
from .dot import digraph
from .mermaid import mermaid
from .page import page
from .picture import Picture
from .render import dressed, render
from .svg import svg

_PROGRAM_FORMATS = ("png", "jpg", "jpeg", "gif", "webp", "pdf", "ps", "eps")
_SHARP = ("png", "jpg", "jpeg", "gif", "webp")  # made of dots, of which there should be enough
_ONLY_GRAPHVIZ = "not shown: what was added with .node, .edge or .attr, which only Graphviz draws"


class Drawing(graphviz.Digraph):
    """A picture of a computation graph. A notebook shows it; ``save`` writes it to a file of any common kind.

    It is a ``graphviz.Digraph``: ``source`` is its DOT text, ``node``, ``edge`` and ``attr`` add to it, ``render`` and
    ``pipe`` draw it. Where there is no Graphviz, or it fails, SVG comes from a writer of our own, which shows the
    graph but not what was added. ``picture`` is what it was made from.

    >>> drawing = tg.draw(Tensor([1.0, -2.0], requires_grad=True, name="x").relu())
    >>> drawing.node("remark", "zero where x is negative")
    >>> "zero where x is negative" in drawing.source
    True
    """

    picture: Picture

    def __init__(self, picture: Picture, **options: Any) -> None:
        """``options`` are those of ``graphviz.Digraph``; those not given follow from the picture."""
        made = digraph(picture)
        defaults = {
            "name": made.name,
            "filename": re.sub(r"[^\w.-]+", "_", picture.name) + ".gv",
            "graph_attr": made.graph_attr,
            "node_attr": made.node_attr,
            "edge_attr": made.edge_attr,
            "body": made.body,
        }
        super().__init__(**(defaults | options))
        self.picture = picture

    def _copy_kwargs(self, **kwargs: Any) -> dict[str, Any]:  # what graphviz makes copies and subgraphs with
        return super()._copy_kwargs(**kwargs) | {"picture": self.picture}

    def __repr__(self) -> str:
        kinds = [box.kind for box in self.picture.boxes]
        ops, folds = kinds.count("op"), kinds.count("fold")
        counts = {"tensor": len(kinds) - ops - folds, "op": ops, "fold": folds, "arrow": len(self.picture.arrows)}
        words = [plural(n, name) for name, n in counts.items() if n or name != "fold"]
        return f"<Drawing {self.picture.name!r}: {'; '.join([', '.join(words), *self.picture.notes])}>"

    def _repr_mimebundle_(
        self, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None, **_: Any
    ) -> dict[str, str]:
        """Representations for a notebook. It never raises: where even our own SVG fails, text remains."""
        bundle = {"text/plain": repr(self)}
        try:
            bundle["image/svg+xml"] = self.svg(prefix=f"tg{zlib.crc32(self.source.encode()):08x}-")
        except Exception as error:  # a traceback would hide the text
            bundle["text/plain"] += f" (not drawn: {type(error).__name__}: {error})"
        wanted = set(bundle if include is None else include) - set(exclude or ())
        return {kind: data for kind, data in bundle.items() if kind in wanted}

    def svg(self, *, prefix: str = "") -> str:
        """The picture as SVG text, drawn by Graphviz where there is one that works, and else by ourselves.

        ``prefix`` goes before each id, for pages with several drawings.
        """
        try:
            return dressed(render(self.source, "svg", engine=self.engine), self.picture, prefix)
        except (graphviz.ExecutableNotFound, graphviz.CalledProcessError):
            return self._own_svg(prefix)

    def _own_svg(self, prefix: str = "") -> str:
        picture = self.picture
        if self.source != Drawing(picture).source:
            picture = dataclasses.replace(picture, notes=[*picture.notes, _ONLY_GRAPHVIZ])
        return svg(picture, prefix=prefix)

    def save(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        *,
        skip_existing: bool | None = False,
    ) -> str:
        """Write the picture to a file, of the kind that its suffix names, and return the path.

        ``.svg``, ``.html`` (a page to zoom in), ``.mmd`` (Mermaid) and ``.gv``, ``.dot`` or no suffix (DOT) always
        work. ``.png``, ``.jpg``, ``.gif``, ``.webp``, ``.pdf``, ``.ps`` and ``.eps`` need a Graphviz program. An
        existing file is replaced only when the new one is complete, or kept if ``skip_existing``.

        Raises ValueError for another suffix, ``graphviz.ExecutableNotFound`` (a RuntimeError) where a program is
        missing, ``graphviz.CalledProcessError`` if it fails, and OSError if the file cannot be written.

        >>> import os, tempfile
        >>> path = tg.draw(Tensor(2.0, requires_grad=True) ** 2).save("square.svg", tempfile.mkdtemp())
        >>> os.path.basename(path)
        'square.svg'
        """
        name = self.filename if filename is None else os.fspath(filename)
        suffix = os.path.splitext(name)[1][1:].lower()
        write = self._writers().get(suffix)
        if write is None:
            known = ", ".join(f".{kind}" for kind in self._writers() if kind)
            raise ValueError(f"save: cannot write {name!r}: its suffix is none of {known}")
        if suffix in ("", "gv", "dot"):
            return self._save_source(name, directory, skip_existing)
        path = os.path.join(self.directory if directory is None else os.fspath(directory), name)
        if not (skip_existing and os.path.exists(path)):
            _write(path, write())
        return path

    def _writers(self) -> dict[str, Callable[[], bytes]]:
        """How to make the content of a file, by its suffix."""
        writers: dict[str, Callable[[], bytes]] = {
            "svg": lambda: self.svg().encode(),
            "html": lambda: page(self.picture, self.svg()).encode(),
            "htm": lambda: page(self.picture, self.svg()).encode(),
            "mmd": lambda: mermaid(self.picture).encode(),
            **dict.fromkeys(("", "gv", "dot"), lambda: self.source.encode(self.encoding)),
        }
        return writers | {kind: lambda kind=kind: self._drawn(kind) for kind in _PROGRAM_FORMATS}

    def _drawn(self, format: str) -> bytes:
        """On white, as a file for printing is seen on any ground; and sharp."""
        on_paper = self.copy()
        if on_paper.graph_attr.get("bgcolor") == "transparent":
            on_paper.graph_attr["bgcolor"] = "white"
        if format in _SHARP:
            on_paper.graph_attr.setdefault("dpi", "144")
        return render(on_paper.source, format, engine=self.engine)

    def _save_source(self, filename: str, directory: str | os.PathLike[str] | None, skip_existing: bool | None) -> str:
        """As ``graphviz.Digraph.save`` does, which remembers the path, but the file is replaced at once."""
        self.filename = filename
        if directory is not None:
            self.directory = os.fspath(directory)
        if not (skip_existing and os.path.exists(self.filepath)):
            _write(self.filepath, self.source.encode(self.encoding))
        return self.filepath

    def pipe(
        self,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = False,
        *,
        engine: str | None = None,
        encoding: str | None = None,
    ) -> Any:
        """As ``graphviz.Digraph.pipe``: the drawing in a format, as bytes, or as text where ``encoding`` is given.

        Where there is no program, "svg" still comes, from our own writer; any other format raises
        ``graphviz.ExecutableNotFound``.
        """
        chosen = (format or self.format).lower()
        if chosen not in graphviz.FORMATS:
            raise ValueError(f"unknown format: {format!r} (must be one of {sorted(graphviz.FORMATS)})")
        if formatter and not renderer:
            raise graphviz.RequiredArgumentError("formatter given without renderer")
        full = ":".join(part for part in (chosen, renderer, formatter) if part)
        options = (f"-n{neato_no_op:d}",) if neato_no_op else ()
        try:
            data = render(self.source, full, engine=engine or self.engine, options=options)
        except graphviz.ExecutableNotFound:
            if chosen != "svg":
                raise
            data = self._own_svg().encode()
        return data if encoding is None else data.decode(encoding)

    def render(
        self,
        filename: str | os.PathLike[str] | None = None,
        directory: str | os.PathLike[str] | None = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        renderer: str | None = None,
        formatter: str | None = None,
        neato_no_op: bool | int | None = None,
        quiet: bool = False,
        quiet_view: bool = False,
        *,
        outfile: str | os.PathLike[str] | None = None,
        engine: str | None = None,
        raise_if_result_exists: bool = False,
        overwrite_source: bool = False,
    ) -> str:
        """As ``graphviz.Digraph.render``: save the source, draw it beside that, and return the path of the drawing."""
        if outfile is not None:
            outfile = os.path.join(self.directory if directory is None else directory, outfile)
            stem, suffix = os.path.splitext(outfile)
            format = format or suffix[1:]
            filename, directory = (f"{stem}.gv", "") if filename is None else (filename, directory)
        data = self.pipe(format, renderer, formatter, neato_no_op, quiet, engine=engine)
        source = self._save_source(self.filename if filename is None else os.fspath(filename), directory, None)
        endings = [part for part in (formatter, renderer, (format or self.format).lower()) if part]
        target = ".".join([source, *endings]) if outfile is None else os.fspath(outfile)
        if raise_if_result_exists and os.path.exists(target):
            raise graphviz.FileExistsError(f"output file exists: {target!r}")
        if os.path.realpath(target) == os.path.realpath(source) and not overwrite_source:
            raise ValueError(f"outfile {target!r} must be different from the file of the source")
        _write(target, data)
        if cleanup:
            os.remove(source)
        if view or quiet_view:
            graphviz.view(target, quiet=quiet_view)
        return target


def _write(path: str, data: bytes) -> None:
    """Write the file at once or not at all, in folders that are made where they are missing."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        if error.filename is None:  # a full disk does not say where it is
            raise type(error)(error.errno, error.strerror, path) from None
        raise
