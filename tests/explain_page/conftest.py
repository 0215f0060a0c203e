"""Pages for the tests of the explorer: one browser, and one tab for all tests that look at it in the same way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser import opened, watched_tab
from seen import WINDOW


@pytest.fixture(scope="session")
def tabs(browser) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """A tab and its faults for the options of a context, the same for the same options: a new one takes its time."""
    with contextlib.ExitStack() as contexts:
        found: dict[str, Any] = {}

        def tab(options: dict[str, Any]) -> Any:
            key = repr(sorted(options.items()))
            if key not in found:
                found[key] = contexts.enter_context(watched_tab(browser, **options))
            return found[key]

        yield tab


@pytest.fixture
def visit(browser, tabs, tmp_path):
    """Open HTML text at an address: visit(html, "#step=3", color_scheme="dark").

    Pages are opened anew for each test, in a tab that others have used. ``alone``: in a tab of its own, for a test
    that stops the clock, which goes for good.
    """
    used: dict[int, Any] = {}
    with contextlib.ExitStack() as own:

        def open_page(html: str, address: str = "", *, alone: bool = False, **options: Any) -> Any:
            options = {"viewport": WINDOW, **options}
            page, faults = own.enter_context(watched_tab(browser, **options)) if alone else tabs(options)
            used[id(page)] = page, faults
            page.emulate_media(media="null")  # not that of paper, which a test may have left
            page.goto("about:blank")  # a new address alone would not load it anew
            return opened(page, html, tmp_path / "page.html", address)

        yield open_page
        for page, faults in used.values():
            for other in page.context.pages:
                if other is not page:
                    other.close()
            found, faults[:] = list(faults), []
            assert not found
