"""Explorer: what ``tg.explain`` returns. It shows itself as a page, in a notebook, and as text."""

from __future__ import annotations

import html
import os
from typing import Any

from ..record.reading import Reading
from ..record.words import plural
from ..serialize import replacing
from .page import languages, page, sentences
from .stage import stage

__all__ = ["Explorer"]

_HEIGHT = 760  # pixels of the frame in a notebook


class Explorer:
    """A computation and its backward pass, step by step. ``save`` writes a page, ``print`` tells it as text.

    ``story`` holds all that is shown as plain data: values, ops, steps, and the arrays that they refer to.
    """

    def __init__(self, story: dict[str, Any], reading: Reading, language: str = "en"):
        self.story = story
        self.language = language
        self._wide = stage(reading, story, "LR")
        self._tall = stage(reading, story, "TB")

    @property
    def html(self) -> str:
        """The whole page as text: one file, which asks for nothing from anywhere."""
        return page(self.story, self._wide, self._tall, self.language)

    def save(self, path: str | os.PathLike[str]) -> str:
        """Write the page to ``path``, which ends in .html, and return that path as text; missing folders are made.

        Raises ValueError for another ending (a browser prints the page as PDF), and OSError if the file cannot be
        written; nothing is left half-written then.

        >>> import os, tempfile
        >>> x = Tensor(2.0, requires_grad=True)
        >>> os.path.basename(tg.explain(x * x).save(os.path.join(tempfile.mkdtemp(), "backprop.html")))
        'backprop.html'
        """
        if os.path.splitext(os.fspath(path))[1].lower() not in (".html", ".htm"):
            raise ValueError(f"explain: this is a page, give it a name that ends in .html; got {os.fspath(path)!r}")
        text = self.html.encode()
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with replacing(path) as file:
            file.write(text)
        return os.fspath(path)

    def sentences(self, language: str | None = None) -> list[str]:
        """Story of each step, in one plain sentence with the numbers.

        >>> x = Tensor(2.0, requires_grad=True)
        >>> len(tg.explain(x.relu()).sentences("ko"))
        7
        """
        return sentences(self.story, language or self.language)

    def __repr__(self) -> str:
        ops, forward = len(self.story["ops"]), self.story["forward_steps"]
        back = len(self.story["steps"]) - forward
        steps = f"{plural(forward, 'step')} forward, {plural(back, 'step')} back"
        return f"<Explorer {self.story['title']!r}: {plural(ops, 'op')}, {steps}>"

    def __str__(self) -> str:
        texts = languages()[self.language]
        lines = [texts["page.title"].replace("{title}", self.story["title"])]
        for i, (step, sentence) in enumerate(zip(self.story["steps"], self.sentences())):
            if i in (0, self.story["forward_steps"]):
                lines += ["", texts[f"phase.{step['phase']}"]]
            lines.append(f"{i:4}  {sentence}")
        return "\n".join(lines)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None, **_: Any) -> dict[str, str]:
        """Representation for a notebook: the page in a frame of its own, from which nothing gets out."""
        try:
            return {"text/plain": repr(self), "text/html": self._frame()}
        except Exception as error:  # a traceback would hide the text
            return {"text/plain": f"{self!r} (no page: {type(error).__name__}: {error})"}

    def _frame(self) -> str:
        title, text = html.escape(repr(self)), html.escape(self.html)
        style = f"width:100%;height:{_HEIGHT}px;border:0"
        return f'<iframe sandbox="allow-scripts allow-popups" title="{title}" srcdoc="{text}" style="{style}"></iframe>'
