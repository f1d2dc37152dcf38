"""A browser for the tests that need one; without it they are skipped with the reason."""

import pytest
from browser_tools import find_missing, open_browser


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
    return page
