"""The explorer's page: one HTML file in which everything stands that it needs, and the same steps as plain sentences.

What it shows comes from a story (plain data, see story.py) and from two drawings of the same graph. All words come
from languages/<code>.json: a new language is one more file there with the same keys. A text may name words in braces:
of a step its value and op, which argument of how many, how many gradients are still missing, and where broadcasting is
undone the raw shape, the axes and the shape. No text may need to know what stands there: no plurals, no particles.
"""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import Any

from ..draw.style import css, printable

_HERE = Path(__file__).parent
_SPELLED_OUT = 4  # up to so many elements an array stands in a formula


def page(story: dict[str, Any], wide: str, tall: str, language: str = "en") -> str:
    """The whole page as HTML text: ``wide`` and ``tall`` are SVGs of one graph, for wide and for narrow windows.

    It asks for nothing from anywhere, so it can be mailed, opened from disk, or shown in a notebook's iframe.
    ValueError if there is no such language.
    """
    texts = languages()
    words = _chosen(texts, language)
    parts = {
        "language": language,
        "title": escape(printable(_fill(words["page.title"], story))),
        "noscript": escape(words["page.noscript"]),
        "style": _own("page.css"),
        "light": css("svg.tg-picture.tg-picture").split("\n", 1)[0],  # the first rule holds the light colours
        "script": _own("page.js"),
        "wide": wide,
        "tall": tall,
        "story": _as_json({**story, "telling": telling(story)}),
        "languages": _as_json(texts),
    }
    return re.sub(r"<!--(\w+)-->", lambda place: parts[place[1]], _own("page.html"))


def sentences(story: dict[str, Any], language: str = "en") -> list[str]:
    """Story of each step, in one plain sentence, with the numbers behind it: of a large array its range.

    ValueError if there is no such language.
    """
    texts = _chosen(languages(), language)
    told = []
    for step in telling(story):
        sentence = _fill(texts[step["sentence"]], step["words"])
        told.append(f"{sentence} {step['numbers']}".rstrip())
    return told


def languages() -> dict[str, dict[str, str]]:
    """All texts of the page, by language code and then by key, English first.

    >>> from tinygrad_relu.explain.page import languages
    >>> list(languages())
    ['en', 'ko']
    """
    files = sorted((_HERE / "languages").glob("*.json"), key=lambda file: (file.stem != "en", file.stem))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def telling(story: dict[str, Any]) -> list[dict[str, Any]]:
    """For each step which texts tell it, the words to fill in, and its numbers: of a large array its range."""
    return [_TELLERS[step["kind"]](story, step) for step in story["steps"]]


# ------------------------------------------------------------------ one function for each kind of step


