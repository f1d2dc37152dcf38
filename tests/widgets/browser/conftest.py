"""A browser for the tests that need one; without it they are skipped with the reason."""

import pytest
from browser_tools import find_missing, open_browser

POLICY = "Content Security Policy"  # in what a browser says of something that it did not load or run


@pytest.fixture(scope="session")
def needs_browser():
    missing = find_missing()
    if missing:
        pytest.skip(missing)


@pytest.fixture
def browser(needs_browser, tmp_path_factory):
    with open_browser(tmp_path_factory.mktemp("profile")) as context:
        yield context


@pytest.fixture
def page(browser):
    page = browser.pages[0]
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda said: page.faults.append(said.text) if POLICY in said.text else None)
    return page
