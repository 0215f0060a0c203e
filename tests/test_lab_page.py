"""The lab's page: everything that was found is on it, as text and, where a browser is installed, in a browser."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pytest
from experiments import SMALL

from tinygrad_relu import lab
from tinygrad_relu.lab.page import Run, page, write_page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as `lab all` leaves it, and its runs."""
    path = tmp_path_factory.mktemp("lab")
    runs = []
    for name, options in SMALL.items():
        found = lab.run(name, executor=lab.Serial(), **options)
        runs.append(Run(found, 1.25, [each.name for each in found.save(path)]))
    write_page(runs, path)
    return path, runs


class Texts(HTMLParser):
    """The page's elements, and its text without tags."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)

    def of(self, tag, attribute):
        return [attributes.get(attribute) for name, attributes in self.tags if name == tag]

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def spaced(text):
    return " ".join(text.split())


# ---------------------------------------------------------------------- as text


def test_all_that_was_found_is_on_the_page(folder):
    path, runs = folder
    found = Texts((path / "index.html").read_text(encoding="utf-8"))
    for run in runs:
        for paragraph in run.found.story.strip().split("\n\n"):
            assert spaced(paragraph) in found.text
        for table in run.found.tables():
            assert spaced(table.title) in found.text
            for row in table.rows:
                assert spaced(" ".join(row)) in found.text
        for claim in run.found.claims():
            assert spaced(f"The source says {claim.said} {claim.source} Measured here {claim.measured}") in found.text
        assert spaced(run.found.caption) in found.text
    assert found.of("img", "src") == ["order.svg", "mask.svg", "kink.svg"]
    assert found.of("img", "alt") == [run.found.caption for run in runs]


def test_every_link_leads_to_a_file_beside_it_or_to_a_place_on_the_page(folder):
    path, _ = folder
    text = (path / "index.html").read_text(encoding="utf-8")
    found = Texts(text)
    places = {attributes.get("id") for _, attributes in found.tags}
    links = found.of("a", "href")
    assert [link for link in links if link.startswith("#")] == ["#order", "#mask", "#kink"]
    for link in links:
        assert link[1:] in places if link.startswith("#") else (path / link).is_file()
    assert {file.name for file in path.iterdir()} - {"index.html"} == {link for link in links if link[0] != "#"}
    assert not re.search(r"https?:|url\(|<script|<link|@import", text)


def test_it_tells_how_to_run_each_again(folder):
    path, _ = folder
    text = html.unescape((path / "index.html").read_text(encoding="utf-8"))
    calls = re.findall(r"<code>(lab\.run\(.*?\))</code>", text)
    assert len(calls) == 3 and calls[0] == 'lab.run("order", steps=16, lengths=(100, 10000))'
    assert "tinygrad_relu/lab/kink.py" in text and "Took 1.2 s" in text


@dataclass
class Nasty(lab.Findings):
    """Every text of it would be markup if it were not escaped."""

    name = "nasty"
    title = "<b>title</b> & more"
    story = "a < b && <script>alert(1)</script>\n\nsecond"
    caption = 'a "quoted" <caption>'

    def tables(self):
        return [lab.Table("<i>", ["", "<u>"], [["<s>", '"&"'], ["", "1"]])]

    def claims(self):
        verdicts = ("holds", "holds in part", "does not hold here", "holds")
        return [lab.Claim("<said>", "<source>", "<measured>", verdict) for verdict in verdicts]


def run(*, executor=None, progress=False):
    """What a module of an experiment has."""


def test_everything_is_escaped():
    found = Texts(page([Run(Nasty(), 0.1, ['"><x>.json'])]))
    assert not {"script", "i", "u", "s", "said", "source", "measured", "x"} & {tag for tag, _ in found.tags}
    for text in ("a < b && <script>alert(1)</script>", "<i>", '"&"', "<said>", "<source>", "<measured>"):
        assert text in found.text
    assert found.of("img", "alt") == ['a "quoted" <caption>']


def test_what_heads_nothing_is_no_heading():
    text = page([Run(Nasty(), 0.1)])
    assert len(re.findall(r"<th\b", text)) == 2 and not re.search(r"<th[^>]*></th>", text)


def test_the_verdicts_are_counted_at_a_glance():
    text = Texts(page([Run(Nasty(), 0.6), Run(Nasty(), 1.7)])).text
    assert "2 experiments in 2 s, 8 claims: 4 hold, 2 hold in part, 2 do not hold here." in text


# ---------------------------------------------------------------------- in a browser


@pytest.fixture
def visit(browser, folder):
    """Open the page in a window of this width and scheme; asked for may be only files of its folder."""
    contexts, asked = [], []

    def open_page(width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        context.set_offline(True)
        context.on("request", lambda request: asked.append(request.url))
        shown = context.new_page()
        shown.goto((folder[0] / "index.html").as_uri())
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert asked and all(url.startswith(folder[0].as_uri()) for url in asked)


@pytest.mark.parametrize("width", [360, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_can_be_read_by_all_and_its_figures_load(visit, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    shown = visit(width, scheme)
    assert shown.evaluate("document.documentElement.scrollWidth") == width
    assert shown.evaluate("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert shown.evaluate("document.images.length") == 3
    violations = Axe().run(shown).response["violations"]
    assert [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in violations] == []
    ground = shown.evaluate("getComputedStyle(document.querySelector('.frame')).backgroundColor")
    assert ground == "rgb(255, 255, 255)"  # the figures are drawn for white


def test_paper_is_light_and_shows_whole_tables(visit):
    shown = visit(700, "dark")
    shown.emulate_media(media="print", color_scheme="dark")
    assert shown.evaluate("getComputedStyle(document.documentElement).color") == "rgb(28, 33, 39)"
    assert shown.evaluate("[...document.querySelectorAll('.table')].every((e) => e.scrollWidth <= e.clientWidth)")