def _tell_border(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    """The first step and the last, which show the whole graph."""
    seed = next(step for step in story["steps"] if step["kind"] == "seed")
    words = {"value": _label(story, seed["value"])}
    is_given = step["kind"] == "end" and not _is_one(story["arrays"][seed["sent"]])
    return _told(step["kind"], words, sentence="end.given" if is_given else "")


def _tell_send(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    op = story["ops"][step["op"]]
    place = {"argument": op["names"][step["argument"]], "number": step["argument"] + 1, "count": len(op["arguments"])}
    words = _names(story, step) | {name: str(word) for name, word in place.items()}
    kind = "send" if place["count"] > 1 else "send.only"
    return _told("send", words, sentence=kind, numbers=_equation(words["value"], _value(story, step)))


def _tell_compute(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    words = _names(story, step)
    return _told("compute", words, numbers=_equation(words["value"], _value(story, step)))


def _tell_seed(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    words = _names(story, step)
    sent = story["arrays"][step["sent"]]
    kind = "seed.given" if not _is_ones(sent) else "seed.ones" if sent["shape"] else "seed.one"
    return _told("seed", words, sentence=kind, numbers=_equation(f"{words['value']}.grad", sent))


def _tell_hook(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    words = _names(story, step)
    return _told("hook", words, numbers=_equation(f"{words['value']}.grad", story["arrays"][step["after"]]))


def _tell_rule(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    words = _names(story, step)
    kind = "rule.inner" if story["values"][step["value"]]["expected"] else "rule.root"
    received = story["arrays"][step["received"]]
    return _told("rule", words, sentence=kind, numbers=_equation(f"{words['value']}.grad", received))


def _tell_return(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    value = story["values"][step["value"]]
    words = _names(story, step) | {"missing": str(step["missing"])}
    if step["raw_shape"] is not None:
        words |= {
            "raw": _shape(step["raw_shape"]),
            "axes": _summed_axes(step["raw_shape"], value["shape"]),
            "shape": _shape(value["shape"]),
        }
    sent, after = (story["arrays"][step[name]] for name in ("sent", "after"))
    name = f"{words['value']}.grad"
    if step["before"] is None:
        kind = "return.first" if step["missing"] else "return.only"
        return _told("return", words, sentence=kind, numbers=_equation(name, after))
    kind = "return.more" if step["missing"] else "return.last"
    return _told(
        "return", words, sentence=kind, numbers=_equation(name, after, _addition(story["arrays"][step["before"]], sent))
    )


_TELLERS = {
    "start": _tell_border,
    "send": _tell_send,
    "compute": _tell_compute,
    "seed": _tell_seed,
    "hook": _tell_hook,
    "rule": _tell_rule,
    "return": _tell_return,
    "end": _tell_border,
}


def _told(kind: str, words: dict[str, str], *, sentence: str = "", numbers: str = "") -> dict[str, Any]:
    keys = {"title": f"{kind}.title", "sentence": f"{sentence or kind}.sentence", "question": f"{kind}.question"}
    return {**keys, "words": words, "numbers": numbers}


# ------------------------------------------------------------------ words and numbers


def _names(story: dict[str, Any], step: dict[str, Any]) -> dict[str, str]:
    """Names of the step's value and op."""
    names = {"value": _label(story, step["value"])}
    if "op" in step:
        names["op"] = story["ops"][step["op"]]["label"]
    return names


def _label(story: dict[str, Any], value: int) -> str:
    return story["values"][value]["label"]


def _value(story: dict[str, Any], step: dict[str, Any]) -> dict[str, Any]:
    return story["arrays"][story["values"][step["value"]]["array"]]


def _equation(name: str, array: dict[str, Any], origin: str = "") -> str:
    """``name = origin = numbers``; of a larger array its shape, and from where to where its numbers go."""
    numbers = _brief(array)
    if not numbers:
        return f"{name} {_shape(array['shape'])}: {_range(array)}"
    return " = ".join(filter(None, (name, origin, numbers)))


def _addition(before: dict[str, Any], sent: dict[str, Any]) -> str:
    added = _brief(sent)
    return f"{_brief(before)} + ({added})" if added.startswith("-") else f"{_brief(before)} + {added}"


def _range(array: dict[str, Any]) -> str:
    """The least and the greatest number, and how many are neither: ``-0.041 … 0.098, nan/inf: 3``."""
    numbers = array.get("values", [array.get("min"), array.get("max")])
    finite = [x for x in numbers if not isinstance(x, str)]
    odd = array.get("nonfinite", len(numbers) - len(finite))
    ends = f"{_number(min(finite), 3)} … {_number(max(finite), 3)}" if finite else ""
    return ", ".join(filter(None, (ends, f"nan/inf: {odd}" if odd else "")))


def _brief(array: dict[str, Any]) -> str:
    """The numbers of a small array with four digits, in NumPy's brackets; "" for a larger one."""
    numbers = array.get("values")
    if numbers is None or len(numbers) > _SPELLED_OUT:
        return ""
    texts = [_number(x) for x in numbers]
    for length in reversed(array["shape"]):
        texts = [f"[{' '.join(texts[i : i + length])}]" for i in range(0, len(texts), max(length, 1))]
    return " ".join(texts) or "[]"


def _number(x: Any, digits: int = 4) -> str:
    return f"{x + 0:.{digits}g}" if isinstance(x, float) else str(x)  # -0.0 + 0 is 0.0


def _is_ones(array: dict[str, Any]) -> bool:
    return set(array["values"]) == {1} if "values" in array else array["min"] == array["max"] == 1


def _is_one(array: dict[str, Any]) -> bool:
    """Tell whether it is one number, and that is 1: what backward() starts with unless it is given something else."""
    return array.get("values") == [1]


def _shape(shape: list[int]) -> str:
    return str(tuple(shape))


def _summed_axes(raw: list[int], shape: list[int]) -> str:
    """Along which axes a gradient of shape ``raw`` was summed to be one of ``shape``."""
    added = len(raw) - len(shape)
    axes = [i for i, n in enumerate(raw) if i < added or (n != 1 and shape[i - added] == 1)]
    return ", ".join(str(axis) for axis in axes)


# ------------------------------------------------------------------ texts and files


def _chosen(texts: dict[str, dict[str, str]], language: str) -> dict[str, str]:
    if language not in texts:
        raise ValueError(f"explain: no language {language!r}; there are {', '.join(texts)}")
    return texts[language]


def _fill(template: str, words: dict[str, Any]) -> str:
    """The template with each {name} replaced by that word. A word with braces in it stays what it is."""
    return re.sub(r"\{(\w+)\}", lambda place: str(words[place[1]]), template)


def _own(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _as_json(data: Any) -> str:
    """JSON in plain ASCII that can stand inside <script>: no tag in it can end the script."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
