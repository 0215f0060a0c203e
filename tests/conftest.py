"""What several test files use."""

import browser as browsers
import pytest


@pytest.fixture(scope="session")
def browser():
    """A browser for all tests of pages: what drives it refuses to run twice at a time. Skips where there is none."""
    browsers.require_browser()
    with browsers.launched() as found:
        yield found
