"""The JavaScript, CSS and HTML of the cluster browser, joined into what a browser loads."""

from functools import cache
from importlib.resources import files

__all__ = ["load_browser_page", "load_browser_script", "load_browser_style", "load_page_browser_script"]

_SHARED = (
    "labelling_transports.js",
    "labelling_frame.js",
    "browser_scroll.js",
    "browser_thumbnails.js",
    "browser_frame.js",
    "browser_overview.js",
    "browser_sheet.js",
    "browser_view.js",
)


def load_browser_script() -> str:
    """Load the ES module that Jupyter runs.

    Returns
    -------
    str
        JavaScript with a default export, as anywidget expects it.

    Examples
    --------
    >>> "export default" in load_browser_script()
    True
    """
    return _join(*_SHARED, "browser_kernel.js")


def load_page_browser_script() -> str:
    """Load the script of a page that holds its clusters itself.

    Returns
    -------
    str
        JavaScript without exports.

    Examples
    --------
    >>> "mountClusterPage" in load_page_browser_script()
    True
    """
    return _join(*_SHARED, "browser_page.js")


def load_browser_style() -> str:
    """Load the style sheet.

    Returns
    -------
    str
        CSS; every rule is below the class ``visclust-browser``.

    Examples
    --------
    >>> ".visclust-browser" in load_browser_style()
    True
    """
    return _join("browser.css")


def load_browser_page() -> str:
    """Load the HTML around a page that holds its clusters itself.

    Returns
    -------
    str
        HTML with the marks ``{{policy}}``, ``{{title}}``, ``{{style}}``, ``{{data}}`` and ``{{script}}``.

    Examples
    --------
    >>> "{{policy}}" in load_browser_page()
    True
    """
    return _join("browser_page.html")


@cache
def _join(*names: str) -> str:
    """Join files of this folder."""
    folder = files("visclust.widgets")
    return "\n".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)
