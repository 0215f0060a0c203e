"""README.ko.md is the twin of README.md: the same code, links and numbers in the same places, all prose in Korean."""

import re
from collections import Counter
from itertools import zip_longest
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HANGUL = re.compile("[가-힣]")
NUMBER = re.compile(r"(?:(?<=[\s(])-)?(?<![A-Za-z_\d])\d(?:[\d.,]*\d)?|[⁻⁰¹²³⁴-⁹]+")
TARGET = re.compile(r'\]\(([^)\s]+)[^)]*\)|\b(?:src|srcset|href)="([^"]+)"')
FOUR_WORDS = re.compile(r"[A-Za-z'’]+(?:\s[A-Za-z'’]+){3,}")  # so many in a row are English; a list of names has commas


def read(name):
    return (ROOT / name).read_bytes().decode()  # as it is: no line ending is changed


def blocks(text):
    """The blocks of a README, in order, as (kind, text): kinds are as "heading 2", fence, shell, table, html, ..."""
    found, lines = [], text.splitlines(keepends=True)
    while lines:
        if not lines[0].strip():
            lines.pop(0)
            continue
        kind = _kind(lines[0])
        size = 1
        if kind == "fence":
            size = next(i for i, line in enumerate(lines[1:], 2) if line.startswith("```"))
        elif not kind.startswith("heading"):
            while size < len(lines) and _goes_on(kind, lines[size]):
                size += 1
        found.append((kind, "".join(lines[:size])))
        del lines[:size]
    return found


def _kind(line):
    if heading := re.match("(#+) ", line):
        return f"heading {len(heading[1])}"
    for start, kind in (("```", "fence"), ("    ", "shell"), ("|", "table"), ("<", "html"), ("- ", "item")):
        if line.startswith(start):
            return kind
    return "numbered item" if re.match(r"\d+\. ", line) else "paragraph"


def _goes_on(kind, line):
    following = _kind(line)
    if not line.strip():
        return False
    if kind in ("shell", "table"):
        return following == kind
    return kind == "html" or following in ("paragraph", "html", "shell")  # an item's second line is indented


def sections(text):
    """The blocks below each heading, as (level, heading, blocks)."""
    found = [(0, "(before the first heading)", [])]
    for kind, block in blocks(text):
        if kind.startswith("heading"):
            found.append((int(kind.split()[1]), block.strip("# \r\n"), []))
        else:
            found[-1][2].append((kind, block))
    return found


def code(text):
    return re.findall("`+[^`]+`+", text)


