"""A browser for tests of pages. Each test gets a page of its own, without network, that is watched for faults."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PACKAGES = ("playwright.sync_api", "axe_playwright_python.sync_playwright")

_VISIBLE = """without => {
  const names = ["title", "alt", "href", "value", "aria-label", "aria-valuetext", "aria-description", "data-value"];
  const texts = [document.title];
  for (const element of document.body.querySelectorAll("*")) {
    const isTooltip = element.matches("svg title, svg desc");
    if (!(isTooltip ? element.parentElement : element).checkVisibility()) continue;
    if (without && element.closest(without)) continue;
    texts.push(...names.filter((name) => element.hasAttribute(name)).map((name) => element.getAttribute(name)));
    const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
    texts.push(...own.map((node) => node.data.trim()));
  }
  return texts.filter(Boolean);
}"""


def require_browser() -> None:
    """Skip the module or the test that calls this, unless a browser and what drives it are installed."""
    for package in _PACKAGES:
        pytest.importorskip(package, reason=f"{package} is not installed: `make everything` installs it")
    if _executable() is None:
        names = ", ".join(_NAMES)
        pytest.skip(f"no browser is installed ({names}): see `make everything`", allow_module_level=True)


def _executable() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.contextmanager
def launched() -> Iterator[Any]:
    """A browser that is closed in the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_executable(), args=list(_FLAGS))
        yield browser
        browser.close()


@contextlib.contextmanager
def watched_page(browser: Any, **options: Any) -> Iterator[Any]:
    """A new page without network; ``options`` are those of a browser context, such as ``color_scheme``.

    AssertionError in the end if it logged an error or a warning, raised, opened a dialog, or asked for anything but
    files that were opened as pages.
    """
    with watched_tab(browser, **options) as (page, faults):
        yield page
        assert not faults


@contextlib.contextmanager
def watched_tab(browser: Any, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page as of ``watched_page``, and the faults that it has had so far, for who looks at them himself."""
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    context.set_offline(True)
    faults: list[str] = []
    context.on("console", lambda message: _note_message(faults, message))
    context.on("weberror", lambda error: faults.append(f"error: {error.error}"))
    context.on("request", lambda request: _note_request(faults, request))
    page = context.new_page()
    page.on("dialog", lambda dialog: (faults.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        yield page, faults
    finally:
        context.close()


def _note_message(faults: list[str], message: Any) -> None:
    if message.type in ("error", "warning", "assert"):
        faults.append(f"{message.type}: {message.text}")


def _note_request(faults: list[str], request: Any) -> None:
    if not (request.is_navigation_request() and request.url.startswith(("file:", "about:"))):
        faults.append(f"request: {request.url}")


def opened(page: Any, html: str, path: Path, address: str = "") -> Any:
    """The page, after it has opened the HTML text as a file at ``path``. ``address`` is what follows, as #step=1."""
    path.write_text(html, encoding="utf-8")
    page.goto(path.as_uri() + address)
    return page


def visible_texts(page: Any, without: str = "") -> list[str]:
    """All that a reader can see, hover over or be told: texts, tooltips, labels, links.

    ``without``: a selector of elements that are left out.
    """
    return page.evaluate(_VISIBLE, without)


def serious_findings(page: Any) -> list[str]:
    """What axe-core calls serious or critical, each with the first element that it was found in."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [rule for rule in found if rule["impact"] in ("serious", "critical")]
    return [f"{rule['id']}: {rule['help']}: {rule['nodes'][0]['html'][:200]}" for rule in serious]
