"""The JavaScript and CSS of the widgets, joined into the one module that a browser loads."""

from functools import cache
from importlib.resources import files

_SHARED = (
    "labelling_transports.js",
    "labelling_frame.js",
    "labelling_controls.js",
    "labelling_toggles.js",
    "labelling_ratings.js",
    "labelling_view.js",
)

_SHARED_browser_assets = (
    "labelling_transports.js",
    "labelling_frame.js",
    "browser_scroll.js",
    "browser_thumbnails.js",
    "browser_frame.js",
    "browser_overview.js",
    "browser_sheet.js",
    "browser_view.js",
)


def load_widget_script() -> str:
    """Load the ES module that Jupyter runs."""
    return _join(*_SHARED, "labelling_kernel.js")


def load_page_script() -> str:
    """Load the script of a page that keeps its answers itself."""
    return _join(*_SHARED, "labelling_page.js")


def load_style() -> str:
    """Load the style sheet of the widgets and pages."""
    return _join("labelling.css", "labelling_single.css")


def load_page_template() -> str:
    """Load the HTML around a page that keeps its answers itself."""
    return _join("page.html")


@cache
def _join(*names: str) -> str:
    """Join files of this folder."""
    folder = files("visclust.widgets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def load_browser_script() -> str:
    """Load the ES module that Jupyter runs."""
    return _join(*_SHARED_browser_assets, "browser_kernel.js")


def load_page_browser_script() -> str:
    """Load the script of a page that holds its clusters itself."""
    return _join(*_SHARED_browser_assets, "browser_page.js")


def load_browser_style() -> str:
    """Load the style sheet."""
    return _join("browser.css")


def load_browser_page() -> str:
    """Load the HTML around a page that holds its clusters itself."""
    return _join("browser_page.html")