def prose(text):
    """What is left for a translator: no code, no targets of links, no tags but what a picture is called."""
    text = re.sub("<(?!img)[^>]*>", " ", re.sub("`+[^`]+`+", " ", text))
    text = re.sub(r'<img[^>]*\balt="([^"]*)"[^>]*>', r"\1", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def targets(text):
    """Where its links and pictures lead; twins count as one, and so do headings of the same page."""
    found = [one or other for one, other in TARGET.findall(re.sub("`+[^`]+`+", " ", text))]
    found = ["README.md" if target == "README.ko.md" else target.replace(".ko.ipynb", ".ipynb") for target in found]
    return [re.sub("^#.*", "#", target) for target in found]


def cells(table):
    rows = [re.split(r"(?<!\\)\|", row.strip().strip("|")) for row in table.splitlines()]
    return [[cell.strip() for cell in row] for row in rows]


def differences(english, korean):
    """What the twin lacks or has on its own, one line for each, in words that lead to the place."""
    here, there = sections(english), sections(korean)
    if [level for level, *_ in here] != [level for level, *_ in there]:
        yield from _compared(
            "headings",
            [f"{'#' * level} {heading}" for level, heading, _ in here],
            [f"{'#' * level} {heading}" for level, heading, _ in there],
            lambda heading: heading.partition(" ")[0],
        )
        return
    for (_, heading, ours), (_, name, theirs) in zip(here, there):
        where = f"in {heading!r} / {name!r}"
        yield from _code(where, ours, theirs)
        kinds, their_kinds = [kind for kind, _ in ours], [kind for kind, _ in theirs]
        if kinds != their_kinds:
            yield f"{where}: the English has {', '.join(kinds)}; the Korean has {', '.join(their_kinds)}"
            continue
        for (kind, block), (_, twin) in zip(ours, theirs):
            if kind == "table":
                yield from _tables(where, block, twin)
            if kind not in ("fence", "shell"):
                yield from _counted(f"{where}: links and pictures", targets(block), targets(twin), twin)
                yield from _counted(f"{where}: names in code", sorted({*code(block)}), sorted({*code(twin)}), twin)
                yield from _counted(
                    f"{where}: numbers", NUMBER.findall(prose(block)), NUMBER.findall(prose(twin)), twin
                )


def _compared(what, ours, theirs, key=lambda thing: thing):
    for i, (one, other) in enumerate(zip_longest(ours, theirs), 1):
        if one is None or other is None or key(one) != key(other):
            yield f"{what}: number {i} is {one!r} in English and {other!r} in Korean"
            return


def _code(where, ours, theirs):
    for kind in ("fence", "shell"):
        yield from _compared(
            f"{where}: {kind}", *([block for name, block in side if name == kind] for side in (ours, theirs))
        )


def _counted(what, ours, theirs, twin):
    ours, theirs = Counter(ours), Counter(theirs)
    if ours != theirs:
        only, own = list((ours - theirs).elements()), list((theirs - ours).elements())
        yield f"{what}: missing {only}, not in the English {own}, near {twin[:60]!r}"


def _tables(where, block, twin):
    ours, theirs = cells(block), cells(twin)
    if [len(row) for row in ours] != [len(row) for row in theirs]:
        yield f"{where}: a table of {[len(row) for row in ours]} cells in English has {[len(row) for row in theirs]}"
        return
    for row, their_row in zip(ours, theirs):
        for cell, other in zip(row, their_row):
            numbers, their_numbers = NUMBER.findall(prose(cell)), NUMBER.findall(prose(other))
            if numbers != their_numbers:
                yield f"{where}: the cell {cell!r} has the numbers {numbers}, its twin {other!r} has {their_numbers}"


def untranslated(english, korean):
    """Each text of the twin that is no Korean: without Hangul, or with four English words in a row."""
    originals = {_folded(block) for _, block in blocks(english)}
    title = True
    for kind, block in blocks(korean):
        if kind in ("fence", "shell"):
            continue
        texts = [cell for row in cells(block) for cell in row] if kind == "table" else [block]
        for text in texts:
            words = prose(text)
            if found := FOUR_WORDS.search(re.sub('"[^"]*"', " ", words)):  # a title in quotes stays as it is
                yield f"English: {found[0]!r} in {text.strip()[:80]!r}"
        is_name = title or kind == "table" or block.strip() == "[English](README.md)"
        if not is_name and not HANGUL.search(prose(block)):
            yield f"no Hangul: {block.strip()[:80]!r}"
        if not is_name and _folded(block) in originals:
            yield f"as in the English: {block.strip()[:80]!r}"
        title = False


def _folded(block):
    return " ".join(block.split())


ENGLISH, KOREAN = read("README.md"), read("README.ko.md")


def test_the_twins_agree():
    found = list(differences(ENGLISH, KOREAN))
    assert not found, "README.ko.md is not the twin of README.md:\n" + "\n".join(found)


def test_all_prose_is_korean():
    found = list(untranslated(ENGLISH, KOREAN))
    assert not found, "README.ko.md is not all Korean:\n" + "\n".join(found)


def test_each_leads_to_the_other():
    assert "[한국어](README.ko.md)" in ENGLISH, "README.md does not link to README.ko.md"
    assert "[English](README.md)" in KOREAN, "README.ko.md does not link to README.md"


def test_no_line_is_too_long():
    long = [line for line in KOREAN.splitlines() if len(line) > 120 and not line.startswith("|")]
    assert not long, "longer than 120 columns:\n" + "\n".join(long)


# The checks themselves, on a small pair of twins with one fault at a time.

SMALL = """# engine

[한국어](README.ko.md)

It goes back through the graph in 2 seconds, see [graph](graph.py) and `backward`.

## Use

    make demo      # train

| | batch 100 |
| --- | --- |
| `Tensor`, PyTorch | 48, 1,500 |

```python
>>> 1 + 1  # a sum
2

```

- [lesson](1_one.ipynb): a slope of 10⁻¹².

<img alt="The graph of a sum and its slope" src="graph.png">
"""
TWIN = """# engine

[English](README.md)

2초 만에 그래프를 거슬러 가요. [그래프](graph.py)와 `backward`를 보세요.

## 사용하기

    make demo      # train

| | 배치 100 |
| --- | --- |
| `Tensor`, PyTorch | 48, 1,500 |

```python
>>> 1 + 1  # a sum
2

```

- [수업](1_one.ko.ipynb): 기울기는 10⁻¹²이에요.

<img alt="합과 기울기의 그래프" src="graph.png">
"""


def test_a_good_twin_passes():
    assert not list(differences(SMALL, TWIN)) and not list(untranslated(SMALL, TWIN))


@pytest.mark.parametrize(
    "right, wrong, said",
    [
        ("## 사용하기", "### 사용하기", "headings: number 3 is '## Use' in English and '### 사용하기'"),
        ("## 사용하기", "사용하기", "headings: number 3 is '## Use' in English and None"),
        ("# a sum", "# 합", "fence: number 1"),
        ("2\n\n```", "2\n```", "fence: number 1"),
        ("# train", "# 학습", "shell: number 1"),
        ("```python\n>>> 1 + 1  # a sum\n2\n\n```\n\n", "", "fence: number 1"),
        ("(graph.py)", "(graf.py)", "missing ['graph.py'], not in the English ['graf.py']"),
        ('src="graph.png"', 'src="other.png"', "missing ['graph.png']"),
        ("1_one.ko", "2_one.ko", "links and pictures: missing ['1_one.ipynb']"),
        ("`backward`", "`forward`", "names in code: missing ['`backward`']"),
        ("2초", "3초", "numbers: missing ['2'], not in the English ['3']"),
        ("10⁻¹²", "10¹²", "missing ['⁻¹²'], not in the English ['¹²']"),
        ("2초 만에", "약 -2초 만에", "numbers: missing ['2']"),
        ("48, 1,500", "1,500, 48", "has the numbers ['48', '1,500']"),
        ("| `Tensor`, PyTorch ", "", "a table of"),
        ("- [수업]", "[수업]", "the English has"),
        ("| | 배치 100 |", "| | 배치 10 |", "has the numbers ['100']"),
        ("2초 만에 그래프를 거슬러 가요.", "It goes back through the graph in 2 seconds.", "English: 'It goes back"),
        ("[수업](1_one.ko.ipynb): 기울기는 10⁻¹²이에요.", "[lesson](1_one.ko.ipynb): 10⁻¹².", "no Hangul: '- [lesson]"),
        ("합과 기울기의 그래프", "The graph of a sum and its slope", "as in the English: '<img"),
        ("PyTorch |", "everything that PyTorch has |", "English: 'everything that PyTorch has'"),
    ],
)
def test_a_fault_is_found_and_named(right, wrong, said):
    assert right in TWIN
    faulty = TWIN.replace(right, wrong)
    found = "\n".join([*differences(SMALL, faulty), *untranslated(SMALL, faulty)])
    assert said in found
